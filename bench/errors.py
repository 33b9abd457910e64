"""What ends a command with one sentence instead of a traceback. Imports no torch and no LiteRT."""

from sealbench.converters.errors import ConverterError
from sealbench.datasets.errors import DatasetError
from sealbench.reports.errors import ReportError

USAGE_ERROR = 2
"""Exit code of a command whose input is wrong."""


class BenchError(ValueError):
    """Base of the errors of this folder that are the input's fault, not the program's."""


class OptionError(BenchError):
    """An option of the command line has a value that is not accepted; the message lists what is."""


class RunnerError(BenchError):
    """A model cannot be loaded or run, or its input has another shape; the message names the file."""


class WorkerError(RunnerError):
    """A worker process reports an error, was killed, ended or hangs; the message names what it worked on, and how."""


INPUT_ERRORS = (BenchError, ConverterError, DatasetError, ReportError)


def check_threads(threads: int) -> None:
    """Raise RunnerError for less than one thread."""
    if threads < 1:
        raise RunnerError(f"{threads} threads were asked for; expected at least 1")
