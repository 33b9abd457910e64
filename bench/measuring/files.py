"""The files of a group: converted once or handed in, and what is known of each without running it."""

import tempfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from sealbench.bench.backends.worker.process import call_in_worker
from sealbench.bench.targets import Target
from sealbench.converters.families import Model
from sealbench.converters.store import Artifact, ArtifactSpec, ArtifactStore, sha256_again
from sealbench.converters.tflite.contents import FileContents
from sealbench.converters.tflite.weight_slopes import WeightSlope, weight_slopes

_SLOPES = "sealbench.converters.tflite.weight_slopes:slopes_as_json"
_CONTENTS = "sealbench.converters.tflite.contents:contents_as_json"


class GroupFiles:
    """Files of one group's targets.

    Args:
        store: makes artifacts.
        model: the PyTorch model that they are made of.
        given: the file to measure instead of converting, or None.
    """

    def __init__(self, store: ArtifactStore, model: Model, given: Path | None):
        self._store = store
        self._model = model
        self.given = given
        self._artifacts: dict[ArtifactSpec, Artifact | Exception] = {}
        self._contents: dict[tuple[Path, int], FileContents] = {}

    def convert(self, target: Target) -> Artifact:
        """The file of a target of this group from the store, converted if it is not there.

        Raises:
            Exception: whatever the converter raised; it is not tried again for every suite.
        """
        spec = target.spec
        if spec not in self._artifacts:
            try:
                self._artifacts[spec] = self._store.get(spec, self._model)
            except Exception as error:
                self._artifacts[spec] = error
        artifact = self._artifacts[spec]
        if isinstance(artifact, Exception):
            raise artifact
        return artifact

    def sha256_again(self, target: Target) -> str:
        """See `sealbench.converters.store.sha256_again`."""
        return sha256_again(target.spec)

    def path(self, target: Target) -> Path:
        """The file that a target measures: the one that was given, or the converted one."""
        return self.given or self.convert(target).path

    def contents(self, target: Target) -> FileContents:
        """What a target's file holds, read in a worker process; once for each file.

        Raises:
            RunnerError: the file cannot be read, or the process died of it.
        """
        key = (self.path(target), target.threads)
        if key not in self._contents:
            found = call_in_worker(str(key[0]), _CONTENTS, path=str(key[0]), threads=key[1])
            self._contents[key] = FileContents(**found)
        return self._contents[key]

    def slopes(self, target: Target, state: Mapping[str, np.ndarray], image_scale: float) -> tuple[WeightSlope, ...]:
        """See `sealbench.converters.tflite.weight_slopes.weight_slopes`; a file that was given is read in a worker.

        Raises:
            RunnerError, ModelFileError: the file cannot be read, or the process died of it.
        """
        path = self.path(target)
        if self.given is None:
            return weight_slopes(path, state, image_scale)
        with tempfile.TemporaryDirectory() as folder:
            source = Path(folder) / "state.npz"
            np.savez(source, allow_pickle=False, **state)
            arguments = {"path": str(path), "state": str(source), "image_scale": image_scale}
            return tuple(WeightSlope(**one) for one in call_in_worker(str(path), _SLOPES, **arguments))

    def weight_bytes(self, target: Target) -> int:
        """What a target's weights take while it runs: those that are computed in float32 are unpacked to it."""
        file = target.float32 if target.precision.compute == "float32" else target
        return self.path(file).stat().st_size
