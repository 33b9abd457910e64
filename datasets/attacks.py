"""What happens to a picture between the embedder and the detector.

An attack is written `name:strength`, such as `jpeg:80`; one that has no strength is written `name`: `none`,
`flip`. Several that follow each other are joined: `jpeg:60+resize:0.7`. Adding one is a line of ATTACKS and a function
in `attack_functions.py`, which alone loads NumPy and Pillow: help lists the attacks, too.
"""

import math
import re
import zlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sealbench.datasets.errors import DatasetError

if TYPE_CHECKING:  # for annotations alone
    import numpy as np

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

QUICK = (
    "jpeg:90",
    "jpeg:70",
    "jpeg:50",
    "resize:0.7",
    "gaussian_blur:1",
    "gaussian_noise:5",
    "brightness:1.2",
    "jpeg:80+resize:0.7+brightness:1.2",
)
FULL = (
    *(f"jpeg:{quality}" for quality in (95, 90, 80, 70, 60, 50, 40, 30)),
    *(f"resize:{factor}" for factor in (0.9, 0.7, 0.5)),
    *(f"crop:{fraction}" for fraction in (0.95, 0.9, 0.8)),
    *(f"rotate:{degrees}" for degrees in (1, 2, 5)),
    "flip",
    *(f"gaussian_blur:{deviation}" for deviation in (0.5, 1, 2)),
    *(f"gaussian_noise:{deviation}" for deviation in (2, 5, 10)),
    *(f"brightness:{factor}" for factor in (0.6, 0.8, 1.2, 1.5)),
    *(f"contrast:{factor}" for factor in (0.6, 0.8, 1.2, 1.5)),
    *(f"hue:{turns}" for turns in (-0.1, 0.1, 0.25)),
    *(f"overlay:{fraction}" for fraction in (0.3, 0.5, 0.7)),
    "jpeg:80+resize:0.7+brightness:1.2",
    "jpeg:60+resize:0.7+brightness:1.2",
    "gaussian_blur:0.5+gaussian_noise:5",
    "overlay:0.3+jpeg:70",
    "crop:0.95+jpeg:80",
)
ATTACK_SETS: Mapping[str, tuple[str, ...]] = {"none": (), "quick": QUICK, "full": FULL}
"""Attacks by the name of their set; `none` leaves the images as they are."""

CURVE_POINTS = 3
"""So many qualities of JPEG make a curve: fewer say nothing of where between them it falls."""

_NEXT_STEP = re.compile(r"\+(?=\s*[A-Za-z_])")  # a plus before a digit is a sign


@dataclass(frozen=True)
class AttackKind:
    """What a name of ATTACKS stands for.

    Attributes:
        low: the smallest strength.
        high: the largest strength.
        unit: what the strength is; empty where there is none.
        whole: True when the strength must be a whole number.
    """

    low: float = 0.0
    high: float = 0.0
    unit: str = ""
    whole: bool = False


ATTACKS = {
    "none": AttackKind(),
    "jpeg": AttackKind(1, 100, "quality", whole=True),
    "resize": AttackKind(0.1, 2, "factor of each side"),
    "crop": AttackKind(0.1, 1, "fraction kept of each side"),
    "brightness": AttackKind(0, 4, "factor"),
    "contrast": AttackKind(0, 4, "factor"),
    "gaussian_noise": AttackKind(0, 128, "standard deviation in levels of 255"),
    "gaussian_blur": AttackKind(0, 20, "standard deviation in pixels"),
    "rotate": AttackKind(-180, 180, "degrees counter-clockwise"),
    "flip": AttackKind(),
    "hue": AttackKind(-0.5, 0.5, "turns of the colour circle"),
    "overlay": AttackKind(0, 1, "fraction covered of each side"),
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


@dataclass(frozen=True)
class Combination:
    """Attacks that follow each other; `str()` gives the spelling that `parse_attack` reads back.

    Attributes:
        steps: at least two, in order; none of them is `none`.

    Raises:
        DatasetError: fewer steps, or `none` among them.
    """

    steps: tuple[Attack, ...]

    def __post_init__(self) -> None:
        if len(self.steps) < 2:
            raise DatasetError(f"attack {self}: a combination has at least two steps; expected NAME:STRENGTH+...")
        if any(step.name == "none" for step in self.steps):
            raise DatasetError(f"attack {self}: 'none' is no step of a combination; leave it out")

    def __str__(self) -> str:
        return "+".join(str(step) for step in self.steps)


def _spelling(name: str) -> str:
    kind = ATTACKS[name]
    if not kind.unit:
        return name
    return f"{name}:{kind.low:g}..{kind.high:g} ({'whole ' if kind.whole else ''}{kind.unit})"


def known_attacks() -> tuple[str, ...]:
    """Every attack with the range and unit of its strength, for errors and help texts."""
    return tuple(_spelling(name) for name in ATTACKS)


def parse_attack(text: str) -> Attack | Combination:
    """Reads `name`, `name:strength`, or several of them joined by `+`.

    Raises:
        DatasetError: an unknown name, a strength that is missing, superfluous, no number or out of range, or `none` in
            a combination.
    """
    steps = tuple(_parse_step(step) for step in _NEXT_STEP.split(text))
    return Combination(steps) if len(steps) > 1 else steps[0]


def _parse_step(text: str) -> Attack:
    name, colon, number = text.strip().partition(":")
    if not colon:
        return Attack(name)
    try:
        strength = float(number)
    except ValueError:
        expected = _spelling(name) if name in ATTACKS else f"one of: {', '.join(known_attacks())}"
        raise DatasetError(f"attack {text!r}: {number!r} is not a number; expected {expected}") from None
    return Attack(name, strength)


def attacks_named(text: str) -> tuple[str, ...]:
    """The attacks that a name stands for: those of a set of ATTACK_SETS, or the one that it spells.

    Returns:
        Their spellings, the same for equal attacks; nothing for `none`.

    Raises:
        DatasetError: neither a set nor an attack.
    """
    if text in ATTACK_SETS:
        return ATTACK_SETS[text]
    try:
        return (str(parse_attack(text)),)
    except DatasetError as error:
        raise DatasetError(f"{error}; or a set: {', '.join(ATTACK_SETS)}") from None


def jpeg_qualities(attacks: Iterable[str]) -> dict[str, float]:
    """The attacks among these that are JPEG alone, and their qualities, from the lowest to the highest.

    Args:
        attacks: as `parse_attack` takes them.
    """
    parsed = {attack: parse_attack(attack) for attack in attacks}
    found = [
        (one.strength, attack)
        for attack, one in parsed.items()
        if isinstance(one, Attack) and one.name == "jpeg" and one.strength is not None
    ]
    return {attack: strength for strength, attack in sorted(found)}


def attack_seed(sample_id: str) -> int:
    """The seed of an image's attacks, for `apply_attack`: of its name alone.

    So every run and every model meets the same attacked image, and attacks that differ in strength alone crop or cover
    it about the same place.
    """
    return zlib.crc32(sample_id.encode(errors="surrogateescape"))


def apply_attack(
    image: "np.ndarray", attack: str | Attack | Combination, seed: int | Sequence[int] = 0
) -> "np.ndarray":
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
    import numpy as np

    from sealbench.datasets.attack_functions import FUNCTIONS
    from sealbench.datasets.sample import check_image

    check_image(image)
    parsed = parse_attack(attack) if isinstance(attack, str) else attack
    rng = np.random.default_rng(seed)
    for step in (parsed,) if isinstance(parsed, Attack) else parsed.steps:
        image = FUNCTIONS[step.name](image, step.strength or 0.0, rng)
    return image
