"""Images, messages and attacks. A leaf: it knows no model and imports nothing else of this project."""

if __name__ != "sealbench.datasets":  # the checkout's folder, found because it is the working folder
    raise ImportError(f"{__name__!r} is this project's folder; import it as 'sealbench.datasets'", name=__name__)
