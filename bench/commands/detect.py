"""Read the watermark of pictures with a file, as an application would see it."""

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

from sealbench.bench.errors import USAGE_ERROR
from sealbench.converters.command_line import require_at_least
from sealbench.converters.shared_options import add_json, add_message, add_threads

THREADS = 1


def parse_arguments(arguments: Sequence[str]) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(
        prog="sealbench detect",
        description="Read the watermark of pictures with a .tflite detector. Needs no PyTorch.",
        epilog="Upstream's released weights leave the confidence untrained: rest no decision on it there, but on how "
        "well the bits match a known message. Exit code: 2 where a picture could not be read; the others are shown.",
    )
    parser.add_argument("file", type=Path, metavar="FILE", help="the .tflite detector")
    parser.add_argument("pictures", type=Path, nargs="+", metavar="PICTURE", help="PNG, JPEG or WebP, of any size")
    add_message(parser.add_argument, "what the pictures should carry: adds bit accuracy and p-value")
    add_threads(parser.add_argument, THREADS, "of the detector")
    add_json(parser.add_argument)
    options = parser.parse_args(arguments)
    require_at_least(parser, options, {"threads": 1})
    return options


def main(arguments: Sequence[str]) -> int:
    """Run the command; returns its exit code: 0, or 2 where a picture could not be read."""
    options = parse_arguments(arguments)
    from sealbench.bench.analysis.detections import detections, lines

    found = []
    for entry in detections(options.file, options.pictures, options.message, options.threads):
        found.append(entry)
        if "error" in entry:
            print(f"error: {entry['error']}", file=sys.stderr)
        elif not options.json:
            print("\n".join(lines(entry)), flush=True)
    if options.json:
        print(json.dumps(found, indent=1))
    unread = sum("error" in entry for entry in found)
    if unread:
        print(f"error: {unread} of {len(found)} pictures could not be read", file=sys.stderr)
    return USAGE_ERROR if unread else 0
