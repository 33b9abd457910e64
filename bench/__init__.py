"""Runners, metrics, latency, the pytest plugin and the suites that measure artifacts."""

if __name__ != "sealbench.bench":  # the checkout's folder, found because it is the working folder
    raise ImportError(f"{__name__!r} is this project's folder; import it as 'sealbench.bench'", name=__name__)
