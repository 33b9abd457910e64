"""`sealbench error VARIANT PRECISION`: where the error of a file's logits comes from, by step and by layer.

The steps lead from PyTorch to the file as it is run, and each changes one thing:

    conversion     the float32 file on LiteRT's reference kernels, one thread, instead of PyTorch
    quantization   the file instead of the float32 file, on the same kernels
    kernels        XNNPACK, one thread, instead of the reference kernels
    threads        the threads of the main job

The layers are compared on the reference kernels, so that they show what the quantization alone does.
"""

import json
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np

from sealbench.bench.analysis.layers.layer_errors import LayerError, LayerErrors
from sealbench.bench.backends.registry import DEFAULT_BACKEND
from sealbench.bench.backends.runners import FileRunner, TorchRunner
from sealbench.bench.targets import Group, Target
from sealbench.bench.tasks.images import prepare, read_samples
from sealbench.converters.cards.image_size import ImageSize
from sealbench.converters.cards.watermark import Variant
from sealbench.converters.checkpoints.weights import Weights
from sealbench.converters.export.precisions import Precision, get_precision
from sealbench.converters.families.watermark import as_variant
from sealbench.converters.store import ArtifactStore
from sealbench.reports.files import write_atomically, write_rows_csv
from sealbench.reports.gates.judge import gates_of_run
from sealbench.reports.render.labels import bar_label, model_of
from sealbench.reports.run.error_tables import check_holds, keep_errors, severity
from sealbench.reports.schema.records import NO_REWRITES, Case
from sealbench.reports.statistics.error_terms import TOTAL, Term, error_terms

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


def files_of(
    variant: Variant, weights: Weights, precisions: Sequence[Precision], rewrite: str, threads: int
) -> list[Target]:
    """The files of a variant at some precisions, at the size it was trained at, on so many threads."""
    group = Group(variant, weights, ImageSize(variant.image_size, variant.image_size))
    return [Target(group, precision, DEFAULT_BACKEND, threads, rewrite) for precision in precisions]


def run(files: Sequence[Target], samples: int, out: Path | None, run_dir: Path | None) -> None:
    """Analyse files on so many images and print what is found; see `write` and `add_to_run` for the folders.

    Raises:
        ReportError: the run has not measured one of them, or a file cannot be written.
    """
    if run_dir is not None:
        for target in files:
            check_holds(run_dir, target.case, target.group.weights.fingerprint)
    for target in files:
        analysis = analyse(target, samples)
        print_analysis(analysis)
        if out is not None:
            write(analysis, out)
        if run_dir is not None:
            print(f"report: {add_to_run(analysis, run_dir)}")
