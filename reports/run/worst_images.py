"""The images that each file reads worst, with what reproduces them."""

from collections.abc import Callable
from pathlib import Path

import pandas as pd

from sealbench.reports.run.samples import load_samples
from sealbench.reports.schema.records import NO_ATTACK
from sealbench.reports.schema.tables import BITS, SAMPLE_CASE_COLUMNS, WORST_IMAGES
from sealbench.reports.statistics.bits import agreeing_bits, correct_bits
from sealbench.reports.statistics.flips import negative_flips

MOST_IMAGES = 10
_FILE = [*SAMPLE_CASE_COLUMNS, "attack"]


def worst_images(bits: pd.DataFrame, attack_seed: Callable[[str], int] | None = None) -> pd.DataFrame:
    """Find the worst watermarked images of each file under each attack.

    An image is worse with more bits that flip from the PyTorch reference's, then with more wrong bits, then with a
    larger error of its logits. To reproduce one: it is named in the dataset, the message is what it carries, attack and
    seed are what `sealbench.datasets.attacks.apply_attack` takes, its logits are in samples/bits.csv, and
    environment.json has the fingerprints of weights and data.

    Args:
        bits: What `load_samples` gives of BITS.
        attack_seed: Gives the seed of an image's attacks by its name in the dataset.

    Returns:
        The columns of WORST_IMAGES, at most MOST_IMAGES rows for each file and attack, rank 1 the worst. `message` has
        a digit for each bit; `logits_rmse` is to the reference, infinite where a logit is NaN; `attack_seed` is
        a number as text, "" without an attack or where it is unknown.
    """
    rows = bits[bits["message"].notna() & (bits["backend"] != "torch")]
    logits, reference, messages = (rows[name].to_numpy() for name in ("logit", "reference_logit", "message"))
    error = (rows["logit"] - rows["reference_logit"]) ** 2
    image = [*_FILE, "sample"]
    per_image = (
        rows[image]
        .assign(
            flips=~agreeing_bits(logits, reference),
            negative_flips=negative_flips(logits, reference, messages),
            wrong_bits=~correct_bits(logits, messages),
            logits_rmse=error.fillna(float("inf")),
            message=rows["message"].map("{:.0f}".format),
        )
        .groupby(image, sort=False)
        .agg(
            {
                "flips": "sum",
                "negative_flips": "sum",
                "wrong_bits": "sum",
                "logits_rmse": "mean",
                "message": "".join,
            }
        )
        .reset_index()
    )
    per_image["logits_rmse"] **= 0.5
    per_image = per_image.sort_values(["flips", "wrong_bits", "logits_rmse"], ascending=False, kind="stable")
    per_image["attack_seed"] = [
        "" if attack == NO_ATTACK or attack_seed is None else str(attack_seed(sample.partition("/")[2]))
        for attack, sample in zip(per_image["attack"], per_image["sample"], strict=True)
    ]
    per_image["rank"] = per_image.groupby(_FILE, sort=False).cumcount() + 1
    worst = per_image[per_image["rank"] <= MOST_IMAGES].sort_values([*_FILE, "rank"], kind="stable")
    return worst[list(WORST_IMAGES.names)].reset_index(drop=True)


def write_worst_images(run_dir: Path, attack_seed: Callable[[str], int] | None = None) -> Path:
    """Write the table of a run.

    Args:
        run_dir: The run's folder.
        attack_seed: See `worst_images`.

    Returns:
        The file.

    Raises:
        ReportError: The samples cannot be read, or the file cannot be written.
    """
    rows = worst_images(load_samples(run_dir, BITS), attack_seed)
    return WORST_IMAGES.write(run_dir, rows.itertuples(index=False, name=None))
