"""PyTorch embedder to a float32 `.tflite` file.

As it stands the UNet converts without a word, and the file is wrong. The message's vector (1, hidden, 1, 1) is expanded
to a plane (1, hidden, h, w), the converter brings the plane to channels last for the convolution behind it, and
litert-torch 0.10.0 merges that transpose into the expansion: a BROADCAST_TO of (1, hidden, 1, 1) to (1, h, w, hidden).
Where h equals hidden (`videoseal_nano`: 32) that runs, lays the vector along the image's rows and gives a watermark
that is off by 1.9 in a range from -1 to 1; elsewhere (`videoseal`: 32 and 256) the interpreter refuses the file.
`MessagePlane` expands a vector that has its channels last already, so that nothing is left to merge.
"""

import copy
from pathlib import Path
from typing import cast

import torch
from torch import Tensor, nn

from sealbench.converters.export.float32 import write_float32
from sealbench.converters.models.jnd import luminance
from sealbench.converters.models.unet import MessageProcessor, UNetEmbedder
from sealbench.converters.tflite.embedder import IMAGE, MESSAGE, WATERMARK


class MessagePlane(nn.Module):
    """A `MessageProcessor` that exports: the same plane under the features, to rounding.

    With a vector on_i for bit i set and off_i for bit i clear, the sum over the bits m_i of (on_i if m_i else off_i) is
    sum of m_i * (on_i - off_i) + sum of off_i: one matrix product, where the processor looks rows up by an integer.
    """

    def __init__(self, processor: MessageProcessor):
        super().__init__()
        table = processor.msg_embeddings.weight.detach().double()  # (2 * nbits, hidden): off_0, on_0, off_1, ...
        off, on = table[0::2], table[1::2]
        self.sum = nn.Linear(processor.nbits, processor.hidden_size)
        self.sum.weight = nn.Parameter((on - off).T.float().contiguous())
        self.sum.bias = nn.Parameter(off.sum(dim=0).float())

    def forward(self, latents: Tensor, messages: Tensor) -> Tensor:
        """Latents (B, C, h, w) and messages (B, nbits), float32, 0 or 1, to (B, C + hidden, h, w)."""
        height, width = latents.shape[-2:]
        vector = self.sum(messages)[:, None, None, :]  # (B, 1, 1, hidden)
        plane = vector.expand(-1, height, width, -1).permute(0, 3, 1, 2)  # (B, hidden, h, w)
        return torch.cat([latents, plane], dim=1)


class ChannelsLastEmbedder(nn.Module):
    """What is exported: an embedder that takes and gives channels last, and RGB whatever it works on inside.

    Args:
        embedder: a `UNetEmbedder`; its parameters are shared, and it is not changed.
    """

    def __init__(self, embedder: nn.Module):
        super().__init__()
        shared = {id(value): value for value in (*embedder.parameters(), *embedder.buffers())}
        self.embedder = cast(UNetEmbedder, copy.deepcopy(embedder, shared))
        self.embedder.unet.add_module("msg_processor", MessagePlane(self.embedder.msg_processor))
        del self.embedder.msg_processor  # registered twice; the UNet's is the one that is called

    def forward(self, image: Tensor, message: Tensor) -> dict[str, Tensor]:
        """Image (1, S, S, 3) in [0, 1] and message (1, nbits) of 0 and 1 to `watermark` (1, S, S, C) in [-1, 1].

        C is 1 where the watermark lives in the luminance, and to be added to R, G and B alike, or 3.
        """
        pixels = image.permute(0, 3, 1, 2)  # (1, 3, S, S)
        if self.embedder.channels == 1:
            pixels = luminance(pixels)  # (1, 1, S, S)
        return {WATERMARK: self.embedder(pixels, message).permute(0, 2, 3, 1)}


def export_embedder_float32(embedder: nn.Module, nbits: int, side: int, path: Path) -> None:
    """Convert an embedder to float32 and write it to `path`.

    Args:
        embedder: a `UNetEmbedder` in evaluation mode.
        nbits: bits of its messages.
        side: S, of the images in pixels; what `Watermarker.image_size` says.
        path: of the `.tflite` file; its inputs are named `image` (1, S, S, 3) in [0, 1] and `message` (1, nbits), its
            output `watermark` (1, S, S, C) in [-1, 1], all float32. The watermark is raw: it is resized to the image,
            attenuated and added by whoever runs the file (see `sealbench.converters.models.watermarker`).
    """
    samples = {IMAGE: torch.zeros(1, side, side, 3), MESSAGE: torch.zeros(1, nbits)}
    write_float32(ChannelsLastEmbedder(embedder).eval(), path, sample_kwargs=samples)
