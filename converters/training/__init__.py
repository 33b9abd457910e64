"""Trains the small bundled model; `sealbench train --help`."""
