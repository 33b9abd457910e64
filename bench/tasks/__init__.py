"""What models are for: which images a task reads, what of the outputs it keeps, and which suites are its own."""
