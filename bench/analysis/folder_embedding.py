"""Watermarks a folder of pictures, and writes beside them what they carry."""

import csv
import io
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from sealbench.converters.cards.watermark import Variant
from sealbench.converters.checkpoints.loading import load_watermarker
from sealbench.converters.checkpoints.weights import Weights
from sealbench.converters.command_line import writable_folder
from sealbench.converters.embedding import embed_pictures
from sealbench.converters.models.watermarker import Watermarker
from sealbench.datasets.errors import DatasetError
from sealbench.datasets.folder import MANIFEST
from sealbench.datasets.images import SUFFIXES, write_png
from sealbench.datasets.messages import format_bits, message_from_argument, random_messages
from sealbench.datasets.transparency import read_with_alpha
from sealbench.reports.files import write_atomically
from sealbench.reports.statistics.bits import psnr_db


@dataclass(frozen=True)
class Embedded:
    """What became of a folder.

    Attributes:
        manifest: the file that says what each picture carries.
        psnr_db: of each picture that was written, against its original.
        with_alpha: how many of them have an alpha channel.
        errors: one line for each picture that could not be read.
    """

    manifest: Path
    psnr_db: tuple[float, ...]
    with_alpha: int
    errors: tuple[str, ...]


def check_folders(folder: Path, out: Path) -> list[Path]:
    """The pictures of a folder, in the order of their names, if they can all be written to another.

    Args:
        folder: of pictures; sub-folders and hidden files are passed over.
        out: for the watermarked ones; it may be missing, and holds nothing otherwise.

    Raises:
        DatasetError: there is no such folder, no picture in it, or one that carries a watermark already; two pictures
            would be written to one file; or something would be written over, or taken for part of the result.
    """
    if not folder.is_dir():
        raise DatasetError(f"{folder}: no such folder; expected a folder of pictures ({' '.join(SUFFIXES)})")
    if (folder / MANIFEST).exists():
        raise DatasetError(
            f"{folder}: has a {MANIFEST}, so its pictures are watermarked already; give a folder of plain pictures"
        )
    try:
        pictures = sorted(
            path
            for path in folder.iterdir()
            if path.suffix.lower() in SUFFIXES and not path.name.startswith(".") and path.is_file()
        )
    except OSError as error:
        raise DatasetError(f"{folder}: cannot be listed ({error.strerror}); allow reading it") from error
    if not pictures:
        raise DatasetError(f"{folder}: no picture was found; expected files that end in {' '.join(SUFFIXES)}")
    names = Counter(_png_name(path).lower() for path in pictures)  # some file systems know no case
    if twice := [path.name for path in pictures if names[_png_name(path).lower()] > 1]:
        raise DatasetError(f"{folder}: {' and '.join(twice[:2])} would be written to one PNG; rename one of them")
    if out.is_dir() and any(out.iterdir()):
        raise DatasetError(f"--out {out}: holds files already, and nothing is written over; choose a new folder")
    return pictures


def messages_for(count: int, variant: Variant, message: str | None, seed: int) -> np.ndarray:
    """What each picture is to carry: (count, nbits) uint8 of 0 and 1.

    Args:
        count: of pictures.
        variant: says how many bits.
        message: for all of them, as `message_from_argument` takes it, or None for random ones.
        seed: of the random ones.

    Raises:
        DatasetError: the message is none, or of another length.
    """
    if message is None:
        return random_messages(count, variant.nbits, seed)
    return np.tile(message_from_argument(message, variant.nbits), (count, 1))


def embed_folder(pictures: list[Path], messages: np.ndarray, out: Path, variant: Variant, weights: Weights) -> Embedded:
    """Watermark pictures one by one and write each as PNG, then the manifest of those that were written.

    An alpha channel is written as it was, and the colours below it are watermarked.

    Args:
        pictures: see `check_folders`.
        messages: (n, nbits), one for each picture.
        out: folder for them; made where it is missing.
        variant, weights: of the embedder.

    Raises:
        WeightsError: the checkpoint does not fit.
        DatasetError, ReportError, StoreError: a file cannot be written.
    """
    watermarker = load_watermarker(variant, weights)
    writable_folder(out, "--out")
    rows, psnr, errors, with_alpha = [("file", "message")], [], [], 0
    for path, message in zip(pictures, messages, strict=True):
        try:
            original, alpha = read_with_alpha(path)
        except DatasetError as error:
            errors.append(str(error))
            continue
        marked = _embed(watermarker, original, message)
        write_png(out / _png_name(path), marked, alpha)
        with_alpha += alpha is not None
        rows.append((_png_name(path), format_bits(message)))
        psnr.append(psnr_db(marked, original))
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    manifest = write_atomically(out / MANIFEST, text.getvalue())
    return Embedded(manifest, tuple(psnr), with_alpha, tuple(errors))


def _embed(watermarker: Watermarker, picture: np.ndarray, message: np.ndarray) -> np.ndarray:
    (marked,) = embed_pictures(watermarker, [picture], message[np.newaxis])
    return marked


def _png_name(path: Path) -> str:
    return f"{path.stem}.png"
