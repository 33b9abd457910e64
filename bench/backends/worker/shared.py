"""Pictures in memory that a process shares with its worker: a copy instead of a transfer.

Through a socket a picture of 256 x 256 float32 costs the bundled model 5 to 8 % of a call. The memory has no name and
is gone with the two processes, however they end (`memfd_create`, Linux); where the system has none, sockets carry all.
"""

import mmap
import os
from collections.abc import Sequence

import numpy as np

Place = list[int | str | list[int]]
"""Where an array stands in the memory: [offset in bytes, dtype, shape], as JSON holds it."""
_ALIGNED = 64


class SharedPictures:
    """The side that puts pictures.

    All places are of one size, that of the first picture: a model takes tensors of one shape.

    Args:
        places: pictures that are there at one time.

    Attributes:
        handle: file descriptor, to be inherited by the other process.
    """

    def __init__(self, places: int):
        self.handle = os.memfd_create("sealbench-pictures")
        self._free = list(range(places))
        self._taken: dict[int, int] = {}
        self._bytes = 0
        self._memory: mmap.mmap | None = None

    def put(self, number: int, arrays: Sequence[np.ndarray]) -> list[Place] | None:
        """Write the arrays of a picture.

        Args:
            number: of the picture.
            arrays: of booleans, integers or floating point, any shapes.

        Returns:
            The place of each array; None where there is no place, or the picture is larger than the first one.
        """
        sizes = [-(-array.nbytes // _ALIGNED) * _ALIGNED for array in arrays]
        if self._memory is None:
            self._bytes = max(sum(sizes), _ALIGNED)
            os.ftruncate(self.handle, self._bytes * len(self._free))  # pages that are never written take no memory
            self._memory = mmap.mmap(self.handle, self._bytes * len(self._free))
        if not self._free or sum(sizes) > self._bytes:
            return None
        place = self._taken[number] = self._free.pop()
        places: list[Place] = []
        offset = place * self._bytes
        for array, size in zip(arrays, sizes, strict=True):
            np.ndarray(array.shape, array.dtype, self._memory, offset)[...] = array
            places.append([offset, array.dtype.str, list(array.shape)])
            offset += size
        return places

    def forget(self, number: int) -> None:
        """Another picture may take the place of this one, if it has any."""
        if number in self._taken:
            self._free.append(self._taken.pop(number))

    def close(self) -> None:
        """Give the memory back."""
        if self._memory is not None:
            self._memory.close()
        os.close(self.handle)


class SharedView:
    """The side that reads them.

    Args:
        handle: the inherited file descriptor.
    """

    def __init__(self, handle: int):
        self._memory = mmap.mmap(handle, 0, access=mmap.ACCESS_READ)

    def arrays(self, places: Sequence[Place]) -> list[np.ndarray]:
        """The arrays at their places, of the shapes there: read-only views, valid until their picture is forgotten."""
        return [np.ndarray(shape, dtype, self._memory, offset) for offset, dtype, shape in places]  # type: ignore[arg-type]
