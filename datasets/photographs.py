"""The photographs inside the packages scikit-image and matplotlib: real pictures without a download."""

import importlib.util
import math
import zlib
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np

from sealbench.datasets.errors import DatasetError
from sealbench.datasets.images import read_image, resize
from sealbench.datasets.sample import Sample, check_count, check_image_size, check_role

_FOLDERS = {"skimage": "data", "matplotlib": "mpl-data/sample_data"}
_DISTRIBUTIONS = {"skimage": "scikit-image", "matplotlib": "matplotlib"}


@dataclass(frozen=True)
class Photograph:
    """One picture of an installed package.

    Attributes:
        name: what samples are called after.
        file: file name in the package's folder of pictures.
        role: calibration (training and quantization) or evaluation; fixed, so that no result was ever
            trained on.
        note: origin and licence as the package's documentation states them.
        package: the import name of the package that carries it.
        source: the scene; pictures of one scene share it and share a role.
    """

    name: str
    file: str
    role: str
    note: str
    package: str = "skimage"
    source: str = ""

    def __post_init__(self) -> None:
        if not self.source:
            object.__setattr__(self, "source", self.name)


# Evaluation keeps the pictures of everyday content whose sources are independent: five in colour, one in
# gray. Calibration keeps variety: objects, skin, stars and vessels in colour, and textures, flat ground and
# print in gray. Left out: drawings (color wheel, phantom, logos), and pictures that are nearly blank or small
# (clock, cell, text).
PHOTOGRAPHS = (
    Photograph("astronaut", "astronaut.png", "evaluation", "NASA; public domain"),
    Photograph("chelsea", "chelsea.png", "evaluation", "Stefan van der Walt; CC0"),
    Photograph("coffee", "coffee.png", "evaluation", "Rachel Michetti, Pikolo Espresso Bar; CC0"),
    Photograph("rocket", "rocket.jpg", "evaluation", "SpaceX; public domain"),
    Photograph("tissue", "ihc.png", "evaluation", "CMMI, stained colon; no known restrictions"),
    Photograph("camera", "camera.png", "evaluation", "Lav Varshney; CC0; gray"),
    Photograph("motorcycle", "motorcycle_left.png", "calibration", "Middlebury stereo 2014; no licence stated"),
    Photograph(
        "motorcycle_right",
        "motorcycle_right.png",
        "calibration",
        "the other eye of motorcycle",
        source="motorcycle",
    ),
    Photograph("hopper", "grace_hopper.jpg", "calibration", "matplotlib's sample data; no note", package="matplotlib"),
    Photograph("hubble", "hubble_deep_field.jpg", "calibration", "NASA, HubbleSite; public domain"),
    Photograph("retina", "retina.jpg", "calibration", "Mikael Haggstrom; CC0"),
    Photograph("brick", "brick.png", "calibration", "CC0Textures; CC0; gray"),
    Photograph("grass", "grass.png", "calibration", "linolafett on DeviantArt; CC0; gray"),
    Photograph("gravel", "gravel.png", "calibration", "CC0Textures; CC0; gray"),
    Photograph("coins", "coins.png", "calibration", "Brooklyn Museum; no known restrictions; gray"),
    Photograph("moon", "moon.png", "calibration", "no origin stated; gray"),
    Photograph("page", "page.png", "calibration", "scanned print; no origin stated; gray"),
)
_BY_NAME = {entry.name: entry for entry in PHOTOGRAPHS}


def photographs(role: str) -> tuple[str, ...]:
    """The names of the photographs of a role, in the order of the table.

    Raises:
        DatasetError: `role` is neither calibration nor evaluation.
    """
    check_role(role)
    return tuple(entry.name for entry in PHOTOGRAPHS if entry.role == role)


def photograph(name: str) -> np.ndarray:
    """One whole photograph at its native size.

    Args:
        name: a name of PHOTOGRAPHS.

    Returns:
        (H, W, 3) uint8, RGB, the caller's own copy.

    Raises:
        DatasetError: the name is unknown, or the package or its picture is not installed.
    """
    return _decoded(name).copy()


@lru_cache(maxsize=len(PHOTOGRAPHS))  # 22 MB when all of them are in use
def _decoded(name: str) -> np.ndarray:
    image = read_image(_path(name))
    image.setflags(write=False)  # shared by every caller
    return image


def _path(name: str) -> Path:
    if name not in _BY_NAME:
        raise DatasetError(f"photograph {name!r} is unknown; known are: {', '.join(_BY_NAME)}")
    entry = _BY_NAME[name]
    found = importlib.util.find_spec(entry.package)  # finds the folder without paying for the import
    if found is None or not found.submodule_search_locations:
        raise DatasetError(
            f"photograph {name!r} is part of {_DISTRIBUTIONS[entry.package]}, which is not installed; "
            f"install it: pip install {_DISTRIBUTIONS[entry.package]}"
        )
    path = Path(found.submodule_search_locations[0]) / _FOLDERS[entry.package] / entry.file
    if not path.is_file():
        raise DatasetError(
            f"{path}: the photograph {name!r} is missing from the installed package; expected the version in "
            f"the project's lock; install that one of {_DISTRIBUTIONS[entry.package]}"
        )
    return path


def photo_samples(role: str, image_size: tuple[int, int], count: int, seed: int = 0) -> list[Sample]:
    """Random crops of the photographs of a role, resized to one size.

    Sources alternate, so any count is balanced to within one. A crop has the aspect of `image_size`; its
    scale is drawn log-uniformly from native resolution to the largest that fits, its place uniformly. Where a
    picture is smaller than `image_size`, the largest crop is resized up, no further than needed; as little
    else can vary there, every second crop of that picture is mirrored. A crop depends on the seed, the
    picture and its number alone: a smaller count gives the beginning of a larger one.

    Args:
        role: calibration or evaluation.
        image_size: (height, width) in pixels.
        count: how many.
        seed: not negative; other seeds give other crops.

    Returns:
        Samples without a message; ids such as "astronaut-003".

    Raises:
        DatasetError: unknown role, impossible size or count, or a photograph that is not installed.
    """
    size = check_image_size(image_size)
    sources: dict[str, list[str]] = {}
    for name in photographs(role):
        sources.setdefault(_BY_NAME[name].source, []).append(name)
    samples = []
    for index in range(check_count(count)):
        cycle, which = divmod(index, len(sources))
        source, names = list(sources.items())[which]
        name = names[cycle % len(names)]  # the pictures of one scene alternate within the scene's own
        image = _crop(_decoded(name), size, np.random.default_rng([seed, zlib.crc32(name.encode()), cycle]), cycle)
        samples.append(Sample(f"{name}-{cycle:03d}", image, None, role, source, generated=False))
    return samples


def _crop(picture: np.ndarray, size: tuple[int, int], rng: np.random.Generator, cycle: int) -> np.ndarray:
    height, width = size
    rows, columns = picture.shape[:2]
    largest = min(rows / height, columns / width)
    scale = math.exp(rng.uniform(0.0, math.log(largest))) if largest > 1 else largest
    crop_rows = min(rows, max(1, round(height * scale)))
    crop_columns = min(columns, max(1, round(width * scale)))
    top = int(rng.integers(rows - crop_rows + 1))
    left = int(rng.integers(columns - crop_columns + 1))
    crop = picture[top : top + crop_rows, left : left + crop_columns]
    if largest <= 1 and cycle % 2:
        crop = crop[:, ::-1]
    return resize(crop, height, width)
