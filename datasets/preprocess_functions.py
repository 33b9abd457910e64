"""The resizes of `sealbench.datasets.preprocess`: (H, W, 3) uint8 to (height, width, 3) float32 in [0, 1].

Each is called for a picture of another size than (height, width), both at least 1.
"""

from collections.abc import Callable, Mapping

import numpy as np

from sealbench.datasets.images import resize


def to_unit_range(image: np.ndarray) -> np.ndarray:
    """From 8-bit values, any shape, to float32 in [0, 1] of the same shape."""
    return np.divide(image, np.float32(255), dtype=np.float32)


def upstream(image: np.ndarray, height: int, width: int) -> np.ndarray:
    """Antialiased bilinear in float32, nothing rounded: (H, W, 3) to (height, width, 3), as upstream resizes."""
    return _weighted(to_unit_range(image), _triangle(image.shape[0], height), _triangle(image.shape[1], width))


def pillow(image: np.ndarray, height: int, width: int) -> np.ndarray:
    """Pillow's antialiased bilinear, 8 bits after each axis: (H, W, 3) to (height, width, 3)."""
    return to_unit_range(resize(image, height, width))


def opencv(image: np.ndarray, height: int, width: int) -> np.ndarray:
    """OpenCV's INTER_LINEAR of 8-bit pixels: (H, W, 3) to (height, width, 3)."""
    import cv2

    return to_unit_range(cv2.resize(image, (width, height), interpolation=cv2.INTER_LINEAR))


def tensorflow(image: np.ndarray, height: int, width: int) -> np.ndarray:
    """TensorFlow's bilinear resize without antialiasing, in float32: (H, W, 3) to (height, width, 3)."""
    import tensorflow as tf

    return to_unit_range(tf.image.resize(image, (height, width), method="bilinear", antialias=False).numpy())


def app(image: np.ndarray, height: int, width: int) -> np.ndarray:
    """Bilinear of two pixels an axis, rounded to 8 bits at the end: (H, W, 3) to (height, width, 3)."""
    levels = _weighted(image.astype(np.float32), _two_taps(image.shape[0], height), _two_taps(image.shape[1], width))
    return to_unit_range(np.floor(levels + np.float32(0.5)))


def _weighted(image: np.ndarray, rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
    """Apply a matrix to each axis: (H, W, 3), (height, H), (width, W) -> (height, width, 3), all float32."""
    found = image
    for matrix in (rows, columns):
        lines = found.reshape(len(found), -1)
        result = np.empty((len(matrix), lines.shape[1]), np.float32)
        for row, weights in enumerate(matrix):
            used = np.flatnonzero(weights)  # neighbours: a product with all lines would take ten times as long
            band = slice(used[0], used[-1] + 1)
            result[row] = weights[band] @ lines[band]
        # The other axis comes first, for its turn; after two exchanges both are in their places.
        found = result.reshape(len(matrix), *found.shape[1:]).swapaxes(0, 1)
    return np.ascontiguousarray(found)


def _triangle(before: int, after: int) -> np.ndarray:
    """Weights of the antialiased bilinear filter along one axis, (after, before) float32, each row with the sum 1.

    Pixel i of the result lies at s (i + 1/2), s = before / after. A pixel whose centre is d away weighs
    max(0, 1 - d / max(s, 1)), divided by the sum of the row: `torch.nn.functional.interpolate` with mode="bilinear",
    align_corners=False, antialias=True.
    """
    distances = np.abs(_centers(before, after)[:, np.newaxis] - (np.arange(before) + 0.5))
    weights = np.maximum(0, 1 - distances / max(before / after, 1))
    return (weights / weights.sum(axis=1, keepdims=True)).astype(np.float32)


def _two_taps(before: int, after: int) -> np.ndarray:
    """Weights of the bilinear filter without antialiasing along one axis, (after, before) float32.

    Of the two pixels on either side of s (i + 1/2) each weighs 1 - d; beyond the edge the edge's pixel is repeated.
    """
    places = np.clip(_centers(before, after) - 0.5, 0, before - 1)
    low = np.minimum(places.astype(int), max(before - 2, 0))
    weights = np.zeros((after, before))
    weights[np.arange(after), np.minimum(low + 1, before - 1)] = places - low
    weights[np.arange(after), low] += 1 - (places - low)
    return weights.astype(np.float32)


def _centers(before: int, after: int) -> np.ndarray:
    """Where the centres of the pixels of the result lie among those of the picture, (after,) float32, in pixels.

    PyTorch computes them in float32: at pixel 4000 another number type is 0.0002 pixels elsewhere.
    """
    return (np.arange(after, dtype=np.float32) + np.float32(0.5)) * np.float32(before / after)


RESIZES: Mapping[str, Callable[[np.ndarray, int, int], np.ndarray]] = {
    function.__name__: function for function in (upstream, pillow, opencv, tensorflow, app)
}
"""By the names of PREPROCESSES."""
