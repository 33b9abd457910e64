"""The pixels of every attack: functions of an image (H, W, 3) uint8, a strength and a random generator.

Each returns the same shape and type in an array of its own. `sealbench.datasets.attacks` has their names and limits.
"""

import io
from collections.abc import Callable

import numpy as np
from PIL import Image, ImageDraw, ImageEnhance, ImageFilter, ImageFont

from sealbench.datasets.images import resize

_OVERLAY_OPACITY = 0.6
_OVERLAY_TEXT = "overlay"


def _none(image: np.ndarray, strength: float, rng: np.random.Generator) -> np.ndarray:
    """The same pixels, in an array of their own."""
    return image.copy()


def _jpeg(image: np.ndarray, strength: float, rng: np.random.Generator) -> np.ndarray:
    """JPEG and back at Pillow's defaults otherwise: chroma at half resolution (4:2:0)."""
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, format="JPEG", quality=int(strength))
    return np.array(Image.open(buffer).convert("RGB"))


def _resize(image: np.ndarray, strength: float, rng: np.random.Generator) -> np.ndarray:
    """To `strength` times the size of each side and back, antialiased bilinear both times."""
    height, width = image.shape[:2]
    changed = resize(image, max(1, round(height * strength)), max(1, round(width * strength)))
    return resize(changed, height, width)


def _crop(image: np.ndarray, strength: float, rng: np.random.Generator) -> np.ndarray:
    """Keeps the fraction `strength` of each side, at a random place, resized back."""
    height, width = image.shape[:2]
    rows, columns = max(1, round(height * strength)), max(1, round(width * strength))
    top, left = int(rng.integers(height - rows + 1)), int(rng.integers(width - columns + 1))
    return resize(image[top : top + rows, left : left + columns], height, width)


def _brightness(image: np.ndarray, strength: float, rng: np.random.Generator) -> np.ndarray:
    """Every value times `strength`."""
    return np.array(ImageEnhance.Brightness(Image.fromarray(image)).enhance(strength))


def _contrast(image: np.ndarray, strength: float, rng: np.random.Generator) -> np.ndarray:
    """Every distance to the mean gray level of the picture times `strength`."""
    return np.array(ImageEnhance.Contrast(Image.fromarray(image)).enhance(strength))


def _gaussian_noise(image: np.ndarray, strength: float, rng: np.random.Generator) -> np.ndarray:
    """Adds independent normal noise of standard deviation `strength` levels to every value."""
    noisy = image + strength * rng.standard_normal(image.shape)
    return np.clip(np.rint(noisy), 0, 255).astype(np.uint8)


def _gaussian_blur(image: np.ndarray, strength: float, rng: np.random.Generator) -> np.ndarray:
    """A Gaussian of standard deviation `strength` pixels, as Pillow approximates it by three box blurs."""
    return np.array(Image.fromarray(image).filter(ImageFilter.GaussianBlur(strength)))


def _rotate(image: np.ndarray, strength: float, rng: np.random.Generator) -> np.ndarray:
    """Turns by `strength` degrees counter-clockwise about the centre, bilinear; bare corners are black."""
    return np.array(Image.fromarray(image).rotate(strength, Image.Resampling.BILINEAR))


def _flip(image: np.ndarray, strength: float, rng: np.random.Generator) -> np.ndarray:
    """Mirrors left and right."""
    return image[:, ::-1].copy()


def _hue(image: np.ndarray, strength: float, rng: np.random.Generator) -> np.ndarray:
    """Turns every hue by `strength` of the colour circle; saturation and value stay."""
    from skimage.color import hsv2rgb, rgb2hsv  # takes half a second to load

    hsv = rgb2hsv(image)  # (H, W, 3) float64 in [0, 1]
    hsv[..., 0] = (hsv[..., 0] + strength) % 1
    return np.rint(255 * hsv2rgb(hsv)).astype(np.uint8)


def _overlay(image: np.ndarray, strength: float, rng: np.random.Generator) -> np.ndarray:
    """A half-transparent black box with a word in white, `strength` of each side large, at a random place."""
    height, width = image.shape[:2]
    rows, columns = round(height * strength), round(width * strength)
    if not rows or not columns:
        return image.copy()
    box = Image.new("RGB", (columns, rows))
    font = ImageFont.load_default(max(1.0, min(rows / 2, 1.5 * columns / len(_OVERLAY_TEXT))))
    ImageDraw.Draw(box).text((columns / 2, rows / 2), _OVERLAY_TEXT, "white", font, anchor="mm")
    top, left = int(rng.integers(height - rows + 1)), int(rng.integers(width - columns + 1))
    covered = Image.fromarray(image[top : top + rows, left : left + columns])
    changed = image.copy()
    changed[top : top + rows, left : left + columns] = Image.blend(covered, box, _OVERLAY_OPACITY)
    return changed


FUNCTIONS: dict[str, Callable[[np.ndarray, float, np.random.Generator], np.ndarray]] = {
    "none": _none,
    "jpeg": _jpeg,
    "resize": _resize,
    "crop": _crop,
    "brightness": _brightness,
    "contrast": _contrast,
    "gaussian_noise": _gaussian_noise,
    "gaussian_blur": _gaussian_blur,
    "rotate": _rotate,
    "flip": _flip,
    "hue": _hue,
    "overlay": _overlay,
}
"""By the names of `sealbench.datasets.attacks.ATTACKS`."""
