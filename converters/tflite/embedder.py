"""A converted embedder in the place of the PyTorch one."""

from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from sealbench.converters.cards.watermark import Variant
from sealbench.converters.errors import ConverterError, ModelFileError
from sealbench.converters.models.build import build_watermarker
from sealbench.converters.models.watermarker import Watermarker
from sealbench.converters.tflite.model_file import read_model_file

# Names in the file's signature: an app hands its inputs over by name and cannot swap them.
IMAGE, MESSAGE, WATERMARK = "image", "message", "watermark"


class TFLiteEmbedder(nn.Module):
    """Runs a file of `export_embedder`; a `Watermarker` takes it as its embedder.

    Args:
        path: the file.
        threads: of the interpreter, at least 1.

    Attributes:
        channels: 3: it is given RGB and computes the luminance itself where it needs it.
        image_size: S, the side in pixels of the images it takes.
        nbits: bits of its messages.

    Raises:
        ModelFileError: the file is missing, damaged, or no embedder.
    """

    channels = 3

    def __init__(self, path: Path, threads: int = 2):
        super().__init__()
        read_model_file(path)  # refuses what is no model, or is damaged, before the interpreter maps it
        from ai_edge_litert.interpreter import Interpreter

        try:
            self._run = Interpreter(model_path=str(path), num_threads=threads).get_signature_runner()
        except (ValueError, RuntimeError) as error:
            raise ModelFileError(f"{path}: cannot be run ({error})") from error
        self.path = path
        self.image_size, self.nbits = _read_signature(
            path, self._run.get_input_details(), self._run.get_output_details()
        )

    def forward(self, images: Tensor, messages: Tensor) -> Tensor:
        """Images (B, 3, S, S) in [0, 1] and messages (B, nbits) to watermarks (B, 1 or 3, S, S) in [-1, 1].

        Raises:
            ConverterError: a message has another length, or other values than 0 and 1.
        """
        if messages.shape[1:] != (self.nbits,) or not ((messages == 0) | (messages == 1)).all():
            raise ConverterError(
                f"{self.path}: takes messages of {self.nbits} bits, each 0 or 1; found {tuple(messages.shape[1:])} "
                f"from {messages.min().item():g} to {messages.max().item():g}"
            )
        pixels = images.permute(0, 2, 3, 1).contiguous().numpy()  # (B, S, S, 3)
        bits = messages.float().numpy()
        marks = [
            self._run(**{IMAGE: pixels[i : i + 1], MESSAGE: bits[i : i + 1]})[WATERMARK] for i in range(len(pixels))
        ]  # (1, S, S, C) each
        return torch.from_numpy(np.concatenate(marks)).permute(0, 3, 1, 2)  # (B, C, S, S)


def tflite_watermarker(variant: Variant, path: Path, detector: nn.Module | None = None) -> Watermarker:
    """A variant's watermarker that embeds with a `.tflite` file; `embedding.embed_pictures` takes it as any other.

    The file's watermark is resized, attenuated and blended as the PyTorch embedder's is.

    Args:
        variant: its card.
        path: the converted embedder.
        detector: what `detect` uses; left out where pictures are only watermarked.

    Raises:
        ModelFileError: the file is missing, damaged, no embedder, or another variant's.
    """
    embedder = TFLiteEmbedder(path)
    if (embedder.image_size, embedder.nbits) != (variant.image_size, variant.nbits):
        raise ModelFileError(
            f"{path}: embeds {embedder.nbits} bits at {embedder.image_size} pixels; "
            f"{variant.name} has {variant.nbits} bits at {variant.image_size}"
        )
    return build_watermarker(variant, embedder=embedder, detector=detector or nn.Identity())


def _read_signature(path: Path, inputs: dict[str, Any], outputs: dict[str, Any]) -> tuple[int, int]:
    """Side of the images and bits of the messages of a file that keeps the contract; ModelFileError for any other."""
    tensors = inputs | outputs
    shapes = {name: tuple(int(side) for side in tensor["shape"]) for name, tensor in tensors.items()}
    floats = all(tensor["dtype"] is np.float32 for tensor in tensors.values())
    match shapes:
        case {"image": (1, side, width, 3), "message": (1, nbits), "watermark": (1, height, other, 1 | 3)} if (
            floats and side == width == height == other and set(inputs) == {IMAGE, MESSAGE}
        ):
            return side, nbits
    found = ", ".join(f"{name} {np.dtype(tensors[name]['dtype']).name} {shape}" for name, shape in shapes.items())
    raise ModelFileError(
        f"{path}: not an embedder; expected the float32 inputs image (1, side, side, 3) and message (1, bits) and the "
        f"output watermark (1, side, side, 1 or 3), found {found}"
    )
