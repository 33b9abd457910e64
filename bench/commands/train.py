"""Train the small bundled model, or continue from given weights."""

import argparse
import math
from collections.abc import Sequence

from sealbench.converters.command_line import require_at_least
from sealbench.converters.families.watermark import get_variant, variant_names
from sealbench.converters.shared_options import add_out, add_variant
from sealbench.converters.training.recipe import RECIPES


def main(arguments: Sequence[str]) -> int:
    """Run the command; returns 0, or 130 where it was stopped by a signal."""
    options = parse_arguments(arguments)
    variant = get_variant(options.variant)
    from sealbench.converters.training.command import run

    return run(
        variant,
        recipe_name=options.recipe,
        init=options.init,
        out=options.out,
        resume=options.resume,
        minutes=options.minutes,
        threads=options.threads,
    )


def parse_arguments(arguments: Sequence[str]) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(
        prog="sealbench train",
        description="Trains a watermark model on the calibration photographs and generated images.",
    )
    add_out(
        parser.add_argument,
        "folder for checkpoint.pt (to resume), weights.safetensors (to use or ship) and curves.csv",
        required=True,
    )
    add_variant(parser.add_argument, variant_names(), "videoseal_nano")
    parser.add_argument(
        "--recipe",
        choices=sorted(RECIPES),
        help="default: fine-tune with --init, else from-nothing-long on a GPU and from-nothing on a CPU",
    )
    parser.add_argument("--init", metavar="WEIGHTS", help="start from these: `bundled` or the path of a checkpoint")
    parser.add_argument("--resume", action="store_true", help="go on from the checkpoint in --out")
    parser.add_argument("--minutes", type=float, default=math.inf, help="stop after so long; --resume continues")
    parser.add_argument("--threads", type=int, metavar="N", help="CPU threads (default: PyTorch's choice)")
    options = parser.parse_args(arguments)
    require_at_least(parser, options, {"minutes": 0, "threads": 1})
    return options
