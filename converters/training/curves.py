"""`python -m sealbench.converters.training.curves DIR --out FILE.png`: the curves of a training as a small picture."""

import argparse
import csv
import sys
from pathlib import Path

from sealbench.converters.training.checkpoint import TrainingError
from sealbench.converters.training.loop import CURVES

_PANELS = (
    ("loss", "loss"),
    ("bit_accuracy", "bit accuracy, attacked"),
    ("psnr_db", "PSNR, dB"),
    ("confidence_accuracy", "confidence accuracy"),
)


def read_curves(path: Path) -> list[dict[str, str]]:
    """Rows of a curves.csv.

    Raises:
        TrainingError: no such file, or it holds no step.
    """
    if not path.is_file():
        raise TrainingError(f"{path}: no such file; expected the log of a training")
    with path.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    if not rows:
        raise TrainingError(f"{path}: holds no step yet")
    return rows


def plot(logs: list[list[dict[str, str]]], out: Path) -> None:
    """Draw one or more trainings, one after the other on one axis of steps, as a PNG of about 40 kB."""
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot as plt

    figure, axes = plt.subplots(2, 2, figsize=(8, 5), sharex=True)
    offset = 0
    for rows in logs:
        steps = [offset + int(row["step"]) for row in rows]
        for axis, (column, title) in zip(axes.flat, _PANELS, strict=True):
            axis.plot(steps, [float(row[column]) for row in rows], linewidth=1, color="tab:blue")
            axis.set_title(title, fontsize=9)
            axis.axvline(offset, color="0.8", linewidth=0.8)
        previous = None
        for step, row in zip(steps, rows, strict=True):
            if row["phase"] != previous:
                axes[0, 0].annotate(row["phase"], (step, 0.98), xycoords=("data", "axes fraction"), fontsize=6,
                                    rotation=90, va="top")  # fmt: skip
                previous = row["phase"]
        offset = steps[-1]
    for axis in axes[1]:
        axis.set_xlabel("steps", fontsize=8)
    figure.tight_layout()
    figure.savefig(out, dpi=80)
    plt.close(figure)


def main(argv: list[str] | None = None) -> int:
    """Run the command; returns 0, or 2 for what the user can fix."""
    parser = argparse.ArgumentParser(prog="python -m sealbench.converters.training.curves", description=__doc__)
    parser.add_argument("folders", nargs="+", type=Path, metavar="DIR", help="output folders, in the order of training")
    parser.add_argument("--out", type=Path, required=True, metavar="FILE", help="the picture, .png")
    options = parser.parse_args(argv)
    try:
        plot([read_curves(folder / CURVES) for folder in options.folders], options.out)
    except TrainingError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
