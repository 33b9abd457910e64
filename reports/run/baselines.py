"""Baselines: runs that are kept under a name, to compare later ones with.

A baseline is a folder with the files of the run that a comparison reads; it may be committed, or cached by a CI.
Cheap to import: plain Python only.
"""

import os
import re
import shutil
from pathlib import Path

from sealbench.reports.errors import ReportError
from sealbench.reports.files import os_errors_as_report_errors, packed_name
from sealbench.reports.run.reader import ENVIRONMENT, GATES, is_run, load_plan, load_results
from sealbench.reports.schema.tables import BITS, IMAGES, LATENCY, OUTPUTS, PLAN, RESULTS, SCORES

DEFAULT_BASELINES = Path("sealbench-baselines")
"""Below the current folder."""
KEPT = tuple(map(str, (RESULTS, PLAN, ENVIRONMENT, GATES, BITS, SCORES, OUTPUTS, LATENCY, IMAGES)))
_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,63}")


def check_name(name: str) -> str:
    """Check the name of a baseline, which becomes that of a folder.

    Args:
        name: As the user gives it.

    Returns:
        The name.

    Raises:
        ReportError: It is no plain name.
    """
    if not _NAME.fullmatch(name):
        raise ReportError(
            f"baseline {name!r}: expected a name of at most 64 letters, digits, '.', '_' and '-' that begins with a "
            "letter, a digit or '_'"
        )
    return name


def find_run(text: str, root: Path = DEFAULT_BASELINES) -> Path:
    """Find the run that a name or a path means.

    Args:
        text: The name of a baseline, or the folder of a run. Where it is both, the baseline is meant: `./NAME` is
            the folder.
        root: Where baselines are kept.

    Returns:
        The folder of a run.

    Raises:
        ReportError: It is neither; the message names the baselines that there are.
    """
    if _NAME.fullmatch(text) and is_run(root / text):
        return root / text
    if is_run(Path(text)):
        return Path(text)
    known = sorted(path.name for path in root.glob("*") if is_run(path))
    raise ReportError(
        f"{text!r} is neither a baseline nor the folder of a run; baselines in {root}: {', '.join(known) or 'none'}"
    )


def save_baseline(run_dir: Path, name: str, root: Path = DEFAULT_BASELINES) -> str:
    """Keep a run under a name, whole or not at all.

    Args:
        run_dir: The run's folder.
        name: The baseline's.
        root: Where baselines are kept; made when missing.

    Returns:
        A sentence for the user: where it is, and which run it replaced.

    Raises:
        ReportError: The name is no plain one, the run is not whole, or the folder cannot be written.
    """
    target = root / check_name(name)
    measured = load_results(run_dir)
    done = {row.expectation for row in measured}
    plan = load_plan(run_dir)
    missing = None if plan is None else sum(promise not in done for promise in plan)
    if missing is None or missing or not measured:
        raise ReportError(f"baseline {name} was not saved: the run in {run_dir} did not finish")
    if target.resolve() == run_dir.resolve():
        raise ReportError(f"baseline {name} was not saved: {run_dir} is that baseline itself")
    temporary, old = root / f".{name}.{os.getpid()}.new", root / f".{name}.{os.getpid()}.old"
    replaced = ""
    with os_errors_as_report_errors(target):
        root.mkdir(parents=True, exist_ok=True)
        _copy(run_dir, temporary)
        if target.exists():
            rows = load_results(target) if is_run(target) else []
            replaced = f", replacing run {rows[0].run_id}" if rows else ", replacing a folder that held no run"
            target.rename(old)
        temporary.rename(target)
        shutil.rmtree(old, ignore_errors=True)
    return f"baseline {name}: run {measured[0].run_id} is kept in {target}{replaced}"


def _copy(run_dir: Path, target: Path) -> None:
    shutil.rmtree(target, ignore_errors=True)
    for name in KEPT:
        for source, place in (
            (run_dir / name, target / name),
            (packed_name(run_dir / name), packed_name(target / name)),
        ):
            if source.is_file():
                place.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(source, place)
