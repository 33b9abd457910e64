"""What a value must be for a file to ship, and why a metric has no limit."""
