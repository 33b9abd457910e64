"""Two runs, and many of them."""
