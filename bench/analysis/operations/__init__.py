"""Where the time of a file goes, operation by operation."""
