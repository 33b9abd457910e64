"""Variant cards: what each detector is. Imports no torch, so that `--help` and errors come at once."""

import tomllib
from dataclasses import dataclass, fields
from functools import cache
from pathlib import Path
from typing import Any

from converters.errors import UnknownNameError

CARDS = Path(__file__).parent / "cards"


@dataclass(frozen=True)
class DetectorCard:
    """Architecture of a ConvNeXt V2 detector.

    Attributes:
        depths: blocks in each of the four stages.
        dims: channels of each stage.
        stem_stride: stride in pixels of the 4 x 4 stem.
    """

    depths: tuple[int, ...]
    dims: tuple[int, ...]
    stem_stride: int

    @property
    def smallest_side(self) -> int:
        """Smallest image side in pixels.

        The last stage must keep 2 pixels a side: the decoder's reflection padding by 1 needs them.
        """
        stem_side = 2 * 2 ** (len(self.dims) - 1)  # each later stage halves the side
        return (stem_side - 1) * self.stem_stride + 4  # the stem's kernel is 4


@dataclass(frozen=True)
class EmbedderCard:
    """Architecture of a UNet embedder; see `converters.models.unet.UNetEmbedder`."""

    hidden_size: int
    channels: int
    widths: tuple[int, ...]
    num_blocks: int
    upsampling: str


@dataclass(frozen=True)
class Blending:
    """How a watermark is laid on an image; see `converters.models.watermarker.Watermarker`."""

    jnd_in_channels: int
    jnd_out_channels: int
    scaling_w: float


@dataclass(frozen=True)
class Variant:
    """One published (or bundled) watermark model.

    Attributes:
        name: as on the command line and in every table.
        task: `watermark`.
        nbits: message length in bits.
        image_size: side in pixels at which the networks were trained.
        detector, embedder, blending: architecture parameters.
        official_weights: address of the publisher's checkpoint, if there is one.
        bundled_weights: name of the file in converters/weights, if the model is shipped here.
    """

    name: str
    task: str
    nbits: int
    image_size: int
    detector: DetectorCard
    embedder: EmbedderCard
    blending: Blending
    official_weights: str | None = None
    bundled_weights: str | None = None


def variant_names() -> tuple[str, ...]:
    """Names of all cards, sorted."""
    return tuple(sorted(path.stem for path in CARDS.glob("*.toml")))


@cache
def get_variant(name: str) -> Variant:
    """Read the card called `name`.

    Raises:
        UnknownNameError: there is no such card.
    """
    if name not in variant_names():
        raise UnknownNameError("variant", name, variant_names())
    card = tomllib.loads((CARDS / f"{name}.toml").read_text(encoding="utf-8"))
    parts = {
        "detector": _frozen(DetectorCard, card.pop("detector")),
        "embedder": _frozen(EmbedderCard, card.pop("embedder")),
        "blending": _frozen(Blending, card.pop("blending")),
    }
    return Variant(name=name, **parts, **card)


def _frozen(kind: type, table: dict[str, Any]) -> Any:
    """An instance of the dataclass `kind` from a TOML table; lists become tuples, so that it is hashable."""
    known = {field.name for field in fields(kind)}
    if set(table) != known:
        raise ValueError(f"{kind.__name__}: expected the keys {sorted(known)}, found {sorted(table)}")
    return kind(**{key: tuple(value) if isinstance(value, list) else value for key, value in table.items()})
