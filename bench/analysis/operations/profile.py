"""`sealbench profile VARIANT PRECISION`: where the time of a `.tflite` file goes, by kind of operation."""

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from sealbench.bench.analysis.operations.graph_operations import read_operations
from sealbench.bench.analysis.operations.operation_times import LITERT, File, Row, measure, summarize
from sealbench.converters.cards.image_size import ImageSize
from sealbench.converters.cards.watermark import Variant
from sealbench.converters.checkpoints.weights import Weights
from sealbench.converters.export.precisions import Precision
from sealbench.converters.store import ArtifactSpec, ArtifactStore
from sealbench.reports.files import write_atomically, write_rows_csv
from sealbench.reports.render.labels import Model
from sealbench.reports.schema.records import NO_REWRITES


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


def files_of(
    variant: Variant, weights: Weights, precisions: Sequence[Precision], rewrites: Sequence[tuple[str, ...]]
) -> list[File]:
    """The files of a variant, converted where the store does not have them.

    Raises:
        ConverterError: a file cannot be made.
    """
    from sealbench.converters.families.watermark_model import LazyModel

    size = ImageSize(variant.image_size, variant.image_size)
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


def run(
    variant: Variant,
    weights: Weights,
    precisions: Sequence[Precision],
    rewrites: Sequence[tuple[str, ...]],
    threads: int,
    rounds: int,
    out: Path | None,
) -> None:
    """Measure the files of a variant in interleaved rounds and print where their time goes.

    Args:
        variant, weights: the model.
        precisions, rewrites: its files; every precision with every choice of rewrites.
        threads: of the runs.
        rounds: runs of each file.
        out: folder for profile-VARIANT-PRECISION .csv and .png, or None.
    """
    files = files_of(variant, weights, precisions, rewrites)
    measured = measure([file.path for file in files], threads, rounds)
    tables = [
        summarize(file, read_operations(file.path), found, threads) for file, found in zip(files, measured, strict=True)
    ]
    for table in tables:
        print_rows(table)
    if out is not None:
        rows = [row for table in tables for row in table]
        name = f"profile-{variant.name}-{'-'.join(dict.fromkeys(row.precision for row in rows))}"
        write_rows_csv([asdict(row) for row in rows], out / f"{name}.csv")
        draw(rows, out / f"{name}.png")
