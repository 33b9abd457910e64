"""Files of a training: the resumable checkpoint, the weights to ship, and the log of the curves."""

import csv
import io
import json
import pickle
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from sealbench.converters.errors import ConverterError

FORMAT = 2
"""Raise it when the trainer's progress or its losses change: a resumed training would be neither of the two."""
_KEYS = {"format", "variant", "recipe", "model", "average", "optimizer", "progress"}
_TWIN = "embedder.msg_processor."

CURVE_COLUMNS = (
    "step",
    "phase",
    "resolution",
    "loss",
    "bit_accuracy",
    "confidence_accuracy",
    "psnr_db",
    "scaling",
    "bits_shown",
    "visibility",
    "minutes",
)


class TrainingError(ConverterError):
    """A checkpoint or output folder that training cannot be resumed from."""


def replace_file(path: Path, content: bytes) -> None:
    """Write a file so that it is there whole or not at all, even when the program is killed."""
    partial = path.with_name(path.name + ".partial")
    partial.write_bytes(content)
    partial.replace(path)


def save_checkpoint(path: Path, state: Mapping[str, Any]) -> None:
    """Save everything that `load_checkpoint` returns; tensors, plain containers and text only."""
    buffer = io.BytesIO()
    torch.save({"format": FORMAT, **state}, buffer)
    replace_file(path, buffer.getvalue())


def load_checkpoint(path: Path, variant: str, recipe: str) -> dict[str, Any]:
    """Read a checkpoint without unpickling objects.

    Args:
        path: the file.
        variant: the name it must be of.
        recipe: the fingerprint it must be of: a training resumed under another recipe would be neither of the two.

    Raises:
        TrainingError: no such file, not a whole checkpoint of this format, or of another variant or recipe.
    """
    if not path.is_file():
        raise TrainingError(f"{path}: no such checkpoint; start without --resume")
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except (pickle.UnpicklingError, RuntimeError, OSError, EOFError, ValueError, KeyError) as error:
        first_line = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise TrainingError(
            f"{path}: not a training checkpoint ({first_line}); start again without --resume in another folder"
        ) from error
    if not isinstance(state, dict) or set(state) != _KEYS or state["format"] != FORMAT:
        raise TrainingError(f"{path}: not a training checkpoint of format {FORMAT}; found another file")
    for what, expected in (("variant", variant), ("recipe", recipe)):
        if state[what] != expected:
            raise TrainingError(
                f"{path}: of the {what} {state[what]}, expected {expected}; resume it with the options it was "
                "started with, or start from its weights with --init"
            )
    return state


def save_weights(path: Path, watermarker: nn.Module, metadata: Mapping[str, str]) -> None:
    """Write embedder and detector as float32 safetensors, under upstream's names.

    The message processor, which a watermarker registers twice, is stored once; constants are left out.
    """
    tensors: dict[str, Tensor] = {}
    for key, value in watermarker.state_dict().items():
        if key.startswith(("embedder.", "detector.")) and not key.startswith(_TWIN):
            kept = value.detach().cpu()
            tensors[key] = (kept.float() if kept.is_floating_point() else kept).clone().contiguous()
    partial = path.with_name(path.name + ".partial")
    save_file(tensors, partial, metadata=dict(metadata))
    partial.replace(path)


class CurveLog:
    """The log of the curves, a CSV file that survives being killed.

    Args:
        path: the file; rows of it up to `step` are kept, later ones dropped: a resumed training makes them again.
        step: the number of steps done.
    """

    def __init__(self, path: Path, step: int):
        self._path = path
        kept = []
        if step and path.is_file():
            with path.open(newline="", encoding="utf-8") as file:
                kept = [row for row in csv.DictReader(file) if int(row["step"]) <= step]
        text = io.StringIO()
        writer = csv.DictWriter(text, CURVE_COLUMNS, lineterminator="\n")
        writer.writeheader()
        writer.writerows(kept)
        replace_file(path, text.getvalue().encode())

    def append(self, row: Mapping[str, object]) -> None:
        """Add a row; its keys are CURVE_COLUMNS."""
        with self._path.open("a", newline="", encoding="utf-8") as file:
            csv.DictWriter(file, CURVE_COLUMNS, lineterminator="\n").writerow(row)


def dump_progress(progress: Mapping[str, Any]) -> str:
    """Progress as text: the random generator's state holds integers beyond 64 bits."""
    return json.dumps(progress)


def parse_progress(text: str) -> dict[str, Any]:
    """The reverse of `dump_progress`."""
    loaded: dict[str, Any] = json.loads(text)
    return loaded
