"""Show how small a loss of bits is found in the logits that a run recorded."""

import argparse
from collections.abc import Sequence
from pathlib import Path

from sealbench.converters.command_line import require_at_least
from sealbench.converters.shared_options import add_samples
from sealbench.reports.run.directory import DEFAULT_ROOT
from sealbench.reports.schema.records import NO_ATTACK

LOSSES_PCT = (0.0, 0.1, 0.2, 0.5)
SAMPLES, TRIALS = 200, 400


def parse_arguments(arguments: Sequence[str]) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(
        prog="sealbench power",
        description="How small a loss of bits McNemar's test finds, simulated on the logits that a run has recorded.",
    )
    parser.add_argument(
        "run_dir",
        type=Path,
        nargs="?",
        default=DEFAULT_ROOT / "latest",
        metavar="RUN_DIR",
        help="(default: %(default)s)",
    )
    parser.add_argument("--attack", default=NO_ATTACK, metavar="NAME:STRENGTH", help="whose images (%(default)s)")
    parser.add_argument(
        "--loss",
        type=float,
        action="append",
        metavar="PERCENT",
        help=f"may be repeated ({', '.join(map(str, LOSSES_PCT))})",
    )
    add_samples(parser.add_argument, SAMPLES, "images that a trial draws")
    parser.add_argument("--trials", type=int, default=TRIALS, metavar="N", help="of each file and loss (%(default)s)")
    options = parser.parse_args(arguments)
    require_at_least(parser, options, {"samples": 1, "trials": 1})
    for loss in options.loss or ():
        if not 0 <= loss <= 100:
            parser.error(f"--loss {loss}: expected a percentage from 0 to 100")
    return options


def main(arguments: Sequence[str]) -> int:
    """Run the command; returns its exit code: 0."""
    options = parse_arguments(arguments)
    from sealbench.bench.analysis.power import print_powers, study

    losses = options.loss or LOSSES_PCT
    print_powers(study(options.run_dir, options.attack, losses, options.samples, options.trials))
    return 0
