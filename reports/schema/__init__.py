"""What a run records: metrics, rows, and how they are written for people."""
