"""What the suites share of a group of models: files, one pass over the pictures, and times, each made once."""
