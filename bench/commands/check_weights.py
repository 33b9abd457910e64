"""Verify a publisher's checkpoint, compare it with upstream's logits, measure it, and show the limits that follow."""

import argparse
import shlex
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from sealbench.bench.analysis.run_limits import run_limits, table
from sealbench.bench.errors import BenchError
from sealbench.converters.cards.watermark import Variant
from sealbench.converters.checkpoints.weights import Weights
from sealbench.converters.command_line import check_folder
from sealbench.converters.export.precisions import PRECISIONS
from sealbench.converters.families.watermark import get_variant, variant_names
from sealbench.converters.families.weight_sources import find_weights
from sealbench.converters.shared_options import add_out, add_precisions, add_weights, precisions_of
from sealbench.reports.gates.judge import EXIT_FAIL, EXIT_INCONCLUSIVE, EXIT_PASS, gates_of_run
from sealbench.reports.run.directory import DEFAULT_ROOT
from sealbench.reports.run.reader import load_results

FINISHED = {EXIT_PASS, EXIT_FAIL, EXIT_INCONCLUSIVE}


class ChecksumError(BenchError):
    """A checkpoint that is not the one that its card names."""


def parse_arguments(arguments: Sequence[str]) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(
        prog="sealbench check-weights",
        usage="sealbench check-weights VARIANT [options] [-- options of sealbench bench]",
        description="Download a variant's published checkpoint, or take the file: verify its sha256, load it strictly, "
        "compare the model with upstream's own logits, measure every precision, and show the limits that this run "
        "would pass.",
        epilog="FILE.npz holds images (N, H, W, 3), uint8 or floating point in [0, 1], and logits (N, 1 + bits), what "
        "upstream's detect() gives for them. What follows -- is handed to the bench, such as -- --samples 100. "
        "Exit code: that of the bench; 1 where the logits differ; 2 where the input is wrong.",
    )
    parser.add_argument("variant", metavar="VARIANT", help=f"one of: {', '.join(variant_names())}")
    add_weights(parser.add_argument, "the variant; here the default is official")
    parser.add_argument("--logits", type=Path, metavar="FILE.npz", help="upstream's own logits of some pictures")
    add_precisions(parser.add_argument, tuple(PRECISIONS))
    add_out(parser.add_argument, "folder of the run (default: ./sealbench-runs/check-weights-VARIANT)")
    place = arguments.index("--") if "--" in arguments else len(arguments)
    options = parser.parse_args(arguments[:place])
    options.bench = arguments[place + 1 :]
    return options


def main(arguments: Sequence[str]) -> int:
    """Run the command; returns the bench's exit code, or 1 where the logits differ from upstream's."""
    options = parse_arguments(arguments)
    variant = get_variant(options.variant)
    precisions = precisions_of(options.precision) or tuple(PRECISIONS.values())
    out = options.out or DEFAULT_ROOT / f"check-weights-{variant.name}"
    check_folder(out, "--out")
    source = options.weights or "official"
    from sealbench.bench.analysis.upstream_logits import compare_logits, read_logits

    upstream = None if options.logits is None else read_logits(options.logits, variant.nbits)
    weights = find_weights(variant, source)  # after the options, because it downloads
    for line in verify(variant, weights):
        print(line, flush=True)
    from sealbench.converters.checkpoints.loading import load_watermarker

    watermarker = load_watermarker(variant, weights)
    parts = {"embedder": watermarker.embedder, "detector": watermarker.detector}
    counts = {name: sum(value.numel() for value in part.parameters()) for name, part in parts.items()}
    print(f"loaded:   strictly; parameters: {', '.join(f'{name} {count}' for name, count in counts.items())}")
    if upstream is not None:
        found = compare_logits(watermarker, *upstream)
        print(found.text(), flush=True)
        if not found:
            return EXIT_FAIL
    else:
        print("logits:   not compared with upstream's; --logits FILE.npz does that", flush=True)
    del watermarker  # of chunkyseal 4 GB
    names = ",".join(precision.name for precision in precisions)
    model = ["--variant", variant.name, "--weights", source, "--precision", names]
    code = run_bench([*model, "--out", str(out), *options.bench])
    if code not in FINISHED:
        return code
    print_limits(out)
    return code


def verify(variant: Variant, weights: Weights) -> list[str]:
    """What is known of a checkpoint before it is loaded.

    Raises:
        ChecksumError: the card names another sha256.
    """
    lines = [f"weights:  {weights.kind}{'' if weights.path is None else f', {weights.path}'}"]
    if weights.path is None:
        return [*lines, "sha256:   none: seeded values come from no file"]
    if variant.official_sha256 is None:
        remark = f"the card of {variant.name} has none to compare it with; official_sha256 there pins it"
        return [*lines, f"sha256:   {weights.fingerprint} ({remark})"]
    if weights.fingerprint != variant.official_sha256:
        raise ChecksumError(
            f"{weights.path}: found sha256 {weights.fingerprint}; expected {variant.official_sha256}, of the card of "
            f"{variant.name}: not the published checkpoint; download it again, or measure other weights with "
            "`sealbench bench`"
        )
    return [*lines, f"sha256:   {weights.fingerprint}, as the card says"]


def run_bench(options: Sequence[str]) -> int:
    """Run the main job in a process of its own, as a user does, and return its exit code."""
    print(f"bench:    sealbench bench {shlex.join(options)}", flush=True)
    command = [sys.executable, "-m", "sealbench", "bench", *options]
    return subprocess.run(command, check=False).returncode  # noqa: S603 - this program, with the user's own options


def print_limits(run_dir: Path) -> None:
    """Print what a finished run says of the gates' limits."""
    print(
        "\nLimits from this run, ON THESE PICTURES and this machine: the tightest that it would pass.\n"
        "They claim nothing of other pictures; leave room before you write one into a file of gates."
    )
    print("\n".join(table(run_limits(load_results(run_dir), gates_of_run(run_dir)))))
