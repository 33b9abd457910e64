"""Errors a user can fix; every message names the file, what was found, what was expected and what to do."""


class ConverterError(ValueError):
    """Base of all errors of this folder that are the input's fault, not the program's."""


class UnknownNameError(ConverterError):
    """A name that is not in a registry; the message lists the known ones."""

    def __init__(self, kind: str, name: str, known: tuple[str, ...]):
        super().__init__(f"unknown {kind} {name!r}; known: {', '.join(known)}")


class WrongTaskError(ConverterError):
    """A model that is not for what was asked of it."""


class RegistryError(ConverterError):
    """A family, task or backend that no package provides, or that cannot be loaded."""


class CardError(ConverterError):
    """A card that has other keys or values than its family's, or the name of another card."""


class FactoryError(ConverterError):
    """A user's own factory that cannot be called, or gives something else than a model with its inputs."""


class WeightsError(ConverterError):
    """A checkpoint that is missing, unreadable or of another variant."""


class DownloadError(WeightsError):
    """A checkpoint that cannot be downloaded, or is not the one that was downloaded before."""


class ImageSizeError(ConverterError):
    """An image size that is not a size, or that the architecture cannot take."""


class ModelFileError(ConverterError):
    """A `.tflite` file that is missing, truncated, not a model, or of another signature."""


class StoreError(ConverterError):
    """An artifact store or output folder that cannot be used."""
