"""From a frame to what the files of UVQ's networks take, by the same functions as the chain."""

import numpy as np
import torch

from sealbench.converters.models.uvq.networks import ContentNet, DistortionNet, content_view, patch_views
from sealbench.converters.models.uvq.shapes import FRAME


def signed(frame: np.ndarray) -> np.ndarray:
    """A frame (1080, 1920, 3) uint8 as the chain takes it: (1, 1080, 1920, 3) float32 in [-1, 1].

    Raises:
        ValueError: the frame has another shape or type.
    """
    if frame.shape != (*FRAME, 3) or frame.dtype != np.uint8:
        raise ValueError(f"found a frame {frame.shape} {frame.dtype}; expected {(*FRAME, 3)} uint8")
    return (frame.astype(np.float32) / np.float32(127.5) - np.float32(1))[None]


def content_input(frame: np.ndarray) -> np.ndarray:
    """A frame (1080, 1920, 3) uint8 as ContentNet's file takes it: (1, 256, 256, 3) float32 in [-1, 1]."""
    view = content_view(torch.from_numpy(signed(frame)).permute(0, 3, 1, 2))
    return view.permute(0, 2, 3, 1).contiguous().numpy()


def distortion_input(frame: np.ndarray) -> np.ndarray:
    """A frame (1080, 1920, 3) uint8 as DistortionNet's file takes it: (9, 360, 640, 3) float32 in [-1, 1]."""
    patches = patch_views(torch.from_numpy(signed(frame)).permute(0, 3, 1, 2))
    return patches.permute(0, 2, 3, 1).contiguous().numpy()


def features(frame: np.ndarray, content: ContentNet, distortion: DistortionNet) -> tuple[np.ndarray, np.ndarray]:
    """What the two networks see in a frame, as AggregationNet's file takes it: (1, 8, 8, 128) and (1, 24, 24, 128)."""
    with torch.inference_mode():
        seen = content(torch.from_numpy(content_input(frame)).permute(0, 3, 1, 2))
        done = distortion(torch.from_numpy(distortion_input(frame)).permute(0, 3, 1, 2))
    return seen.contiguous().numpy(), done.contiguous().numpy()
