"""Record schema, gates, tables and plots. A leaf: it never measures and imports no torch and no LiteRT."""

if __name__ != "sealbench.reports":  # the checkout's folder, found because it is the working folder
    raise ImportError(f"{__name__!r} is this project's folder; import it as 'sealbench.reports'", name=__name__)
