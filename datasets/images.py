"""Reading, resizing and writing of 8-bit RGB pictures."""

import secrets
import warnings
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

from sealbench.datasets.errors import DatasetError
from sealbench.datasets.sample import check_image, check_image_size

SUFFIXES = (".jpeg", ".jpg", ".png", ".webp")
"""Suffixes in lower case by which pictures are found in a folder; how one is read, its content decides."""

_FORMATS = ("JPEG", "PNG", "WEBP")
_PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_PNG_DEPTH_OFFSET = 24  # signature 8, chunk length 4, "IHDR" 4, width 4, height 4 (PNG specification, 11.2.1)
_EIGHT_BITS = 8
_WHITE = (255, 255, 255, 255)


def read_image(path: str | Path) -> np.ndarray:
    """Reads a PNG, JPEG or WebP file as the picture that a viewer shows.

    EXIF orientation is applied. Gray, palette, one-bit and CMYK pictures become RGB; transparency is laid
    over white, as on a page. Of an animation the first frame is taken. Colour profiles are ignored.

    Args:
        path: the file.

    Returns:
        (H, W, 3) uint8, RGB, writable.

    Raises:
        DatasetError: the file is missing, of another format, truncated or corrupt, has 16 bits a channel
            (a reduction to 8 would be a choice that belongs to its owner), or more pixels than Pillow's bomb
            limit (89 million).
    """
    path = Path(path)
    try:
        if not path.is_file():
            found = "a folder" if path.is_dir() else "no such file"
            raise DatasetError(f"{path}: {found}; expected a PNG, JPEG or WebP file")
        with path.open("rb") as file:
            head = file.read(_PNG_DEPTH_OFFSET + 1)
            if head.startswith(_PNG_SIGNATURE) and head[_PNG_DEPTH_OFFSET:] > bytes([_EIGHT_BITS]):
                found = f"{head[_PNG_DEPTH_OFFSET]} bits a channel"
                raise DatasetError(f"{path}: found {found}; expected 8; convert it to an 8-bit PNG")
            file.seek(0)
            return _decode(file)
    except DatasetError:
        raise
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise DatasetError(f"{path}: too many pixels to be read safely ({error}); make it smaller") from error
    except PermissionError as error:
        raise DatasetError(f"{path}: no permission to read it; allow reading") from error
    except Exception as error:  # a corrupt file makes Pillow's decoders raise nearly any type
        raise DatasetError(_unreadable(path, error)) from error


def _decode(file: object) -> np.ndarray:
    with warnings.catch_warnings():
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        with Image.open(file, formats=_FORMATS) as opened:  # type: ignore[arg-type]
            opened.load()  # decodes everything: a truncated file fails here
            upright = ImageOps.exif_transpose(opened)
    if upright.has_transparency_data:
        layer = upright.convert("RGBA")
        upright = Image.alpha_composite(Image.new("RGBA", layer.size, _WHITE), layer)
    return np.array(upright.convert("RGB"))


def _unreadable(path: Path, error: Exception) -> str:
    reason = str(error) or type(error).__name__
    return (
        f"{path}: cannot be read as a picture ({reason}); expected a complete PNG, JPEG or WebP file; "
        "copy or export it again"
    )


def resize(image: np.ndarray, height: int, width: int) -> np.ndarray:
    """Resizes with the antialiased bilinear (triangle) filter.

    Pillow rounds to 8 bits after each axis: what a picture of 8 bits becomes. A model's input is made by
    `sealbench.datasets.preprocess`.

    Args:
        image: (H, W, 3) uint8.
        height: pixels of the result, at least 1.
        width: pixels of the result, at least 1.

    Returns:
        (height, width, 3) uint8; a copy where the size is the same already.

    Raises:
        DatasetError: `image` is no such array, or the size is impossible.
    """
    check_image(image)
    height, width = check_image_size((height, width))
    return np.array(Image.fromarray(image).resize((width, height), Image.Resampling.BILINEAR))


def write_png(path: str | Path, image: np.ndarray, alpha: np.ndarray | None = None) -> None:
    """Writes a PNG in one step: readers see the old file or the whole new one. Missing folders are made.

    Args:
        path: where to.
        image: (H, W, 3) uint8, RGB.
        alpha: (H, W) uint8, 255 where it is opaque, or None for a picture without an alpha channel.

    Raises:
        DatasetError: `image` is no such array, or the file cannot be written; nothing is left behind then.
    """
    check_image(image, str(path))
    path = Path(path)
    pixels = image if alpha is None else np.dstack([image, alpha])
    unfinished = path.with_name(f".{path.name}.{secrets.token_hex(4)}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with unfinished.open("xb") as file:
            Image.fromarray(pixels).save(file, format="PNG")
        unfinished.replace(path)  # atomic within one folder
    except OSError as error:
        reason = error.strerror or str(error)
        raise DatasetError(f"{path}: cannot be written ({reason}); choose a folder that you may write to") from error
    finally:
        if path.parent.is_dir():
            unfinished.unlink(missing_ok=True)
