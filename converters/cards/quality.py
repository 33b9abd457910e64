"""Cards of video quality models: networks of UVQ 1.5."""

from dataclasses import dataclass, field

from sealbench.converters.cards.card import card_tables, from_table

PARTS = ("content", "distortion", "aggregation")  # the networks, in the order in which a frame runs through them


@dataclass(frozen=True)
class QualityVariant:
    """A network of UVQ 1.5, or several in a chain; a `Card`.

    Attributes:
        name: as on the command line and in every table.
        task: `quality`.
        image_size: of its images, like `256` or `1080x1920`.
        parts: its networks, of `content`, `distortion` and `aggregation`; one, or all three in this order.
        official_weights, official_sha256, bundled_weights: see `Card`.
        architecture: `uvq`.
    """

    name: str
    task: str
    image_size: str
    parts: tuple[str, ...]
    official_weights: str | None = None
    official_sha256: str | None = None
    bundled_weights: str | None = None
    architecture: str = field(default="uvq", init=False)

    @property
    def family(self) -> str:
        """`quality`."""
        return "quality"


def quality_cards() -> dict[str, QualityVariant]:
    """The bundled quality models by name, sorted."""
    return {name: from_table(QualityVariant, {"name": name, **table}) for name, table in card_tables("quality").items()}
