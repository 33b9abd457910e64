"""`sealbench error VARIANT PRECISION`: where the error of a file's logits comes from, by step and by layer.

The steps lead from PyTorch to the file as it is run, and each changes one thing:

    conversion     the float32 file on LiteRT's reference kernels, one thread, instead of PyTorch
    quantization   the file instead of the float32 file, on the same kernels
    kernels        XNNPACK, one thread, instead of the reference kernels
    threads        the threads of the main job

The layers are compared on the reference kernels, so that they show what the quantization alone does.
"""

import argparse
import json
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np

from sealbench.bench.analysis.layer_errors import LayerError, LayerErrors
from sealbench.bench.backends.registry import DEFAULT_BACKEND
from sealbench.bench.backends.runners import FileRunner, TorchRunner
from sealbench.bench.targets import Group, Target
from sealbench.bench.tasks.images import prepare, read_samples
from sealbench.converters.cards.image_size import ImageSize
from sealbench.converters.command_line import require_at_least, writable_folder
from sealbench.converters.export.precisions import PRECISIONS, get_precision
from sealbench.converters.families.watermark import as_variant, get_variant, variant_names
from sealbench.converters.families.weight_sources import SOURCES_HELP, find_weights
from sealbench.converters.rewrites import CHOICES, choose_rewrites
from sealbench.converters.store import ArtifactStore
from sealbench.reports.files import write_atomically, write_rows_csv
from sealbench.reports.gates.judge import gates_of_run
from sealbench.reports.render.labels import bar_label, model_of
from sealbench.reports.run.error_tables import check_holds, keep_errors, severity
from sealbench.reports.schema.records import NO_REWRITES, Case
from sealbench.reports.statistics.error_terms import TOTAL, Term, error_terms

DEFAULT_SAMPLES = 4
DEFAULT_THREADS = 2
DATASET = "photographs"
STAGES = ("PyTorch", "conversion", "quantization", "kernels", "threads")
MOST_ROWS = 12  # of layers on the terminal; the CSV has all
# A NaN or infinite error has no place on a scale of colours.
_NOT_FINITE = {"value": -1, "bgColor": "#000000", "textColor": "#FFFFFF"}
_GRADIENT = [{"stop": 0, "bgColor": "#FFFFFF"}, {"stop": 1, "bgColor": "#D55E00"}]


@dataclass(frozen=True)
class Analysis:
    """What the command found.

    Attributes:
        case: the file, as in every table.
        images: how many.
        terms: the steps, and all of them together last.
        layers: in the order of the graph.
    """

    case: Case
    images: int
    terms: list[Term]
    layers: list[LayerError]


def analyse(target: Target, samples: int) -> Analysis:
    """Convert what is not in the store yet, and compare on watermarked photographs.

    Args:
        target: a file on LiteRT, of mode `simple`; its threads are those of PyTorch and of the last step.
        samples: images.

    Raises:
        ConverterError, DatasetError, RunnerError: a file cannot be made or run, or there are no such images.
    """
    group, threads = target.group, target.threads
    from sealbench.converters.families.watermark_model import LazyModel

    model, store = LazyModel(as_variant(group.variant), group.weights), ArtifactStore()
    # Of the same rewrites, whatever the choice would come to at float32: layers are compared one by one.
    float32 = replace(target.spec, precision=get_precision("float32"))
    float32_path, path = (store.get(spec, model).path for spec in (float32, target.spec))
    images = prepare(DATASET, read_samples(DATASET, group, samples), group, model.watermarker).watermarked
    nbits = as_variant(group.variant).nbits
    pytorch = TorchRunner(model.detector, (group.size.height, group.size.width), nbits, threads)
    fast = [FileRunner(path, count, nbits) for count in (1, threads)]
    layers = LayerErrors(float32_path, path)
    logits = np.stack([[pytorch(image), *layers.add(image), *(run(image) for run in fast)] for image in images])
    stages = {name: logits[:, place, 1:] for place, name in enumerate(STAGES)}  # (n, nbits) each
    return Analysis(target.case, len(images), error_terms(stages), layers.errors())


def node_data(layers: Sequence[LayerError], attribute: str) -> str:
    """A file of node data for Model Explorer, which colours the layers of the quantized file by their error.

    The format is that of its `GraphNodeData`: values by the name of a node's output tensor
    (https://github.com/google-ai-edge/model-explorer/wiki/2.-User-Guide, "custom node data").

    Args:
        layers: in any order.
        attribute: `isolated_pct` or `accumulated_pct`.

    Returns:
        JSON; a layer whose error is not finite is black, with the value -1.
    """
    values = {layer.layer: getattr(layer, attribute) for layer in layers}
    results = {name: {"value": value} if math.isfinite(value) else _NOT_FINITE for name, value in values.items()}
    return json.dumps({"results": results, "gradient": _GRADIENT}, indent=1, allow_nan=False) + "\n"


def write(analysis: Analysis, folder: Path) -> None:
    """Write the tables, the picture and the node data.

    Args:
        analysis: what was found.
        folder: gets error-VARIANT-PRECISION followed by -terms.csv, -layers.csv, .png, -isolated.json and
            -accumulated.json.

    Raises:
        ReportError: a file cannot be written.
    """
    from sealbench.reports.render.plots.layer_errors import LayerPoint, draw_errors
    from sealbench.reports.render.plots.style import png

    case = analysis.case
    stem = f"error-{case.variant}-{case.precision}"
    head = {**asdict(case), "images": analysis.images}
    for name, rows in (("terms", analysis.terms), ("layers", analysis.layers)):
        write_rows_csv([head | asdict(row) for row in rows], folder / f"{stem}-{name}.csv")
    for name in ("isolated", "accumulated"):
        write_atomically(folder / f"{stem}-{name}.json", node_data(analysis.layers, f"{name}_pct"))
    figure = draw_errors(
        model_of(case),
        bar_label(case),
        {term.term: term.rms for term in analysis.terms},
        [
            LayerPoint(layer.layer, layer.operation, layer.isolated_pct, layer.accumulated_pct)
            for layer in analysis.layers
        ],
    )
    write_atomically(folder / f"{stem}.png", png(figure))


def add_to_run(analysis: Analysis, run_dir: Path) -> Path:
    """Keep an analysis with the run that measured the file, and render that run again.

    Args:
        analysis: what was found.
        run_dir: a run that `sealbench.reports.run.error_tables.check_holds` accepts.

    Returns:
        The page.

    Raises:
        ReportError: a table of the run is damaged, or a file cannot be written.
    """
    from sealbench.reports.render.run import render

    keep_errors(run_dir, analysis.case, analysis.images, map(asdict, analysis.terms), map(asdict, analysis.layers))
    return render(run_dir, gates_of_run(run_dir)).page


def print_analysis(analysis: Analysis) -> None:
    """The steps, and the layers with the largest errors of their own."""
    from rich import box
    from rich.console import Console
    from rich.table import Table

    case = analysis.case
    rewrites = "" if case.rewrites == NO_REWRITES else f", {case.rewrites}"
    seeded = "" if case.weights == "bundled" else f" ({case.weights})"
    title = f"{case.variant}{seeded} {case.image_size} {case.precision}{rewrites}, {analysis.images} images"
    steps = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    steps.add_column("step")
    for heading in ("RMS", "MAE", "share %"):
        steps.add_column(heading, justify="right")
    for term in analysis.terms:
        style = "bold" if term.term == TOTAL else None
        steps.add_row(term.term, f"{term.rms:.3g}", f"{term.mae:.3g}", f"{term.share_pct:.2f}", style=style)

    worst = sorted(analysis.layers, key=lambda layer: severity(layer.isolated_pct), reverse=True)[:MOST_ROWS]
    count = f"{len(worst)} of {len(analysis.layers)} layers, by the error of their own"
    layers = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for heading in ("layer", "operation", "stored"):
        layers.add_column(heading)
    for heading in ("isolated %", "gain", "accumulated %"):
        layers.add_column(heading, justify="right")
    for layer in worst:
        numbers = (f"{layer.isolated_pct:.3g}", f"{layer.gain:.4f}", f"{layer.accumulated_pct:.3g}")
        layers.add_row(layer.layer, layer.operation, layer.stored, *numbers)
    console = Console()
    # A file or a pipe has no width: lines are as long as they need to be.
    console = console if console.is_terminal else Console(width=140)
    for heading, table in ((title, steps), (count, layers)):
        console.print(heading, highlight=False, soft_wrap=True)
        console.print(table)


def parse_arguments(arguments: Sequence[str] | None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(
        prog="sealbench error",
        description="Show where the error of a detector's file comes from, by step and by layer.",
    )
    parser.add_argument("variant", metavar="VARIANT", help=f"one of: {', '.join(variant_names())}")
    parser.add_argument("precision", metavar="PRECISION", help=f"one of: {', '.join(PRECISIONS)}")
    parser.add_argument(
        "--rewrite", default="auto", metavar="CHOICE", help=f"one of: {', '.join(CHOICES)} (%(default)s)"
    )
    parser.add_argument("--weights", metavar="SOURCE", help=SOURCES_HELP)
    parser.add_argument("--samples", type=int, default=DEFAULT_SAMPLES, metavar="N", help="images (%(default)s)")
    parser.add_argument("--threads", type=int, default=DEFAULT_THREADS, metavar="N", help="(%(default)s)")
    parser.add_argument("--out", type=Path, metavar="DIR", help="folder for the tables, the picture and the node data")
    parser.add_argument(
        "--run-dir", type=Path, metavar="DIR", help="run that measured the file; its page gets the tables and a picture"
    )
    options = parser.parse_args(arguments)
    require_at_least(parser, options, {"samples": 1, "threads": 1})
    return options


def main(arguments: Sequence[str]) -> int:
    """Run the command; returns its exit code: 0."""
    options = parse_arguments(arguments)
    variant = get_variant(options.variant)
    precision = get_precision(options.precision)
    choose_rewrites(options.rewrite, variant)  # an unknown one is refused before any folder is made
    if options.out is not None:
        writable_folder(options.out, "--out")
    size = ImageSize(variant.image_size, variant.image_size)
    group = Group(variant, find_weights(variant, options.weights), size)
    target = Target(group, precision, DEFAULT_BACKEND, options.threads, options.rewrite)
    if options.run_dir is not None:
        check_holds(options.run_dir, target.case, group.weights.fingerprint)
    analysis = analyse(target, options.samples)
    print_analysis(analysis)
    if options.out is not None:
        write(analysis, options.out)
    if options.run_dir is not None:
        print(f"report: {add_to_run(analysis, options.run_dir)}")
    return 0
