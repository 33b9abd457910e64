"""`sealbench power RUN_DIR`: how small a loss of bits McNemar's test finds, and how often it raises a false alarm.

Simulated on the logits that a run has recorded. A trial draws images of a file with replacement. Of each image the file
and PyTorch change places or not, as a coin falls: so the flips of the quantization stay, and stay together, but are no
loss in the mean. Then a loss is planted: each bit that is read right is turned into a wrong one with a small chance.
A trial finds the loss where the p-value is below 0.05; without a planted loss that is a false alarm.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from sealbench.reports.errors import ReportError
from sealbench.reports.run.samples import load_samples, of_files
from sealbench.reports.schema.formatting import precision_name
from sealbench.reports.schema.tables import BITS
from sealbench.reports.statistics.bits import agreeing_bits, correct_bits
from sealbench.reports.statistics.flips import mcnemar_pvalue, negative_flips, positive_flips
from sealbench.reports.statistics.intervals import Interval, proportion_interval

ALPHA = 0.05
SEED = 0
_FILE = ["variant", "precision", "rewrites", "image_size"]


@dataclass(frozen=True)
class Power:
    """How often a planted loss was found in a file.

    Attributes:
        variant, precision, rewrites, image_size: the file.
        flips_pct: share of its bits that PyTorch decides otherwise.
        lost_pct: of the bits that are right, how many were turned wrong on purpose, in percent.
        found: trials that found a loss.
        trials: how many there were.
    """

    variant: str
    precision: str
    rewrites: str
    image_size: str
    flips_pct: float
    lost_pct: float
    found: int
    trials: int

    @property
    def interval(self) -> Interval:
        """The exact 95 % interval of the share of trials that find it."""
        interval = proportion_interval(self.found, self.trials, "exact")
        assert interval is not None
        return interval


def finds(
    logits: np.ndarray, reference: np.ndarray, messages: np.ndarray, lost: float, images: int, trials: int, seed: int
) -> int:
    """How many trials find a planted loss; the module says what a trial is.

    Args:
        logits, reference: (n, nbits) of the file and of PyTorch on the same images.
        messages: (n, nbits) of 0 and 1.
        lost: the chance with which a right bit is turned wrong, 0 to 1.
        images: that a trial draws.
        trials: how many.
        seed: of all draws.

    Raises:
        ValueError: the shapes differ, or there are no images.
    """
    correct_bits(logits, messages)  # checks the shapes
    random = np.random.default_rng(seed)
    found = 0
    for _ in range(trials):
        drawn = random.integers(len(logits), size=images)
        swapped = random.random((images, 1)) < 0.5
        file = np.where(swapped, reference[drawn], logits[drawn])  # (images, nbits)
        other = np.where(swapped, logits[drawn], reference[drawn])
        planted = correct_bits(file, messages[drawn]) & (random.random(file.shape) < lost)
        file = np.where(planted, np.where(messages[drawn] > 0, -1.0, 1.0), file)
        negative, positive = (
            int(flips(file, other, messages[drawn]).sum()) for flips in (negative_flips, positive_flips)
        )
        found += mcnemar_pvalue(negative, positive) < ALPHA
    return found


def study(run_dir: Path, attack: str, losses_pct: Sequence[float], images: int, trials: int) -> list[Power]:
    """Every file of a run with every loss.

    Args:
        run_dir: a run's folder.
        attack: whose images are taken, as the run has recorded it.
        losses_pct: to plant, in percent of the bits that are right; 0 for false alarms.
        images: that a trial draws.
        trials: of each file and loss.

    Raises:
        ReportError: the run has no bits of watermarked images under this attack, or cannot be read.
    """
    bits = load_samples(run_dir, BITS)
    rows = of_files(bits[bits["message"].notna()])
    if attack not in set(rows["attack"]):
        known = ", ".join(dict.fromkeys(rows["attack"])) or "none was measured"
        raise ReportError(f"{run_dir}: no bits of watermarked images under attack {attack!r}; found: {known}")
    powers = []
    for names, group in rows[rows["attack"] == attack].groupby([*_FILE, "backend"], sort=False):
        variant, precision, rewrites, size, _ = map(str, names)
        samples = group["sample"].nunique()
        logits, reference, messages = (
            group[column].to_numpy(np.float64).reshape(samples, -1)
            for column in ("logit", "reference_logit", "message")
        )
        flips_pct = 100 * float(1 - agreeing_bits(logits, reference).mean())
        for lost_pct in losses_pct:
            found = finds(logits, reference, messages, lost_pct / 100, images, trials, SEED)
            powers.append(Power(variant, precision, rewrites, size, flips_pct, lost_pct, found, trials))
    return powers


def print_powers(powers: Sequence[Power]) -> None:
    """A table: a row for each file, a column for each loss."""
    from rich import box
    from rich.console import Console
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("file")
    table.add_column("flips %", justify="right")
    by_file: dict[str, list[Power]] = {}
    for power in powers:
        name = f"{power.variant} {power.image_size} {precision_name(power.precision, power.rewrites)}"
        by_file.setdefault(name, []).append(power)
    for power in next(iter(by_file.values())):
        heading = f"{power.lost_pct:g} % lost, found %" if power.lost_pct else "nothing lost, found %"
        table.add_column(heading, justify="right")
    for name, found in by_file.items():
        cells = (
            f"{100 * power.found / power.trials:.1f} [{100 * power.interval.low:.1f}, {100 * power.interval.high:.1f}]"
            for power in found
        )
        table.add_row(name, f"{found[0].flips_pct:.3f}", *cells)
    console = Console()
    (console if console.is_terminal else Console(width=160)).print(table)
