"""Messages: the bits that a watermark carries."""

from pathlib import Path

import numpy as np

from sealbench.datasets.errors import DatasetError
from sealbench.datasets.sample import check_message

_LONGEST_FILE_BYTES = 1 << 20


def random_messages(count: int, nbits: int, seed: int) -> np.ndarray:
    """Fair random messages.

    Args:
        count: how many, not negative.
        nbits: bits of each, at least 1.
        seed: not negative. A smaller count gives the beginning of a larger one.

    Returns:
        (count, nbits) uint8 of 0 and 1.

    Raises:
        DatasetError: a negative count or fewer bits than one.
    """
    if count < 0 or nbits < 1:
        raise DatasetError(f"{count} messages of {nbits} bits were asked for; expected a count >= 0 and bits >= 1")
    return np.random.default_rng(seed).random((count, nbits)).round().astype(np.uint8)


def format_bits(message: np.ndarray) -> str:
    """Writes a message as `0101...`, the first bit first; `parse_message` reads it back.

    Raises:
        DatasetError: `message` is not (nbits,) uint8 of 0 and 1.
    """
    return "".join("1" if bit else "0" for bit in check_message(message))


def parse_message(text: str, nbits: int | None = None, *, origin: str = "message") -> np.ndarray:
    """Reads a message that is written out.

    Args:
        text: bits (`0101...`), or hexadecimal after `0x` (four bits a digit, the highest first, leading
            zeros count). White space anywhere is ignored.
        nbits: the expected length, or None for any.
        origin: what the error calls it, such as a file and a line.

    Returns:
        (nbits,) uint8 of 0 and 1.

    Raises:
        DatasetError: another character, no bits, or another length; the message has what was found and expected.
    """
    packed = "".join(text.split())
    expected = "any number of" if nbits is None else str(nbits)
    want = f"expected {expected} bits written as 0 and 1, or as 0x and hexadecimal digits"
    if packed[:2].lower() == "0x":
        digits, known, width = packed[2:], "0123456789abcdefABCDEF", 4
    else:
        digits, known, width = packed, "01", 1
    if not digits:
        raise DatasetError(f"{origin}: found no bits; {want}")
    for position, character in enumerate(digits, start=1):
        if character not in known:
            raise DatasetError(f"{origin}: found {character!r} as digit {position}; {want}")
    bits = "".join(f"{int(digit, 16):0{width}b}" for digit in digits)
    if nbits is not None and len(bits) != nbits:
        raise DatasetError(f"{origin}: found {len(bits)} bits; {want}; check the message and the variant")
    return np.array([int(bit) for bit in bits], np.uint8)


def message_from_argument(text: str, nbits: int | None = None) -> np.ndarray:
    """Reads the value of a command-line option BITS_OR_FILE.

    What can be read as a message is one; a file of such a name is meant by `./0101`.

    Args:
        text: a message as `parse_message` takes it, or the path of a text file (UTF-8) that holds one.
        nbits: the expected length, or None for any.

    Returns:
        (nbits,) uint8 of 0 and 1.

    Raises:
        DatasetError: neither a message nor a readable file, or of another length.
    """
    try:
        literal = parse_message(text)
    except DatasetError as error:
        content = _read_text(text)
        if content is None:
            raise DatasetError(f"{error}; and there is no file of the name {text!r}") from None
        return parse_message(content, nbits, origin=text)
    return parse_message(format_bits(literal), nbits)


def _read_text(name: str) -> str | None:
    """The content of a file, or None where there is none."""
    try:
        path = Path(name)
        if not name.strip() or not path.exists():
            return None
        if not path.is_file() or path.stat().st_size > _LONGEST_FILE_BYTES:
            raise DatasetError(f"{name}: is not a small text file; expected one that holds nothing but a message")
        return path.read_text("utf-8-sig")
    except DatasetError:  # is a ValueError too
        raise
    except UnicodeDecodeError as error:
        raise DatasetError(f"{name}: is not UTF-8 text; expected a file that holds nothing but a message") from error
    except OSError as error:  # also a name that is too long to be one
        raise DatasetError(f"{name[:100]}: cannot be read ({error.strerror}); expected a message or a file") from error
    except ValueError:  # a NUL in the name
        return None
