"""Variant cards: what each detector is. Imports no torch, so that `--help` and errors come at once."""

import tomllib
from collections.abc import Callable
from dataclasses import MISSING, dataclass, field, fields
from functools import cache
from pathlib import Path
from typing import Any, ClassVar, Protocol, get_args

from sealbench.converters.errors import UnknownNameError, WrongTaskError

CARDS = Path(__file__).parent


@dataclass(frozen=True)
class ConvNeXtCard:
    """Architecture of a ConvNeXt V2 detector; see `sealbench.converters.models.convnext.ConvNeXtDetector`.

    Attributes:
        depths: blocks in each of the four stages.
        dims: channels of each stage.
        stem_stride: stride in pixels of the 4 x 4 stem.
        architecture: `convnext`.
    """

    depths: tuple[int, ...]
    dims: tuple[int, ...]
    stem_stride: int
    architecture: str = field(default="convnext", init=False)

    @property
    def smallest_side(self) -> int:
        """Smallest image side in pixels.

        The last stage must keep 2 pixels a side: the decoder's reflection padding by 1 needs them.
        """
        stem_side = 2 * 2 ** (len(self.dims) - 1)  # each later stage halves the side
        return (stem_side - 1) * self.stem_stride + 4  # the stem's kernel is 4


@dataclass(frozen=True)
class ViTCard:
    """Architecture of a vision transformer detector; see `sealbench.converters.models.vit.ImageEncoderViT`.

    Attributes:
        grid: tokens a side; position embeddings are learned for each, so that no other grid is possible.
        patch_size: side in pixels of a token's patch.
        dim: channels of a token.
        depth: number of blocks.
        heads: of each attention.
        mlp_ratio: hidden over outer channels of each perceptron.
        window_size: side in tokens of the squares within which attention works.
        global_blocks: indices of the blocks whose attention works on the whole image.
        out_channels: channels of the features.
        architecture: `vit`.

    Raises:
        ValueError: windows do not fill the grid, or heads do not share the channels.
    """

    grid: int
    patch_size: int
    dim: int
    depth: int
    heads: int
    mlp_ratio: int
    window_size: int
    global_blocks: tuple[int, ...]
    out_channels: int
    architecture: str = field(default="vit", init=False)

    def __post_init__(self) -> None:
        for whole, part in (("grid", "window_size"), ("dim", "heads")):
            if getattr(self, whole) % getattr(self, part):
                raise ValueError(f"ViTCard: expected {whole} {getattr(self, whole)} to be a multiple of {part}")

    @property
    def smallest_side(self) -> int:
        """The one image side in pixels that fits the grid."""
        return self.grid * self.patch_size


# To add an architecture, add its card here and what it builds in `models/build.py`.
DetectorCard = ConvNeXtCard | ViTCard
_DETECTOR_CARDS = {kind.architecture: kind for kind in get_args(DetectorCard)}


@dataclass(frozen=True)
class EmbedderCard:
    """Architecture of a UNet embedder; see `sealbench.converters.models.unet.UNetEmbedder`."""

    hidden_size: int
    channels: int
    widths: tuple[int, ...]
    num_blocks: int
    upsampling: str
    normalization: str = "batch"
    activation: str = "relu"


@dataclass(frozen=True)
class Blending:
    """How a watermark is laid on an image; see `sealbench.converters.models.watermarker.Watermarker`.

    Attributes:
        jnd_in_channels, jnd_out_channels: of the map that attenuates the watermark
            (`sealbench.converters.models.jnd.JND`); 0 where nothing does.
        scaling_w: strength of the watermark.
    """

    jnd_in_channels: int
    jnd_out_channels: int
    scaling_w: float


class Card(Protocol):
    """One published (or bundled) model of any family: what all of them say of themselves."""

    __dataclass_fields__: ClassVar[dict[str, Any]]

    @property
    def name(self) -> str:
        """As on the command line and in every table."""

    @property
    def task(self) -> str:
        """What it is for; `sealbench.converters.families` and `sealbench.bench.tasks` know more of it."""

    @property
    def architecture(self) -> str:
        """Names the rewrites that find something in it."""

    @property
    def official_weights(self) -> str | None:
        """Address of the publisher's checkpoint, if there is one."""

    @property
    def bundled_weights(self) -> str | None:
        """Name of the file in converters/weights, if the model is shipped here."""


@dataclass(frozen=True)
class Variant:
    """One published (or bundled) watermark model; a `Card`.

    Attributes:
        name: as on the command line and in every table.
        task: `watermark`.
        nbits: message length in bits.
        image_size: side in pixels at which the networks were trained.
        detector, embedder, blending: architecture parameters.
        official_weights: address of the publisher's checkpoint, if there is one.
        bundled_weights: name of the file in converters/weights, if the model is shipped here.

    Raises:
        ValueError: the detector takes one image size only, and it is another.
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

    def __post_init__(self) -> None:
        if isinstance(self.detector, ViTCard) and self.detector.smallest_side != self.image_size:
            raise ValueError(
                f"{self.name}: image_size {self.image_size}; expected grid * patch_size = {self.detector.smallest_side}"
            )

    @property
    def architecture(self) -> str:
        """`convnext` or `vit`, of the detector."""
        return self.detector.architecture


@dataclass(frozen=True)
class QualityVariant:
    """A network of UVQ 1.5, or several in a chain; a `Card`.

    Attributes:
        name: as on the command line and in every table.
        task: `quality`.
        image_size: of the images it looks at, like `256` or `1080x1920`.
        parts: its networks, of `content`, `distortion` and `aggregation`; one, or all three in this order.
        official_weights, bundled_weights: see `Card`.
        architecture: `uvq`.
    """

    name: str
    task: str
    image_size: str
    parts: tuple[str, ...]
    official_weights: str | None = None
    bundled_weights: str | None = None
    architecture: str = field(default="uvq", init=False)


def card_names() -> tuple[str, ...]:
    """Names of all cards, sorted."""
    return tuple(sorted(path.stem for path in CARDS.glob("*.toml")))


def variant_names() -> tuple[str, ...]:
    """Names of the watermark models, sorted."""
    return tuple(name for name in card_names() if isinstance(get_card(name), Variant))


def get_variant(name: str) -> Variant:
    """The watermark model called `name`.

    Raises:
        UnknownNameError: there is no such card, or its detector is of an unknown architecture.
        WrongTaskError: it is a model of another task.
    """
    if name not in card_names():
        raise UnknownNameError("variant", name, variant_names())
    card = get_card(name)
    if not isinstance(card, Variant):
        raise WrongTaskError(
            f"variant {name!r} is a model of the task {card.task}; expected one for watermarks: "
            f"{', '.join(variant_names())}"
        )
    return card


@cache
def get_card(name: str) -> Card:
    """Read the card called `name`, of whatever task.

    Raises:
        UnknownNameError: there is no such card, or it is of an unknown task or architecture.
    """
    if name not in card_names():
        raise UnknownNameError("variant", name, card_names())
    card = tomllib.loads((CARDS / f"{name}.toml").read_text(encoding="utf-8"))
    if card.get("task") not in _KINDS:
        raise UnknownNameError("task", str(card.get("task")), tuple(_KINDS))
    return _KINDS[card["task"]](name, card)


def _watermark_card(name: str, card: dict[str, Any]) -> Card:
    detector = card.pop("detector")
    architecture = detector.pop("architecture", "")
    if architecture not in _DETECTOR_CARDS:
        raise UnknownNameError("architecture", architecture, tuple(_DETECTOR_CARDS))
    parts = {
        "detector": _frozen(_DETECTOR_CARDS[architecture], detector),
        "embedder": _frozen(EmbedderCard, card.pop("embedder")),
        "blending": _frozen(Blending, card.pop("blending")),
    }
    return Variant(name=name, **parts, **card)


def _quality_card(name: str, card: dict[str, Any]) -> Card:
    read: QualityVariant = _frozen(QualityVariant, {"name": name, **card})
    return read


_KINDS: dict[str, Callable[[str, dict[str, Any]], Card]] = {"watermark": _watermark_card, "quality": _quality_card}


def _frozen(kind: type, table: dict[str, Any]) -> Any:
    """An instance of the dataclass `kind` from a TOML table; lists become tuples, so that it is hashable."""
    known = {part.name for part in fields(kind) if part.init}
    needed = {part.name for part in fields(kind) if part.init and part.default is MISSING}
    if not needed <= set(table) <= known:
        raise ValueError(f"{kind.__name__}: expected the keys {sorted(known)}, found {sorted(table)}")
    return kind(**{key: tuple(value) if isinstance(value, list) else value for key, value in table.items()})
