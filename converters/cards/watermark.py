"""Cards of watermark models: an embedder and a detector."""

from dataclasses import dataclass, field
from typing import Any, get_args

from sealbench.converters.cards.card import card_tables, from_table
from sealbench.converters.errors import CardError


@dataclass(frozen=True)
class ConvNeXtCard:
    """Architecture of a ConvNeXt V2 detector; see `sealbench.converters.models.convnext.ConvNeXtDetector`.

    Attributes:
        depths: blocks in each of the four stages.
        dims: channels of each stage.
        stem_stride: stride in pixels of the 4 x 4 stem.
        architecture: `convnext`.

    Raises:
        ValueError: the stages differ in number.
    """

    depths: tuple[int, ...]
    dims: tuple[int, ...]
    stem_stride: int
    architecture: str = field(default="convnext", init=False)

    def __post_init__(self) -> None:
        if len(self.depths) != len(self.dims):
            raise ValueError(f"depths of {len(self.depths)} stages and dims of {len(self.dims)}; expected as many")

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
        official_sha256: of that checkpoint, if it is known; else the first download is pinned.
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
    official_sha256: str | None = None
    bundled_weights: str | None = None

    def __post_init__(self) -> None:
        if isinstance(self.detector, ViTCard) and self.detector.smallest_side != self.image_size:
            raise ValueError(
                f"{self.name}: image_size {self.image_size}; expected grid * patch_size = {self.detector.smallest_side}"
            )

    @property
    def family(self) -> str:
        """`watermark`."""
        return "watermark"

    @property
    def own_weights(self) -> None:
        """None: a source is named."""
        return

    @property
    def architecture(self) -> str:
        """`convnext` or `vit`, of the detector."""
        return self.detector.architecture


def watermark_cards() -> dict[str, Variant]:
    """The bundled watermark models by name, sorted.

    Raises:
        CardError: see `watermark_card`.
    """
    return {name: watermark_card(name, table, f"{name}.toml") for name, table in card_tables("watermark").items()}


def watermark_card(name: str, table: dict[str, Any], place: str) -> Variant:
    """A card of the name from the content of its file.

    Args:
        name: of the variant.
        table: as TOML gives it.
        place: the file, for messages.

    Raises:
        CardError: it has other keys or values than its class, or its detector is of an unknown architecture.
    """
    rest = dict(table)
    parts = {part: _table(rest, part, place) for part in ("detector", "embedder", "blending")}
    architecture = parts["detector"].pop("architecture", "")
    if architecture not in _DETECTOR_CARDS:
        raise CardError(
            f"{place}, detector: unknown architecture {architecture!r}; known: {', '.join(_DETECTOR_CARDS)}"
        )
    kinds = {"detector": _DETECTOR_CARDS[architecture], "embedder": EmbedderCard, "blending": Blending}
    made = {part: from_table(kinds[part], parts[part], f"{place}, {part}") for part in parts}
    return from_table(Variant, {"name": name, **made, **rest}, place)


def _table(card: dict[str, Any], key: str, place: str) -> dict[str, Any]:
    """Take a table out of a card; a copy."""
    found = card.pop(key, None)
    if not isinstance(found, dict):
        raise CardError(f"{place}: found {'no' if found is None else 'no table'} {key}; expected a table [{key}]")
    return dict(found)
