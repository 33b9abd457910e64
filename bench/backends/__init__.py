"""Where a file runs: tensors in, the outputs out."""
