"""What happens to a picture between the embedder and the detector.

An attack is written `name:strength`, such as `jpeg:80`; one that has no strength is written `name`: `none`,
`flip`. Adding one is one function and one line of ATTACKS.
"""

import io
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageEnhance, ImageFilter

from datasets.images import resize
from datasets.sample import DatasetError, check_image

TRAINING_TABLE = (
    "none",
    "jpeg:80",
    "resize:0.7",
    "brightness:0.8",
    "brightness:1.2",
    "contrast:0.8",
    "contrast:1.2",
    "gaussian_noise:2",
    "crop:0.8",
)
"""The attacks by which the quality of the bundled model is reported."""


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


@dataclass(frozen=True)
class AttackKind:
    """What a name of ATTACKS stands for.

    Attributes:
        apply: function of an image (H, W, 3) uint8, a strength and a random generator; returns the same
            shape and type in an array of its own.
        low: the smallest strength.
        high: the largest strength.
        unit: what the strength is; empty where there is none.
        whole: True when the strength must be a whole number.
    """

    apply: Callable[[np.ndarray, float, np.random.Generator], np.ndarray]
    low: float = 0.0
    high: float = 0.0
    unit: str = ""
    whole: bool = False


ATTACKS = {
    "none": AttackKind(_none),
    "jpeg": AttackKind(_jpeg, 1, 100, "quality", whole=True),
    "resize": AttackKind(_resize, 0.1, 2, "factor of each side"),
    "crop": AttackKind(_crop, 0.1, 1, "fraction kept of each side"),
    "brightness": AttackKind(_brightness, 0, 4, "factor"),
    "contrast": AttackKind(_contrast, 0, 4, "factor"),
    "gaussian_noise": AttackKind(_gaussian_noise, 0, 128, "standard deviation in levels of 255"),
    "gaussian_blur": AttackKind(_gaussian_blur, 0, 20, "standard deviation in pixels"),
    "rotate": AttackKind(_rotate, -180, 180, "degrees counter-clockwise"),
    "flip": AttackKind(_flip),
}
"""Every known attack. The limits keep out typing errors such as `jpeg:0.8`, nothing that could be wanted."""


@dataclass(frozen=True)
class Attack:
    """One attack; `str()` gives the spelling that `parse_attack` reads back, the same for equal attacks.

    Attributes:
        name: a name of ATTACKS.
        strength: in the unit of that name; None where it has none.

    Raises:
        DatasetError: an unknown name, or a strength that is missing, superfluous or out of range.
    """

    name: str
    strength: float | None = None

    def __post_init__(self) -> None:
        kind = ATTACKS.get(self.name)
        if kind is None:
            raise DatasetError(f"attack {self.name!r} is unknown; known are: {', '.join(known_attacks())}")
        if not kind.unit:
            if self.strength is not None:
                raise DatasetError(f"attack {self.name}: found strength {self.strength}; it takes none")
            return
        strength = math.nan if self.strength is None else float(self.strength)
        fits = kind.low <= strength <= kind.high  # false for NaN as well
        if not fits or (kind.whole and not strength.is_integer()):
            found = "no strength" if self.strength is None else f"strength {self.strength}"
            raise DatasetError(f"attack {self.name}: found {found}; expected {_spelling(self.name)}")
        # Adding 0.0 turns -0.0 to 0.0, so that both are spelled alike.
        object.__setattr__(self, "strength", strength + 0.0)

    def __str__(self) -> str:
        if self.strength is None:
            return self.name
        return f"{self.name}:{repr(self.strength).removesuffix('.0')}"


def _spelling(name: str) -> str:
    kind = ATTACKS[name]
    if not kind.unit:
        return name
    return f"{name}:{kind.low:g}..{kind.high:g} ({'whole ' if kind.whole else ''}{kind.unit})"


def known_attacks() -> tuple[str, ...]:
    """Every attack with the range and unit of its strength, for errors and help texts."""
    return tuple(_spelling(name) for name in ATTACKS)


def parse_attack(text: str) -> Attack:
    """Reads `name` or `name:strength`.

    Raises:
        DatasetError: an unknown name, or a strength that is missing, superfluous, no number or out of range.
    """
    name, colon, number = text.strip().partition(":")
    if not colon:
        return Attack(name)
    try:
        strength = float(number)
    except ValueError:
        expected = _spelling(name) if name in ATTACKS else f"one of: {', '.join(known_attacks())}"
        raise DatasetError(f"attack {text!r}: {number!r} is not a number; expected {expected}") from None
    return Attack(name, strength)


def apply_attack(image: np.ndarray, attack: str | Attack, seed: int | Sequence[int] = 0) -> np.ndarray:
    """Attacks a picture.

    Args:
        image: (H, W, 3) uint8, RGB; stays as it is.
        attack: as `parse_attack` takes or gives it.
        seed: of the random place or noise; not negative. Give each image its own, such as (seed, index),
            or all of them bear the same noise.

    Returns:
        (H, W, 3) uint8 of the same size, the caller's own.

    Raises:
        DatasetError: no such image or attack.
    """
    check_image(image)
    parsed = parse_attack(attack) if isinstance(attack, str) else attack
    strength = 0.0 if parsed.strength is None else parsed.strength
    return ATTACKS[parsed.name].apply(image, strength, np.random.default_rng(seed))
