"""Write a saved run in Bencher's metric format."""

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

from sealbench.reports.files import write_atomically
from sealbench.reports.render.bencher import bencher_metrics
from sealbench.reports.run.reader import load_results


def main(arguments: Sequence[str]) -> int:
    """`sealbench bencher RUN_DIR [--out FILE]`.

    Args:
        arguments: What follows the command's name.

    Returns:
        0.

    Raises:
        ReportError: The folder holds no run, or the file cannot be written.
    """
    parser = argparse.ArgumentParser(
        prog="sealbench bencher", description="Write a saved run in Bencher's metric format, for `bencher run`."
    )
    parser.add_argument("run_dir", type=Path, metavar="RUN_DIR", help="folder of a run")
    parser.add_argument("--out", type=Path, metavar="FILE", help="where to (default: standard output)")
    options = parser.parse_args(arguments)
    text = json.dumps(bencher_metrics(load_results(options.run_dir)), indent=2, allow_nan=False) + "\n"
    if options.out is None:
        sys.stdout.write(text)
    else:
        print(f"written: {write_atomically(options.out, text)}")
    return 0
