"""Frames of the worker's protocol: a JSON header with its length before it, then arrays as raw bytes.

    4 bytes   length of the header in bytes, big-endian
    header    JSON in UTF-8; its key "arrays" lists [dtype, shape] of each array that follows
    arrays    their bytes one after the other, in C order, little-endian

Pipes and sockets carry them alike. A header is never executed: what is no plain number type or too large is refused.
"""

import json
import math
import struct
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import numpy as np

_LENGTH = struct.Struct(">I")
HEADER_BYTES = 16_000_000
"""The largest header: that of an inspection names every tensor of a file."""
ARRAY_BYTES = 8_000_000_000
"""The largest array; one picture of a model has some megabytes."""
PICTURES = 32
"""A worker holds at most so many pictures at a time."""
_KINDS = "biuf"  # booleans, integers and floating point, as NumPy's dtype.kind names them


class FrameError(ValueError):
    """What was received is no frame; the message says what was found."""


class Stream(Protocol):
    """Bytes in both directions, over whatever carries them."""

    def read_into(self, buffer: memoryview) -> None:
        """Fill the buffer; EOFError where the other side has closed before."""

    def write(self, *parts: bytes | memoryview) -> None:
        """Write all parts, one after the other."""


def send(stream: Stream, header: Mapping[str, Any], arrays: Sequence[np.ndarray] = ()) -> None:
    """Send one frame.

    Args:
        stream: where to.
        header: what JSON can hold; it has no key `arrays`.
        arrays: of booleans, integers or floating point, any shape; those that are not contiguous are copied.
    """
    ordered = [np.asarray(array, array.dtype.newbyteorder("<"), order="C") for array in arrays]
    described = [[array.dtype.str, list(array.shape)] for array in ordered]
    text = json.dumps({**header, "arrays": described}).encode()
    stream.write(_LENGTH.pack(len(text)) + text, *(array.reshape(-1).view(np.uint8).data for array in ordered))


def receive(stream: Stream) -> tuple[dict[str, Any], list[np.ndarray]]:
    """Receive one frame.

    Returns:
        The header without its key `arrays`, and the arrays, of the shapes that were sent; they can be written, and
        are the caller's own.

    Raises:
        EOFError: the other side has closed, between two frames or within one.
        FrameError: what arrived is no frame.
    """
    head = bytearray(_LENGTH.size)
    stream.read_into(memoryview(head))
    (length,) = _LENGTH.unpack(head)
    if length > HEADER_BYTES:
        raise FrameError(f"found a header of {length} bytes; expected at most {HEADER_BYTES}")
    text = bytearray(length)
    stream.read_into(memoryview(text))
    try:
        header = json.loads(text)
        described = header.pop("arrays")
        arrays = [_empty(dtype, shape) for dtype, shape in described]
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise FrameError(f"found a header that is none of a frame ({error})") from error
    for array in arrays:
        if array.size:
            stream.read_into(array.reshape(-1).view(np.uint8).data)
    return header, arrays


def _empty(dtype: str, shape: Sequence[int]) -> np.ndarray:
    found = np.dtype(dtype)
    if found.kind not in _KINDS:
        raise FrameError(f"found an array of {dtype}; expected numbers or booleans")
    if any(not isinstance(side, int) or side < 0 for side in shape):
        raise FrameError(f"found an array of shape {shape}; expected whole numbers from 0")
    if math.prod(shape) * found.itemsize > ARRAY_BYTES:
        raise FrameError(f"found an array of shape {shape} and type {dtype}; expected at most {ARRAY_BYTES} bytes")
    return np.empty(shape, found)
