"""`sealbench profile VARIANT PRECISION`: where the time of a `.tflite` file goes, by kind of operation."""

import argparse
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from sealbench.bench.analysis.graph_operations import read_operations
from sealbench.bench.analysis.operation_times import LITERT, File, Row, measure, summarize
from sealbench.bench.options import DEFAULT_THREADS
from sealbench.converters.cards.image_size import ImageSize
from sealbench.converters.command_line import require_at_least, writable_folder
from sealbench.converters.export.precisions import PRECISIONS, get_precision
from sealbench.converters.families.watermark import get_variant, variant_names
from sealbench.converters.families.weight_sources import SOURCES_HELP, find_weights
from sealbench.converters.rewrites import CHOICES, choose_rewrites
from sealbench.converters.store import ArtifactSpec, ArtifactStore
from sealbench.reports.files import write_atomically, write_rows_csv
from sealbench.reports.render.labels import Model
from sealbench.reports.schema.records import NO_REWRITES

ROUNDS = 20


def print_rows(rows: Sequence[Row]) -> None:
    """A table of the rows of one file, and how much of the whole they explain."""
    from rich import box
    from rich.console import Console
    from rich.table import Table

    first = rows[0]
    seeded = "" if first.weights == "bundled" else f" ({first.weights})"
    rewrites = "" if first.rewrites == NO_REWRITES else f", {first.rewrites}"
    title = f"{first.variant}{seeded} {first.image_size} {first.precision}{rewrites}, {first.threads} threads"
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, title=title, title_justify="left")
    table.add_column("operation")
    table.add_column("runs in")
    table.add_column("as")
    for heading in ("count", "ms", "%", "MAC %", "GOP/s"):
        table.add_column(heading, justify="right")
    for row in rows:
        table.add_row(
            row.operation,
            row.runs_in,
            row.kernel,
            str(row.count),
            f"{row.median_ms:.2f}",
            f"{row.share_pct:.1f}",
            f"{row.multiplications_pct:.1f}" if row.multiplications else "",
            "" if row.gops is None else f"{row.gops:.0f}",
        )
    console = Console()
    # A file or a pipe has no width: lines are as long as they need to be.
    console = console if console.is_terminal else Console(width=140)
    console.print(table)
    lines = [
        f"operations {first.operations_ms:.1f} ms, a run with the profiler {first.profiled_ms:.1f} ms",
        f"a run on the interpreter of the main job {first.file_ms:.1f} ms, of which the operations explain "
        f"{100 * first.operations_ms / first.file_ms:.0f} % (medians of {first.rounds} rounds)",
    ]
    if first.threads > 1 and any(row.runs_in == LITERT for row in rows):
        lines.append("what runs in LiteRT has one thread with the profiler, on the interpreter all of them")
    console.print("\n".join(lines), "", sep="\n", highlight=False, soft_wrap=True)


def draw(rows: Sequence[Row], path: Path) -> None:
    """Draw a bar for each file, divided by kind of operation."""
    from sealbench.reports.render.plots.profile import Bar, Part, draw_profile
    from sealbench.reports.render.plots.style import png

    bars: dict[str, Bar] = {}
    for row in rows:
        label = row.precision if row.rewrites == NO_REWRITES else f"{row.precision}\n{row.rewrites}"
        # Without the size of its kernel: the two forms of a convolution keep one colour.
        kind = row.operation.partition(" ")[0] if row.multiplications else row.operation
        bar = bars.setdefault(label, Bar(row.file_ms, []))
        bar.parts.append(Part(kind, row.median_ms, row.runs_in == LITERT))
    first = rows[0]
    model = Model(first.variant, first.weights, first.image_size, "simple", first.threads)
    write_atomically(path, png(draw_profile(model, bars)))


def prepare(options: argparse.Namespace) -> list[File]:
    """The files that the options name, converted where the store does not have them; each once.

    Raises:
        ConverterError: an option is wrong, or a file cannot be made.
    """
    variant = get_variant(options.variant)
    precisions = [get_precision(name) for name in options.precision.split(",")]
    rewrites = dict.fromkeys(choose_rewrites(choice, variant) for choice in options.rewrite.split(","))
    if options.out is not None:
        writable_folder(options.out, "--out")
    weights = find_weights(variant, options.weights)
    size = ImageSize(variant.image_size, variant.image_size)
    from sealbench.converters.families.watermark_model import LazyModel

    model, store = LazyModel(variant, weights), ArtifactStore()
    return [
        File(
            variant.name,
            weights.kind,
            str(size),
            precision.name,
            "+".join(names) or NO_REWRITES,
            store.get(ArtifactSpec(variant, weights, precision, size, rewrites=names), model).path,
        )
        for precision in precisions
        for names in rewrites
    ]


def parse_arguments(arguments: Sequence[str] | None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(
        prog="sealbench profile",
        description="Show where the time of a detector's file goes, by kind of operation.",
    )
    parser.add_argument("variant", metavar="VARIANT", help=f"one of: {', '.join(variant_names())}")
    parser.add_argument("precision", metavar="PRECISION", help=f"of: {', '.join(PRECISIONS)}; several with commas")
    parser.add_argument(
        "--rewrite",
        default="auto",
        metavar="CHOICE",
        help=f"of: {', '.join(CHOICES)}; with none,auto both are measured in interleaved rounds (%(default)s)",
    )
    parser.add_argument("--weights", metavar="SOURCE", help=SOURCES_HELP)
    parser.add_argument("--threads", type=int, default=DEFAULT_THREADS, metavar="N", help="(%(default)s)")
    parser.add_argument("--rounds", type=int, default=ROUNDS, metavar="N", help="runs of each file (%(default)s)")
    parser.add_argument("--out", type=Path, metavar="DIR", help="folder for profile-VARIANT-PRECISION .csv and .png")
    options = parser.parse_args(arguments)
    require_at_least(parser, options, {"threads": 1, "rounds": 1})
    return options


def main(arguments: Sequence[str]) -> int:
    """Run the command; returns its exit code: 0."""
    options = parse_arguments(arguments)
    files = prepare(options)
    measured = measure([file.path for file in files], options.threads, options.rounds)
    tables = [
        summarize(file, read_operations(file.path), rounds, options.threads)
        for file, rounds in zip(files, measured, strict=True)
    ]
    for table in tables:
        print_rows(table)
    if options.out is not None:
        rows = [row for table in tables for row in table]
        name = f"profile-{options.variant}-{'-'.join(dict.fromkeys(row.precision for row in rows))}"
        write_rows_csv([asdict(row) for row in rows], options.out / f"{name}.csv")
        draw(rows, options.out / f"{name}.png")
    return 0
