"""Zero points of nothing but zeros, written once for each length instead of once for each tensor.

Channelwise weights are symmetric: every channel has a scale of 4 bytes, and a zero point of 8 that is 0. A flatbuffer
may refer to one vector from many places, so that they need not be stored again for each tensor: 1 % of an int8 file.
"""

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np


@contextmanager
def shared_zero_points() -> Iterator[None]:
    """While it lasts, flatbuffers are written with one vector for all int64 vectors of zeros of a length."""
    from flatbuffers import Builder

    create = Builder.CreateNumpyVector
    vectors: dict[tuple[Builder, int], int] = {}  # holds the builders, so that none takes the place of another

    def create_or_share(builder: Builder, values: np.ndarray) -> int:
        if values.dtype != np.int64 or values.any():
            return int(create(builder, values))
        if (builder, len(values)) not in vectors:
            vectors[builder, len(values)] = int(create(builder, values))
        return vectors[builder, len(values)]

    Builder.CreateNumpyVector = create_or_share
    try:
        yield
    finally:
        Builder.CreateNumpyVector = create
