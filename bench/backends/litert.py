"""The backend `litert`: LiteRT's interpreter with its default delegate (XNNPACK), on the CPU."""

from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

from sealbench.bench.backends.interpreter import InterpreterSession

PACKAGE = "ai-edge-litert"


@dataclass(frozen=True)
class LiteRTBackend:
    """See `sealbench.bench.backends.protocol.Backend`."""

    name: str = "litert"

    def missing(self) -> str | None:
        """Never missing: sealbench depends on it."""
        return None

    def load_engine(self) -> None:
        """Import LiteRT's interpreter."""
        from ai_edge_litert import interpreter  # noqa: F401

    def open(self, model: str | Path, threads: int) -> InterpreterSession:
        """Load a `.tflite` file; see `InterpreterSession`."""
        from ai_edge_litert.interpreter import Interpreter

        return InterpreterSession(Interpreter, model, threads)

    def describe(self) -> Mapping[str, str]:
        """LiteRT's version."""
        return {PACKAGE: version(PACKAGE)}


BACKEND = LiteRTBackend()
