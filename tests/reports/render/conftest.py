"""One run that has the data for every picture, rendered once for the whole session."""

import pickle
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from filelock import FileLock

from sealbench.reports.gates.judge import load_gates
from sealbench.reports.render.plots import figures
from sealbench.reports.render.run import Rendered, render
from sealbench.reports.run.directory import RunDirectory
from sealbench.reports.schema.records import Measurement, measurement
from sealbench.reports.schema.tables import SCORES
from tests.reports.runs import keep_analysis, save_run
from tests.reports.synthetic import NANO, RUN_ID, attack_rows, healthy_rows

NANO_ONLY = [row for row in healthy_rows() if row.case.variant == NANO.variant]


@dataclass(frozen=True)
class SharedRun:
    """A rendered run: nobody writes into its folder."""

    folder: Path
    rendered: Rendered
    html: str


def rewritten(precision: str, value: float) -> Measurement:
    case = replace(NANO, precision=precision, rewrites="split_depthwise")
    return measurement(RUN_ID, case, "", "none", "speedup_vs_plain", value, 40, (value - 0.1, value + 0.1))


@pytest.fixture(scope="session")
def shared_run(shared_folder: Path) -> SharedRun:
    """The nano model with attacks, rewrites, samples, scores and an analysed file, rendered once a session."""
    kept = shared_folder / "rendered.pickle"
    with FileLock(kept.with_suffix(".lock")):
        if not kept.exists():
            kept.write_bytes(pickle.dumps(_rendered(shared_folder / "rendered")))
    run: SharedRun = pickle.loads(kept.read_bytes())
    return run


def _rendered(folder: Path) -> SharedRun:
    rows = [*NANO_ONLY, rewritten("int8", 1.25), rewritten("float32", 2.0)]
    rows += [row for row in attack_rows() if row.case.variant == NANO.variant]
    run = keep_analysis(save_run(folder, rows))
    score = ("none", "set/0", 2.0, 2.1, 1, 0, 0, 1, 1, 1, NANO.image_size, "none", "upstream")
    RunDirectory(run, RUN_ID).append_rows(SCORES, [(NANO.variant, "int8", "litert", *score)])
    rendered = render(run, load_gates(), figures.FIGURES)
    return SharedRun(run, rendered, rendered.page.read_bytes().decode("utf-8"))
