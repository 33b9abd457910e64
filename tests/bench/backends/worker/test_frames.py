"""Frames: what is sent arrives to the last bit, and what is no frame is refused before it takes memory."""

import json
import struct

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as st_numpy

from sealbench.bench.backends.worker.frames import ARRAY_BYTES, HEADER_BYTES, FrameError, receive, send


class Buffer:
    """A stream that gives back what was written."""

    def __init__(self, content: bytes = b""):
        self.content = content

    def read_into(self, buffer: memoryview) -> None:
        if len(self.content) < len(buffer):
            raise EOFError
        buffer[:] = self.content[: len(buffer)]
        self.content = self.content[len(buffer) :]

    def write(self, *parts: bytes | memoryview) -> None:
        self.content += b"".join(map(bytes, parts))


DTYPES = st_numpy.boolean_dtypes() | st_numpy.integer_dtypes() | st_numpy.floating_dtypes()
ARRAYS = st_numpy.arrays(DTYPES, st_numpy.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=5))


@given(st.lists(ARRAYS, max_size=3), st.dictionaries(st.sampled_from(["do", "number", "größe"]), st.integers()))
def test_what_is_sent_is_received(arrays: list[np.ndarray], header: dict[str, int]) -> None:
    stream = Buffer()
    send(stream, header, arrays)
    send(stream, {"next": 1})
    found, received = receive(stream)
    assert found == header
    assert [(one.shape, one.dtype.newbyteorder("<")) for one in received] == [
        (one.shape, one.dtype.newbyteorder("<")) for one in arrays
    ]
    assert all(np.array_equal(a, b, equal_nan=a.dtype.kind == "f") for a, b in zip(arrays, received, strict=True))
    assert receive(stream) == ({"next": 1}, [])
    assert stream.content == b""


def test_arrays_that_are_not_contiguous_arrive_in_order() -> None:
    stream = Buffer()
    image = np.arange(24, dtype=np.float32).reshape(2, 4, 3)
    send(stream, {}, [image[:, ::-1], image.transpose(2, 0, 1)])
    flipped, moved = receive(stream)[1]
    assert np.array_equal(flipped, image[:, ::-1])
    assert np.array_equal(moved, image.transpose(2, 0, 1))
    assert flipped.flags.writeable


@pytest.mark.parametrize("kept", [0, 3, 10, -1])
def test_a_frame_that_is_cut_off_is_the_end(kept: int) -> None:
    stream = Buffer()
    send(stream, {"do": "put"}, [np.ones(9)])
    stream.content = stream.content[:kept]
    with pytest.raises(EOFError):
        receive(stream)


def frame(header: object) -> Buffer:
    text = json.dumps(header).encode()
    return Buffer(struct.pack(">I", len(text)) + text + bytes(100))


@pytest.mark.parametrize(
    ("header", "found"),
    [
        ([], "header that is none"),
        ({"do": "put"}, "header that is none"),
        ({"arrays": [["<f4"]]}, "header that is none"),
        ({"arrays": [["|O", [1]]]}, "an array of |O"),
        ({"arrays": [["<f4", [-1]]]}, "shape [-1]"),
        ({"arrays": [["<f4", [1.5]]]}, "shape [1.5]"),
        ({"arrays": [["<f4", [ARRAY_BYTES]]]}, f"at most {ARRAY_BYTES} bytes"),
    ],
)
def test_what_is_no_frame_is_refused(header: object, found: str) -> None:
    with pytest.raises(FrameError) as caught:
        receive(frame(header))
    assert found in str(caught.value)


def test_bytes_that_are_no_header_are_refused() -> None:
    with pytest.raises(FrameError, match="header that is none"):
        receive(Buffer(struct.pack(">I", 4) + b"\xff\xff\xff\xff"))
    with pytest.raises(FrameError, match=f"expected at most {HEADER_BYTES}"):
        receive(Buffer(b"INFO: a library prints"))
