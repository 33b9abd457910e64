"""The pytest plugin of `pytest bench`: options in, matrix, record of a run, exit code."""
