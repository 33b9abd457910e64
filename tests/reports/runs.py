"""Folders of made-up runs, as `pytest bench` would leave them."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from sealbench.reports.run.directory import RunDirectory
from sealbench.reports.run.error_tables import keep_errors
from sealbench.reports.schema.records import Case, Measurement
from sealbench.reports.schema.tables import BITS, LATENCY
from tests.reports.synthetic import FULL, NANO, RUN_ID, bit_rows, healthy_rows, plan_of, torch_of

HOSTILE = (
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "</title></style></script><script>alert(2)</script>",
    "{{ 7 * 7 }}",
    "a\u202eb\udc80\x1b[31m\nc",
)


def latency_rows(rounds: int = 30) -> list[tuple[object, ...]]:
    """Timings of both models' files and of PyTorch."""
    rows: list[tuple[object, ...]] = []
    for row in healthy_rows():
        if row.metric == "latency_ms":
            rows += [
                (
                    row.case.variant,
                    row.case.precision,
                    "256",
                    row.case.backend,
                    2,
                    n,
                    0,
                    row.value * (1 + n % 7 / 40),
                    "none",
                )
                for n in range(rounds)
            ]
    return rows


def save_run(
    path: Path,
    rows: list[Measurement] | None = None,
    *,
    rename: Callable[[str], str] = str,
    samples: bool = True,
) -> Path:
    """Write the folder of a run.

    Args:
        path: Where to.
        rows: Its measurements; those of a healthy run when None.
        rename: What becomes of the names of variants, data sets and images.
        samples: Whether it has any.
    """
    kept = healthy_rows() if rows is None else rows
    kept = [
        replace(
            row, case=replace(row.case, variant=rename(row.case.variant)), dataset=row.dataset and rename(row.dataset)
        )
        for row in kept
    ]
    run = RunDirectory.open(RUN_ID, path)
    run.write_plan(plan_of(kept))
    run.append(kept)
    run.write_environment({"cpu": rename("a processor"), "packages": {"torch": "2.13.0", rename("other"): rename("1")}})
    if samples:
        bits = ((rename(str(row[0])), *row[1:4], rename(str(row[4])), *row[5:]) for row in bit_rows(images=3))
        run.append_rows(BITS, bits)
        run.append_rows(LATENCY, ((rename(str(row[0])), *row[1:]) for row in latency_rows()))
        run.finish()
    return run.path


ANALYSED = replace(NANO, precision="int8")


def keep_analysis(run: Path, case: Case = ANALYSED, rename: Callable[[str], str] = str, worst: float = 9.5) -> Path:
    """Put a made-up analysis of a file into a run: five layers, the middle one with an error of its own of `worst` %.

    Args:
        run: Its folder.
        case: Of the file.
        rename: What becomes of the names of layers.
        worst: In percent.
    """
    terms = [
        {"term": name, "rms": rms, "mae": rms / 2, "share_pct": share}
        for name, rms, share in (
            ("conversion", 1e-6, 0.0),
            ("quantization", 0.21, 99.0),
            ("kernels", 0.02, 1.0),
            ("threads", 0.0, 0.0),
            ("total", 0.22, 100.0),
        )
    ]
    layers = [
        {
            "layer": rename(f"stages/{number}/conv"),
            "operation": "CONV_2D 4x4",
            "stored": "INT8",
            "isolated_pct": worst if number == 2 else 0.5 + number / 10,
            "gain": 0.9998,
            "accumulated_pct": 1.0 + number,
        }
        for number in range(5)
    ]
    keep_errors(run, case, 4, terms, layers)
    return run


def torch_only() -> list[Measurement]:
    """A run that ended before it measured any file."""
    return [row for row in healthy_rows() if row.case in {torch_of(NANO), torch_of(FULL)}]
