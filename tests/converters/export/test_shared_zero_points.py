"""Vectors of zeros are stored once, read back as they were, and nothing else is touched."""

import flatbuffers
import numpy as np

from sealbench.converters.export.shared_zero_points import shared_zero_points


def vectors(share: bool) -> tuple[int, int, int, int]:
    """Where four vectors of one flatbuffer were put: three of zeros, two of them of one length and type."""
    builder = flatbuffers.Builder(16)
    values = [np.zeros(9, np.int64), np.zeros(9, np.int64), np.zeros(9, np.float32), np.arange(9, dtype=np.int64)]
    if share:
        with shared_zero_points():
            first, second, third, fourth = (builder.CreateNumpyVector(value) for value in values)
    else:
        first, second, third, fourth = (builder.CreateNumpyVector(value) for value in values)
    return first, second, third, fourth


def test_equal_zero_points_are_one_vector_while_it_lasts() -> None:
    first, second, third, fourth = vectors(share=True)
    assert first == second
    assert len({first, third, fourth}) == 3
    assert len(set(vectors(share=False))) == 4


def test_another_flatbuffer_has_vectors_of_its_own() -> None:
    with shared_zero_points():
        for _ in range(2):
            builder = flatbuffers.Builder(16)
            assert builder.CreateNumpyVector(np.zeros(4, np.int64)) == builder.Offset()
