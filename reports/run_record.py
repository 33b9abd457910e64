"""Everything that pictures and page show of a run, and the part of it that belongs to one model."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

import pandas as pd

from reports.errors import ReportError
from reports.gates import GateResult
from reports.plot_style import Model, model_of
from reports.records import (
    BIT_COLUMNS,
    LATENCY_COLUMNS,
    LAYER_COLUMNS,
    SCORE_COLUMNS,
    TERM_COLUMNS,
    Case,
    Measurement,
)
from reports.run_reader import load_bits, load_error_terms, load_latency, load_layer_errors, load_scores
from reports.standings import Standing, standings


def _empty(columns: Sequence[str]) -> pd.DataFrame:
    return pd.DataFrame(columns=list(columns))


@dataclass(frozen=True, eq=False)
class RunRecord:
    """What a run left.

    Attributes:
        measurements: In the order of the record.
        results: The verdicts; none where the run is only shown.
        bits: What `load_bits` gives.
        scores: What `load_scores` gives.
        latency: What `load_latency` gives.
        error_terms: What `load_error_terms` gives.
        layer_errors: What `load_layer_errors` gives.
    """

    measurements: Sequence[Measurement]
    results: Sequence[GateResult] = ()
    bits: pd.DataFrame = field(default_factory=partial(_empty, BIT_COLUMNS))
    scores: pd.DataFrame = field(default_factory=partial(_empty, SCORE_COLUMNS))
    latency: pd.DataFrame = field(default_factory=partial(_empty, LATENCY_COLUMNS))
    error_terms: pd.DataFrame = field(default_factory=partial(_empty, TERM_COLUMNS))
    layer_errors: pd.DataFrame = field(default_factory=partial(_empty, LAYER_COLUMNS))

    @property
    def models(self) -> list[Model]:
        """Every model that was measured, in the order of the record."""
        return list(dict.fromkeys(model_of(row.case) for row in self.measurements))

    @property
    def standings(self) -> Mapping[Case, Standing]:
        """How each judged case stands."""
        return standings(self.results)

    def of(self, model: Model) -> "RunRecord":
        """The part of the record that belongs to one model.

        Args:
            model: One of `models`.

        Returns:
            A record; its samples are those of the variant and image size, the names that samples carry.
        """
        return replace(
            self,
            measurements=[row for row in self.measurements if model_of(row.case) == model],
            results=[item for item in self.results if item.case is not None and model_of(item.case) == model],
            bits=_of_model(self.bits, model),
            scores=_of_model(self.scores, model),
            latency=_of_model(self.latency, model),
            error_terms=_of_case_model(self.error_terms, model),
            layer_errors=_of_case_model(self.layer_errors, model),
        )


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

    def read(load: Callable[[Path], pd.DataFrame], columns: Sequence[str]) -> pd.DataFrame:
        try:
            return load(run_dir)
        except (ReportError, ValueError) as error:  # pandas' own parse errors are ValueErrors
            problems.append(f"the samples cannot be read: {error}")
            return _empty(columns)

    record = RunRecord(
        measurements,
        results,
        read(load_bits, BIT_COLUMNS),
        read(load_scores, SCORE_COLUMNS),
        read(load_latency, LATENCY_COLUMNS),
        read(load_error_terms, TERM_COLUMNS),
        read(load_layer_errors, LAYER_COLUMNS),
    )
    return record, problems


def _of_model(frame: pd.DataFrame, model: Model) -> pd.DataFrame:
    return frame[(frame["variant"] == model.variant) & (frame["image_size"] == model.image_size)]


def _of_case_model(frame: pd.DataFrame, model: Model) -> pd.DataFrame:
    """Rows that carry all columns of a case."""
    own = _of_model(frame, model)
    return own[(own["weights"] == model.weights) & (own["mode"] == model.mode) & (own["threads"] == model.threads)]
