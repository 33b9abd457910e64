"""A detector that converts in seconds, for tests that need a real `.tflite` file."""

import tempfile
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from sealbench.converters.cards.image_size import ImageSize
from sealbench.converters.cards.watermark import Blending, ConvNeXtCard, EmbedderCard, Variant
from sealbench.converters.checkpoints.loading import load_watermarker
from sealbench.converters.families.weight_sources import find_weights

if TYPE_CHECKING:
    from sealbench.converters.models.watermarker import Watermarker

SIZE = (32, 32)
NBITS = 4
TINY = Variant(
    name="tiny",
    task="watermark",
    nbits=NBITS,
    image_size=32,
    detector=ConvNeXtCard(depths=(1, 1, 1, 1), dims=(8, 8, 8, 8), stem_stride=1),
    embedder=EmbedderCard(hidden_size=4, channels=1, widths=(4, 4, 4, 4), num_blocks=1, upsampling="conv"),
    blending=Blending(jnd_in_channels=1, jnd_out_channels=1, scaling_w=0.2),
)


@cache
def tiny_watermarker() -> "Watermarker":
    """Embedder and detector with seeded values."""
    return load_watermarker(TINY, find_weights(TINY, "seeded"))


@cache
def tiny_tflite() -> bytes:
    """The detector's float32 file; converted once a session."""
    from sealbench.converters.export.detector import export_float32

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "tiny.tflite"
        export_float32(tiny_watermarker().detector, TINY, ImageSize(*SIZE), "simple", path)
        return path.read_bytes()


@cache
def file_like_nano() -> bytes:
    """A float32 file with the signature of videoseal_nano's detector at 256 pixels, which converts in no time."""
    import litert_torch
    import torch

    class Detector(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.head = torch.nn.Linear(3, 33)

        def forward(self, images: torch.Tensor) -> torch.Tensor:
            found: torch.Tensor = self.head(images.mean(dim=(1, 2)))
            return found

    torch.manual_seed(0)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "detector.tflite"
        litert_torch.convert(Detector().eval(), (torch.rand(1, 256, 256, 3),)).export(str(path))
        return path.read_bytes()
