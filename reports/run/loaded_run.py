"""A whole run as it lies on disk: what two runs are compared by, and what a history is made of."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import pandas as pd

from sealbench.reports.run.reader import load_environment, load_images, load_results
from sealbench.reports.run.samples import load_samples
from sealbench.reports.schema.records import Measurement
from sealbench.reports.schema.tables import BITS, LATENCY, SCORES


@dataclass(frozen=True, eq=False)
class LoadedRun:
    """A run that was read back. The samples are read when they are first asked for.

    Attributes:
        path: Its folder.
        environment: Versions, processor and fingerprints, as environment.json has them.
        measurements: Every row of results.csv.
    """

    path: Path
    environment: Mapping[str, Any]
    measurements: tuple[Measurement, ...]

    @property
    def run_id(self) -> str:
        """Its name; that of its folder where nothing was measured."""
        return self.measurements[0].run_id if self.measurements else self.path.name

    @cached_property
    def bits(self) -> pd.DataFrame:
        """See `load_samples` of BITS."""
        return load_samples(self.path, BITS)

    @cached_property
    def scores(self) -> pd.DataFrame:
        """See `load_samples` of SCORES."""
        return load_samples(self.path, SCORES)

    @cached_property
    def latency(self) -> pd.DataFrame:
        """See `load_samples` of LATENCY."""
        return load_samples(self.path, LATENCY)

    @cached_property
    def pictures(self) -> Mapping[str, str]:
        """For each image, as "dataset/name", the picture that it was cut from."""
        return load_images(self.path)


def load_run(run_dir: Path) -> LoadedRun:
    """Read a run.

    Args:
        run_dir: Its folder.

    Returns:
        The run.

    Raises:
        ReportError: The folder holds no run, its record is damaged, or its environment is missing.
    """
    measurements = tuple(load_results(run_dir))
    return LoadedRun(run_dir, load_environment(run_dir), measurements)
