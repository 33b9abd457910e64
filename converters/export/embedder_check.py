"""How close a converted embedder's watermarks are to PyTorch's, on evaluation photographs."""

from pathlib import Path

import numpy as np
import torch

from sealbench.converters.cards.watermark import Variant
from sealbench.converters.embedding import embed_pictures
from sealbench.converters.models.jnd import luminance
from sealbench.converters.models.watermarker import Watermarker
from sealbench.converters.tflite.embedder import TFLiteEmbedder, tflite_watermarker
from sealbench.datasets.messages import random_messages
from sealbench.datasets.photographs import photo_samples

COMPARED = 4  # photographs, each with a message of its own
READ = 24  # crops of photographs that are watermarked and read, likewise


def largest_difference(watermarker: Watermarker, variant: Variant, path: Path) -> float:
    """Largest absolute difference of the file's raw watermarks, from -1 to 1, to PyTorch's on some photographs."""
    side = variant.image_size
    photos = np.stack([sample.image for sample in photo_samples("evaluation", (side, side), COMPARED)])
    images = torch.from_numpy(photos).permute(0, 3, 1, 2).float() / 255  # (B, 3, S, S)
    messages = torch.from_numpy(random_messages(COMPARED, variant.nbits, seed=0))  # (B, nbits)
    pixels = luminance(images) if watermarker.embedder.channels == 1 else images
    with torch.inference_mode():
        expected = watermarker.embedder(pixels, messages)
        return float((TFLiteEmbedder(path)(images, messages) - expected).abs().max())


def bits_read(watermarker: Watermarker, variant: Variant, path: Path) -> tuple[float, float]:
    """Percent of bits that PyTorch's detector reads right: of the file's watermark, and of PyTorch's."""
    side = variant.image_size
    photos = [sample.image for sample in photo_samples("evaluation", (side, side), READ)]
    messages = random_messages(READ, variant.nbits, seed=0)  # (READ, nbits)

    def read(embedding: Watermarker) -> float:
        right = 0
        for picture, message in zip(embed_pictures(embedding, photos, messages), messages, strict=True):
            with torch.inference_mode():
                logits = watermarker.detect(torch.from_numpy(picture).permute(2, 0, 1)[None].float() / 255)
            right += int(((logits[0, 1:].numpy() > 0) == message).sum())
        return 100 * right / messages.size

    return read(tflite_watermarker(variant, path)), read(watermarker)
