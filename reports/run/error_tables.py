"""What `sealbench error` found, kept in the folder of the run whose file it is about."""

import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from pathlib import Path

from sealbench.reports.errors import ReportError
from sealbench.reports.run.reader import ENVIRONMENT, load_results
from sealbench.reports.schema.records import CASE_COLUMNS, Case
from sealbench.reports.schema.tables import ERROR_TERMS, LAYER_ERRORS, case_cells


def check_holds(run_dir: Path, case: Case, fingerprint: str) -> None:
    """Make sure that a run measured a file, before that file is analysed for it.

    Args:
        run_dir: A folder.
        case: Of the file.
        fingerprint: Of its weights.

    Raises:
        ReportError: The folder holds no run, the run has no such file, or it was made from other weights.
    """
    cases = dict.fromkeys(row.case for row in load_results(run_dir) if not row.case.is_reference)
    if case not in cases:
        found = "; ".join(_text(other) for other in cases) or "no file at all"
        raise ReportError(f"{run_dir} did not measure {_text(case)}; it holds {found}. Choose one of those")
    path = run_dir / ENVIRONMENT
    try:
        kept = json.loads(path.read_text(encoding="utf-8"))["weights"][case.variant]["fingerprint"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ReportError(
            f"{path}: expected the fingerprint of the weights of {case.variant}; measure again"
        ) from error
    if kept != fingerprint:
        raise ReportError(
            f"{run_dir} measured weights of {case.variant} with the fingerprint {kept}, found {fingerprint}; "
            "name the run's weights with --weights"
        )


def keep_errors(
    run_dir: Path,
    case: Case,
    images: int,
    terms: Iterable[Mapping[str, object]],
    layers: Iterable[Mapping[str, object]],
) -> None:
    """Write the analysis of a file into its run, in place of an earlier one of the same file.

    Args:
        run_dir: A run's folder.
        case: Of the file.
        images: How many it was analysed on.
        terms: By step, with the columns of ERROR_TERMS after `images`.
        layers: By layer in the order of the graph, with the columns of LAYER_ERRORS after `images`.

    Raises:
        ReportError: An earlier table is damaged, or a table cannot be written.
    """
    own = tuple(map(str, case_cells(case)))
    for table, rows in ((ERROR_TERMS, terms), (LAYER_ERRORS, layers)):
        kept = [row for _, row in table.read(run_dir) if tuple(row[name] for name in CASE_COLUMNS) != own]
        coordinates = {**asdict(case), "images": images}
        table.write(run_dir, [*kept, *({**coordinates, **row} for row in rows)])


def severity(isolated_pct: float) -> float:
    """What layers are sorted by, the worst last: their own error in percent, and NaN above all."""
    return math.inf if math.isnan(isolated_pct) else isolated_pct


def _text(case: Case) -> str:
    return " ".join(str(part) for part in case_cells(case))
