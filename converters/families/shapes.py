"""What families have in common whose models are known by the shapes of their tensors. Imports no torch, no NumPy."""

from collections.abc import Sequence

from sealbench.converters.cards.card import Card
from sealbench.converters.cards.image_size import ImageSize
from sealbench.converters.errors import ImageSizeError, ModelFileError
from sealbench.converters.families.family import Shapes
from sealbench.converters.tflite.model_file import ModelFile

_CHANNELS = (1, 3, 4)


def picture_size(shape: Sequence[int]) -> ImageSize | None:
    """Size of the picture that a tensor of this shape holds, (1, C, H, W) or (1, H, W, C); None where it holds none.

    Args:
        shape: of a model's input; C is 1, 3 or 4.
    """
    if len(shape) == 4 and shape[1] in _CHANNELS:
        return ImageSize(shape[2], shape[3])
    if len(shape) == 4 and shape[3] in _CHANNELS:
        return ImageSize(shape[1], shape[2])
    return None


def size_of(inputs: Shapes) -> ImageSize:
    """Size of the picture that a model takes first; of another input its last two sides."""
    return picture_size(inputs[0]) or ImageSize(*(1, *inputs[0])[-2:])


def check_one_size(card: Card, inputs: Shapes, size: ImageSize, mode: str) -> None:
    """Refuse any other size than that of the inputs.

    Raises:
        ImageSizeError: it is another size, or the file is to resize inside.
    """
    if size != size_of(inputs) or mode != "simple":
        raise ImageSizeError(
            f"{card.name} takes inputs of {', '.join(map(str, inputs))}; leave --image-size and --no-simple out"
        )


def check_shapes(file: ModelFile, what: str, inputs: Shapes, outputs: Shapes) -> None:
    """Refuse a file of other tensors.

    Args:
        file: the file.
        what: it should be like, for the message.
        inputs, outputs: the shapes, in order.

    Raises:
        ModelFileError: the file takes or gives tensors of other shapes.
    """
    found = tuple(tuple(tensor.shape for tensor in tensors) for tensors in (file.inputs, file.outputs))
    if found != (inputs, outputs):
        raise ModelFileError(
            f"{file.path}: not like {what}; expected {_words(inputs)} -> {_words(outputs)}, found "
            f"{' -> '.join(map(_words, found))}"
        )


def _words(shapes: Shapes) -> str:
    return ", ".join(map(str, shapes))
