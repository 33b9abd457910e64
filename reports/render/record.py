"""Everything that pictures and page show of a run."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import pandas as pd

from sealbench.reports.errors import ReportError
from sealbench.reports.gates.judge import GateResult
from sealbench.reports.gates.standings import Standing, standings
from sealbench.reports.render.labels import Model, model_of
from sealbench.reports.run.samples import load_samples, no_samples
from sealbench.reports.schema.columns import Table
from sealbench.reports.schema.records import Case, Measurement
from sealbench.reports.schema.tables import BITS, ERROR_TERMS, IMAGES, LATENCY, LAYER_ERRORS, SCORES


@dataclass(frozen=True, eq=False)
class RunRecord:
    """What a run left.

    Attributes:
        measurements: In the order of the record.
        results: The verdicts; none where the run is only shown.
        bits: What `load_samples` gives of BITS.
        scores: What `load_samples` gives of SCORES.
        latency: What `load_samples` gives of LATENCY.
        error_terms: What `load_samples` gives of ERROR_TERMS.
        layer_errors: What `load_samples` gives of LAYER_ERRORS.
        pictures: The picture that each image, "dataset/name", was cut from.
    """

    measurements: Sequence[Measurement]
    results: Sequence[GateResult] = ()
    bits: pd.DataFrame = field(default_factory=partial(no_samples, BITS))
    scores: pd.DataFrame = field(default_factory=partial(no_samples, SCORES))
    latency: pd.DataFrame = field(default_factory=partial(no_samples, LATENCY))
    error_terms: pd.DataFrame = field(default_factory=partial(no_samples, ERROR_TERMS))
    layer_errors: pd.DataFrame = field(default_factory=partial(no_samples, LAYER_ERRORS))
    pictures: Mapping[str, str] = field(default_factory=dict)

    @property
    def models(self) -> list[Model]:
        """Every model that was measured, in the order of the record."""
        return list(dict.fromkeys(model_of(row.case) for row in self.measurements))

    @property
    def standings(self) -> Mapping[Case, Standing]:
        """How each judged case stands."""
        return standings(self.results)


def load_record(
    run_dir: Path, measurements: Sequence[Measurement], results: Sequence[GateResult]
) -> tuple[RunRecord, list[str]]:
    """Read the samples of a run to its measurements.

    Args:
        run_dir: A run's folder.
        measurements: What `load_results` gives.
        results: What `judge` gives.

    Returns:
        The record, and a sentence for each table of samples that cannot be read; it is empty in the record then.
    """
    problems = []

    def read(table: Table) -> pd.DataFrame:
        try:
            return load_samples(run_dir, table)
        except (ReportError, ValueError) as error:  # pandas' own parse errors are ValueErrors
            problems.append(f"the samples cannot be read: {error}")
            return no_samples(table)

    bits, scores, latency, error_terms, layer_errors = map(read, (BITS, SCORES, LATENCY, ERROR_TERMS, LAYER_ERRORS))
    names = read(IMAGES)
    pictures = dict(zip(names["dataset"] + "/" + names["image"], names["picture"], strict=True))
    record = RunRecord(measurements, results, bits, scores, latency, error_terms, layer_errors, pictures)
    return record, problems
