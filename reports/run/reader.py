"""Reading a run's record back, also that of a run that was killed. Cheap to import: `samples.py` gives data frames."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sealbench.reports.errors import ReportError
from sealbench.reports.files import ENCODING_ERRORS, os_errors_as_report_errors
from sealbench.reports.schema.records import Expectation, Measurement
from sealbench.reports.schema.tables import IMAGES, PLAN, RESULTS, parse_expectation, parse_measurement

ENVIRONMENT, GATES = "environment.json", "gates.toml"


def is_run(path: Path) -> bool:
    """Whether a folder holds a run of ours.

    Args:
        path: Any path.

    Returns:
        True when it has a results.csv whose header is the contract's, or an earlier version's.
    """
    try:
        with (path / RESULTS).open(encoding="utf-8", errors=ENCODING_ERRORS) as stream:
            return RESULTS.has_header(stream.readline().rstrip("\n").split(","))
    except OSError:
        return False


def load_results(run_dir: Path) -> list[Measurement]:
    """Read results.csv, also of a run that was killed: a last line that was cut off is left out.

    Args:
        run_dir: A run's folder.

    Returns:
        The measurements in the order of the file; floats equal those written bit by bit.

    Raises:
        ReportError: The folder holds no run, or a row does not fit the contract; the message names the row.
    """
    path = run_dir / RESULTS
    if not is_run(run_dir):
        columns = ",".join(RESULTS.names)
        raise ReportError(f"{run_dir} is no run directory: expected {RESULTS} with the columns {columns}")
    return [parse_measurement(row, f"{path}, row {number}") for number, row in RESULTS.read(run_dir)]


def load_plan(run_dir: Path) -> list[Expectation] | None:
    """Read plan.csv.

    Args:
        run_dir: A run's folder.

    Returns:
        What the run promised, or None when the run died before it promised anything.

    Raises:
        ReportError: A row does not fit the contract.
    """
    path = run_dir / PLAN
    if not path.is_file():
        return None
    return [parse_expectation(row, f"{path}, row {number}") for number, row in PLAN.read(run_dir)]


def load_images(run_dir: Path) -> dict[str, str]:
    """Read samples/images.csv.

    Args:
        run_dir: A run's folder.

    Returns:
        For each image, as "dataset/name", the picture or video that it is of. Empty when there is no such table.

    Raises:
        ReportError: The table has other columns.
    """
    return {f"{row['dataset']}/{row['image']}": row["picture"] for _, row in IMAGES.read(run_dir)}


def load_environment(run_dir: Path) -> Mapping[str, Any]:
    """Read environment.json.

    Args:
        run_dir: A run's folder.

    Returns:
        What it holds.

    Raises:
        ReportError: The file is missing, or no JSON object.
    """
    path = run_dir / ENVIRONMENT
    if not path.is_file():
        raise ReportError(f"{path} is missing: it names the weights, images and machine of the run")
    with os_errors_as_report_errors(path):
        content = path.read_bytes()
    try:
        found = json.loads(content)
    except ValueError as error:
        raise ReportError(f"{path} is no JSON: {error}") from error
    if not isinstance(found, dict):
        raise ReportError(f"{path}: found {type(found).__name__}, expected an object with the run's fingerprints")
    return found
