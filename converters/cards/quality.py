"""Cards of video quality models: networks of UVQ 1.5."""

from dataclasses import dataclass, field
from typing import Any

from sealbench.converters.cards.card import card_tables, from_table
from sealbench.converters.errors import CardError

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

    @property
    def own_weights(self) -> None:
        """None: a source is named."""
        return


def quality_cards() -> dict[str, QualityVariant]:
    """The bundled quality models by name, sorted.

    Raises:
        CardError: see `quality_card`.
    """
    return {name: quality_card(name, table, f"{name}.toml") for name, table in card_tables("quality").items()}


def quality_card(name: str, table: dict[str, Any], place: str) -> QualityVariant:
    """A card of the name from the content of its file.

    Args:
        name: of the variant.
        table: as TOML gives it.
        place: the file, for messages.

    Raises:
        CardError: it has other keys or values than its class, or there is no such network.
    """
    card = from_table(QualityVariant, {"name": name, **table}, place)
    if card.parts != PARTS and (len(card.parts) != 1 or card.parts[0] not in PARTS):
        raise CardError(
            f"{place}: parts are {list(card.parts)}; expected one of {', '.join(PARTS)}, or all in this order"
        )
    return card
