"""How numbers and names are shown to people; what programs read keeps every digit."""

import math
import re
from collections.abc import Iterable, Mapping
from typing import Any

from sealbench.reports.schema.metrics import METRICS
from sealbench.reports.schema.records import NO_REWRITES, RANDOM, REFERENCES, UPSTREAM, Case, Measurement

NOT_APPLICABLE_TEXT = "n/a"
PYTORCH = REFERENCES["torch"]
REWRITTEN_MARK = "*"
USUAL_THREADS = 2
_MEGABYTE = 1e6
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]")


def format_value(metric: str, value: float | None) -> str:
    """Round a value for a table.

    Args:
        metric: A known metric's name.
        value: In the metric's unit, or None when it was not measured or means nothing.

    Returns:
        For example "34.1 MB", "99.72 %", "2.31 x"; "n/a" for None; "NaN" and "inf" stay visible.
    """
    if value is None:
        return NOT_APPLICABLE_TEXT
    if math.isnan(value):
        return "NaN"
    unit = METRICS[metric].unit
    formats = {
        "bytes": f"{value / _MEGABYTE:.3g} MB" if abs(value) < _MEGABYTE else f"{value / _MEGABYTE:.1f} MB",
        # 99.996 % is not all of them.
        "fraction": ">99.99 %" if 0.99995 <= value < 1 else f"{100 * value:.2f} %",
        "points": f"{value:+.2f} points",
        "%": f"{value:{_percent_form(abs(value))}} %",
        "ms": f"{value:.1f} ms",
        "x": f"{value:.2f} x",
        "count": f"{value:.0f}",
        "correlation": f"{value:.4f}",
    }
    return formats.get(unit, f"{value:.3g} {unit}")


def _percent_form(size: float) -> str:
    """For at most seven characters, as many as a column of the console has."""
    return ".1f" if size >= 1 else ".1e" if 0 < size < 0.001 else ".3g"


def exact_enough(value: float, *others: float) -> str:
    """Write a value with six digits, or with all where six would hide on which side of another one it lies.

    Args:
        value: Any float, in any unit.
        *others: What it is compared with, in the same unit.

    Returns:
        The number as text.
    """
    short = f"{value:.6g}"
    return repr(value) if any(value != other and float(short) == other for other in others) else short


def plain_text(text: str) -> str:
    """Make a name safe for one line of a terminal or a picture.

    Args:
        text: Anything, e.g. a file name with line breaks, escape sequences or bytes that are no UTF-8.

    Returns:
        The text with a space for each control, direction-changing or unprintable character.
    """
    return _CONTROL.sub(" ", text)


def markdown_text(text: str) -> str:
    """Make a name safe for a cell of a Markdown table.

    Args:
        text: Anything.

    Returns:
        The text on one line; HTML, links, code, table bars and mentions are shown, not acted on.
    """
    escaped = plain_text(text).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    escaped = re.sub(r"([\\`*\[\]|~])", r"\\\1", escaped)
    return escaped.replace("@", "@\u200b").replace("://", ":\u200b//")  # no mention, no link made by itself


def case_label(case: Case) -> str:
    """Name a case for people, with the kind of its weights unless they are bundled.

    Args:
        case: Any case.

    Returns:
        For example "videoseal (seeded) 256 int8*, opencv", with mode, backend, preprocess and threads only where they
        are not the usual.
    """
    seeded = f" ({case.weights})" if case.weights != "bundled" else ""
    resize = " resize" if case.mode != "simple" else ""
    name = REFERENCES.get(case.backend) or precision_name(case.precision, case.rewrites)
    other = f" on {case.backend}" if case.backend not in {*REFERENCES, "litert"} else ""
    after = preprocess_text(case.preprocess) + threads_text(case.threads)
    return f"{case.variant}{seeded} {case.image_size}{resize} {name}{other}{after}"


def threads_text(threads: int) -> str:
    """Name the number of threads where it is not the usual one.

    Args:
        threads: See Case.

    Returns:
        For example ", 1 thread"; "" for two.
    """
    if threads == USUAL_THREADS:
        return ""
    return f", {threads} thread{'' if threads == 1 else 's'}"


def preprocess_text(preprocess: str) -> str:
    """Name the way pictures are brought to the model's input where it is not upstream's.

    Args:
        preprocess: See Case.

    Returns:
        For example ", opencv"; "" for upstream's.
    """
    return "" if preprocess == UPSTREAM else f", {preprocess}"


def precision_name(precision: str, rewrites: str) -> str:
    """Name a precision, with a star where the network was rewritten before its export.

    Args:
        precision: Name from the registry of precisions.
        rewrites: See Case.

    Returns:
        For example "int8*".
    """
    return precision + ("" if rewrites == NO_REWRITES else REWRITTEN_MARK)


def file_label(precision: str, rewrites: str, backend: str, preprocess: str = UPSTREAM) -> str:
    """Name what runs, within its facet.

    Args:
        precision: See Case, as the three after it.
        rewrites: See Case.
        backend: See Case.
        preprocess: See Case.

    Returns:
        "PyTorch" or "reference", or the precision, starred where rewritten, with the backend when it is not litert;
        with the preprocess when it is not upstream's.
    """
    file = precision_name(precision, rewrites) + ("" if backend == "litert" else f" ({backend})")
    return REFERENCES.get(backend, file) + preprocess_text(preprocess)


def rewrites_note(rewrites: Iterable[str]) -> str:
    """Explain the star.

    Args:
        rewrites: See Case; those of any cases.

    Returns:
        One line that names the rewrites, or "" when there are none.
    """
    names = sorted({name for joined in rewrites if joined != NO_REWRITES for name in joined.split("+")})
    return f"{REWRITTEN_MARK} exactly rewritten before the export: {', '.join(names)}" if names else ""


def random_note(rows: Iterable[Mapping[Any, Any]]) -> str:
    """Say which models were measured on made-up inputs.

    Args:
        rows: Of the summary frame.

    Returns:
        One line that names them, or "" when there are none.
    """
    names = sorted({str(row["variant"]) for row in rows if row["dataset"] == RANDOM})
    return f"on random inputs, which show what a file computes and nothing of data: {', '.join(names)}" if names else ""


def images_label(dataset: str, attack: str) -> str:
    """Name the images that a value rests on.

    Args:
        dataset: Name of the images, or "".
        attack: "none" or "name:strength", or "".

    Returns:
        For example "photographs, jpeg:50"; "" when no images are involved.
    """
    return ", ".join(part for part in (dataset, attack if attack != "none" else "") if part)


def interval_text(row: Measurement) -> str:
    """Write the interval of a measurement.

    Args:
        row: Any measurement.

    Returns:
        For example "[1.18, 1.31]", or "" when it has none.
    """
    if row.ci_low is None or row.ci_high is None:
        return ""
    return f"[{row.ci_low:.6g}, {row.ci_high:.6g}]"
