"""Where the error of a file arises, step by step and layer by layer."""
