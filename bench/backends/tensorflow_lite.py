"""The backend `tensorflow`: TensorFlow's own build of the interpreter, a second opinion on LiteRT's kernels."""

from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

from sealbench.bench.backends.interpreter import InterpreterSession
from sealbench.bench.errors import RunnerError

PACKAGE = "tensorflow"
INSTALL = "pip install 'sealbench[tensorflow]'"


@dataclass(frozen=True)
class TensorFlowBackend:
    """See `sealbench.bench.backends.protocol.Backend`."""

    name: str = "tensorflow"

    def missing(self) -> str | None:
        """The command that installs TensorFlow, where it is not installed."""
        return INSTALL if find_spec(PACKAGE) is None else None

    def load_engine(self) -> None:
        """Import TensorFlow; RunnerError where it is not installed."""
        try:
            import tensorflow  # noqa: F401
        except ImportError as error:
            raise RunnerError(f"the backend {self.name} needs TensorFlow, which is not installed: {INSTALL}") from error

    def open(self, model: str | Path, threads: int) -> InterpreterSession:
        """Load a `.tflite` file; see `InterpreterSession`."""
        self.load_engine()
        from tensorflow import lite

        return InterpreterSession(lite.Interpreter, model, threads)

    def describe(self) -> Mapping[str, str]:
        """TensorFlow's version."""
        return {PACKAGE: version(PACKAGE)}


BACKEND = TensorFlowBackend()
