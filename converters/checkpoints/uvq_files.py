"""Which files hold the values of UVQ's networks. Imports no torch."""

from pathlib import Path

from sealbench.converters.cards.quality import PARTS, QualityVariant
from sealbench.converters.errors import WeightsError

SUFFIXES = (".pth", ".safetensors")


def checkpoint_files(card: QualityVariant, path: Path) -> dict[str, Path]:
    """Checkpoints by the name of their network.

    ContentNet's and DistortionNet's fit each other: their names tell them apart.

    Raises:
        WeightsError: one is missing.
    """
    if path.is_file() and len(card.parts) == 1:
        return {card.parts[0]: path}
    # AggregationNet reads what the other two give: a folder holds them as well.
    needed = PARTS if "aggregation" in card.parts else card.parts
    expected = ", ".join(f"{part}_net.pth" for part in needed)
    if not path.is_dir():
        found = "a file" if path.exists() else "no such file or folder"
        raise WeightsError(f"{path}: {found}; expected for {card.name} a folder with {expected}")
    files = {part: [path / f"{part}_net{suffix}" for suffix in SUFFIXES] for part in needed}
    present = {part: next((file for file in some if file.is_file()), None) for part, some in files.items()}
    if missing := [f"{part}_net.pth" for part, file in present.items() if file is None]:
        raise WeightsError(f"{path}: no {', '.join(missing)} in this folder; expected for {card.name}: {expected}")
    return {part: file for part, file in present.items() if file is not None}
