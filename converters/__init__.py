"""From a variant card to a `.tflite` file: definitions, weights, export, quantization, the artifact store."""

if __name__ != "sealbench.converters":  # the checkout's folder, found because it is the working folder
    raise ImportError(f"{__name__!r} is this project's folder; import it as 'sealbench.converters'", name=__name__)
