"""Dead leaves: generated images with the edges, occlusions and scales of natural ones, in any number.

The model is G. Matheron's (1968): shapes fall one upon another until the ground is covered. With radii of
density r^-3 its statistics do not change with scale, as those of photographs do not (Lee, Mumford, Huang:
Occlusion models for natural images, 2001). A leaf here is shaded and textured as well, because a
just-noticeable-difference map finds nothing to hide behind in flat colour.
"""

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

from sealbench.datasets.sample import ROLES, Sample, check_count, check_image_size, check_role

_SMALLEST_RADII = (2.0, 12.0)  # pixels; drawn for each image: from gravel to still life
_LARGEST_RADIUS = 0.5  # of the longer side
_LAYERS = 5.0  # mean number of discs over a pixel; the shapes within cover about half of a disc
_SHAPES = ("ellipse", "triangle", "quadrangle")
_SHAPE_SHARES = (0.5, 0.2, 0.3)


def dead_leaves(height: int, width: int, seed: int) -> np.ndarray:
    """One dead-leaves image.

    Args:
        height: pixels, at least 1.
        width: pixels, at least 1.
        seed: not negative; the same seed and size give the same image.

    Returns:
        (height, width, 3) uint8, RGB.

    Raises:
        DatasetError: an impossible size.
    """
    height, width = check_image_size((height, width))
    rng = np.random.default_rng(seed)
    radius = _radii(height, width, rng)
    center = rng.random((radius.size, 2)) * (width, height)
    leaf = _leaf_map(height, width, center, radius, rng)
    shade = _shade(leaf, center, radius, rng)
    picture = np.clip(_colors(radius.size, rng)[leaf] + shade[..., None], 0, 255)
    image = Image.fromarray(np.rint(picture).astype(np.uint8))
    return np.array(image.filter(ImageFilter.GaussianBlur(rng.uniform(0.2, 0.8))))  # a lens: no edge is a step


def _radii(height: int, width: int, rng: np.random.Generator) -> np.ndarray:
    """Radii (n,) in pixels of density r^-3 between the limits, as many as cover the image _LAYERS times."""
    low = float(np.exp(rng.uniform(*np.log(_SMALLEST_RADII))))
    high = max(_LARGEST_RADIUS * max(height, width), 2 * low)
    # Inverse of the cumulative distribution; the mean of r^2 follows from the same density.
    spread = low**-2 - high**-2
    mean_square = 2 * np.log(high / low) / spread
    number = int(np.ceil(_LAYERS * height * width / (np.pi * mean_square))) + 1
    radii = (low**-2 - rng.random(number) * spread) ** -0.5
    radii[0] = max(height, width)  # the ground
    return radii


def _leaf_map(height: int, width: int, center: np.ndarray, radius: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """(height, width) int32: which leaf is on top at each pixel; leaf 0 is the ground."""
    canvas = Image.new("I", (width, height), 0)
    draw = ImageDraw.Draw(canvas)
    number = radius.size
    shapes = rng.choice(len(_SHAPES), number, p=_SHAPE_SHARES).tolist()
    stretch = radius[:, None] * rng.uniform(0.5, 1.0, (number, 2))
    boxes = np.hstack([center - stretch, center + stretch]).tolist()
    # Corners on the leaf's circle at increasing angles, so that no outline crosses itself.
    angle = rng.uniform(0, 2 * np.pi, (number, 1)) + np.pi / 2 * (np.arange(4) + rng.uniform(0, 0.8, (number, 4)))
    corners = center[:, None] + radius[:, None, None] * np.stack([np.cos(angle), np.sin(angle)], -1)
    outlines = corners.reshape(number, 8).tolist()
    for leaf in range(1, number):
        if shapes[leaf] == 0:
            draw.ellipse(boxes[leaf], fill=leaf)
        else:
            draw.polygon(outlines[leaf][: 6 if shapes[leaf] == 1 else 8], fill=leaf)
    return np.asarray(canvas, np.int32)


def _colors(number: int, rng: np.random.Generator) -> np.ndarray:
    """(number, 3) float32 in levels: broad in lightness; how vivid they are differs from image to image."""
    lightness = rng.uniform(8, 247, (number, 1))
    vividness = rng.uniform(0, 50)
    return (lightness + vividness * rng.standard_normal((number, 3))).astype(np.float32)


def _shade(leaf: np.ndarray, center: np.ndarray, radius: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """(H, W) float32 in levels: each leaf's light falling off to one side, its grain and its stripes."""
    height, width = leaf.shape
    number = radius.size
    y, x = np.mgrid[:height, :width].astype(np.float32)
    # A slope of up to 40 levels a radius, and stripes of 3 to 30 pixels, in a direction of the leaf's own.
    slope = (rng.uniform(-40, 40, (number, 2)) / radius[:, None]).astype(np.float32)
    offset = -(slope * center).sum(-1).astype(np.float32)
    turn, period = rng.uniform(0, np.pi, number), np.exp(rng.uniform(np.log(3), np.log(30), number))
    wave = (2 * np.pi / period * np.stack([np.cos(turn), np.sin(turn)])).astype(np.float32)
    # Most leaves are nearly smooth and a few are rough: exponential amplitudes, half of the stripes left out.
    stripe = (rng.exponential(8, number) * (rng.random(number) < 0.5)).astype(np.float32)
    fine, coarse = rng.exponential((5, 8), (number, 2)).T.astype(np.float32)
    noise = rng.standard_normal((height, width), np.float32)
    return (
        slope[leaf, 0] * x
        + slope[leaf, 1] * y
        + offset[leaf]
        + stripe[leaf] * np.sin(wave[0, leaf] * x + wave[1, leaf] * y)
        + fine[leaf] * noise
        + coarse[leaf] * _clouds(height, width, rng)
    )


def _clouds(height: int, width: int, rng: np.random.Generator) -> np.ndarray:
    """(height, width) float32 of unit variance or so, smooth over about six pixels."""
    small = rng.standard_normal((height // 6 + 2, width // 6 + 2), np.float32)
    return np.asarray(Image.fromarray(small).resize((width, height), Image.Resampling.BICUBIC))


def dead_leaves_samples(role: str, image_size: tuple[int, int], count: int, seed: int = 0) -> list[Sample]:
    """Dead-leaves images as samples; the same seed gives other images in the other role.

    Args:
        role: calibration or evaluation.
        image_size: (height, width) in pixels.
        count: how many; a smaller count gives the beginning of a larger one.
        seed: not negative.

    Returns:
        Samples without a message; each is its own source.

    Raises:
        DatasetError: unknown role, impossible size or count.
    """
    height, width = check_image_size(image_size)
    kind = ROLES.index(check_role(role))
    samples = []
    for index in range(check_count(count)):
        own_seed = int(np.random.SeedSequence([seed, kind, index]).generate_state(1, np.uint64)[0])
        name = f"dead-leaves-{role}-{seed}-{index:03d}"
        image = dead_leaves(height, width, own_seed)
        samples.append(Sample(name, image, None, role, source=name, generated=True))
    return samples
