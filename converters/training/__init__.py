"""Trains the small bundled model; `python -m converters.training --help`."""
