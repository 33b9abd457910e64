"""UVQ 1.5, Google's video quality model: a frame in, a score from 1 to 5 out.

The definitions follow google/uvq (Apache-2.0); no code is copied from it.
"""
