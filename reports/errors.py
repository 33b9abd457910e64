"""The two errors that this package raises on purpose; both are plain ValueErrors with one clear sentence."""


class ReportError(ValueError):
    """A record or a run directory is not what it must be; the message names the path or the value."""


class GateError(ReportError):
    """A gate is not well-formed; it names the file, the gate's number, what was found and expected."""
