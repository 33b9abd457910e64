"""A folder of the user's own pictures, with or without a manifest of the messages that they carry."""

import csv
from pathlib import Path

import numpy as np

from sealbench.datasets.errors import DatasetError
from sealbench.datasets.images import SUFFIXES, read_image
from sealbench.datasets.messages import parse_message
from sealbench.datasets.sample import Sample, check_count, check_message_length

__all__ = ["MANIFEST", "check_message_length", "folder_samples"]

MANIFEST = "manifest.csv"
"""Columns file,message: its presence says that the pictures of the folder are watermarked already."""

_COLUMNS = ("file", "message")


def folder_samples(folder: str | Path, limit: int | None = None) -> list[Sample]:
    """Reads the pictures of a folder at their native size, in the order of their names.

    Pictures are the files that end in one of SUFFIXES, in any case; hidden files and sub-folders are passed
    over. With a manifest every picture must have one row and every row a picture; all messages have one
    length, which `check_message_length` compares with a detector's. The whole manifest is checked before a
    picture is decoded, and each picture is decoded once.

    Args:
        folder: the folder.
        limit: at most so many, the first ones; None for all.

    Returns:
        Samples of role evaluation; id and source are the file name.

    Raises:
        DatasetError: no such folder, no picture in it, an unreadable picture, or a manifest that breaks
            these rules.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise DatasetError(f"{folder}: no such folder; expected a folder of pictures ({' '.join(SUFFIXES)})")
    names = _picture_names(folder)
    manifest = folder / MANIFEST
    messages = _read_manifest(manifest, names) if manifest.exists() else {}
    if not names:
        raise DatasetError(f"{folder}: no picture was found; expected files that end in {' '.join(SUFFIXES)}")
    if limit is not None:
        names = names[: check_count(limit)]
    return [
        Sample(
            id=name,
            image=read_image(folder / name),
            message=messages.get(name),
            role="evaluation",
            source=name,
            generated=False,
            watermarked=name in messages,
        )
        for name in names
    ]


def _picture_names(folder: Path) -> list[str]:
    try:
        entries = list(folder.iterdir())
    except OSError as error:
        raise DatasetError(f"{folder}: cannot be listed ({error.strerror}); allow reading it") from error
    return sorted(
        entry.name
        for entry in entries
        if entry.suffix.lower() in SUFFIXES and not entry.name.startswith(".") and entry.is_file()
    )


def _read_manifest(manifest: Path, names: list[str]) -> dict[str, np.ndarray]:
    """The message of each picture; `names` are the pictures that are really there."""
    messages: dict[str, np.ndarray] = {}
    lines: dict[str, int] = {}
    for line, name, text in _rows(manifest):
        where = f"{manifest}, line {line}"
        if name in lines:
            raise DatasetError(f"{where}: {name} is listed a second time (first on line {lines[name]}); keep one row")
        _check_name(where, name, manifest.parent, names)
        message = parse_message(text, origin=f"{where}, message of {name}")
        first = next(iter(messages.values()), message)
        if message.size != first.size:
            raise DatasetError(
                f"{where}: the message of {name} has {message.size} bits, expected {first.size} "
                "as in the rows before; keep messages of different lengths in different folders"
            )
        messages[name], lines[name] = message, line
    unlisted = [name for name in names if name not in messages]
    if unlisted:
        raise DatasetError(
            f"{manifest}: has no row for {', '.join(unlisted[:5])}{' ...' if len(unlisted) > 5 else ''}; "
            "add the message of every picture, or move pictures without a watermark to another folder"
        )
    return messages


def _check_name(where: str, name: str, folder: Path, names: list[str]) -> None:
    if name in names:
        return
    if not name or Path(name).name != name or "\\" in name:
        raise DatasetError(f"{where}: found file {name!r}; expected the plain name of a picture beside the manifest")
    if not (folder / name).exists():
        raise DatasetError(f"{where}: the file {name} is missing in {folder}; add it or remove the row")
    raise DatasetError(f"{where}: {name} is not a picture that can be read; expected one of {' '.join(SUFFIXES)}")


def _rows(manifest: Path) -> list[tuple[int, str, str]]:
    """Line number, file and message of every row."""
    rows = []
    try:
        with manifest.open(encoding="utf-8-sig", newline="") as file:  # -sig: spreadsheets write a byte-order mark
            reader = csv.reader(file, strict=True, skipinitialspace=True)
            header = [cell.strip() for cell in next(reader, [])]
            if sorted(header) != sorted(_COLUMNS):
                raise DatasetError(
                    f"{manifest}: found the columns {','.join(header) or 'none'}; expected "
                    f"{','.join(_COLUMNS)} on the first line"
                )
            for cells in reader:
                if not any(cell.strip() for cell in cells):
                    continue
                if len(cells) != len(header):
                    raise DatasetError(
                        f"{manifest}, line {reader.line_num}: found {len(cells)} cells; expected "
                        f"{len(header)}: {','.join(header)}"
                    )
                row = dict(zip(header, cells, strict=True))
                rows.append((reader.line_num, row["file"].strip(), row["message"]))
    except UnicodeDecodeError as error:
        raise DatasetError(f"{manifest}: is not UTF-8 text; save it as CSV in UTF-8") from error
    except csv.Error as error:
        raise DatasetError(f"{manifest}: is not valid CSV ({error}); expected rows of file,message") from error
    except OSError as error:
        raise DatasetError(f"{manifest}: cannot be read ({error.strerror}); allow reading it") from error
    return rows
