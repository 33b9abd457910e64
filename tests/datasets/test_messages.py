"""Messages survive being written and read; wrong ones say what was expected and found."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sealbench.datasets.errors import DatasetError
from sealbench.datasets.messages import format_bits, message_from_argument, parse_message, random_messages

BITS = st.lists(st.integers(0, 1), min_size=1, max_size=300).map(lambda bits: np.array(bits, np.uint8))


@given(BITS)
def test_bits_round_trip(message: np.ndarray) -> None:
    text = format_bits(message)
    assert len(text) == message.size
    np.testing.assert_array_equal(parse_message(text, message.size), message)
    np.testing.assert_array_equal(message_from_argument(text, message.size), message)


@given(st.text("0123456789abcdefABCDEF", min_size=1, max_size=70), st.sampled_from(["0x", "0X"]))
def test_hexadecimal_is_four_bits_a_digit_with_leading_zeros(digits: str, prefix: str) -> None:
    message = parse_message(prefix + digits)
    assert message.size == 4 * len(digits)
    assert int(format_bits(message), 2) == int(digits, 16)


@given(st.text(max_size=40))
def test_any_text_is_a_message_or_one_error(text: str) -> None:
    for read in (parse_message, message_from_argument):
        try:
            message = read(text)
        except DatasetError:
            continue
        assert set(message.tolist()) <= {0, 1}
        assert message.dtype == np.uint8


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("0110", "found 4 bits; expected 8 bits written as 0 and 1"),
        ("0xabc", "found 12 bits; expected 8 bits"),
        ("01101012", "found '2' as digit 8; expected 8 bits"),
        ("0xfg", "found 'g' as digit 2"),
        ("", "found no bits"),
        ("0x", "found no bits"),
        ("\u0660\u0661", "found '\u0660' as digit 1"),
    ],
)
def test_wrong_message_says_expected_and_found(text: str, expected: str) -> None:
    with pytest.raises(DatasetError, match=expected):
        parse_message(text, 8)


def test_argument_may_be_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "key.txt").write_bytes(b"\xef\xbb\xbf0110\r\n1001\r\n")
    (tmp_path / "0101").write_text("0xF")
    monkeypatch.chdir(tmp_path)
    assert format_bits(message_from_argument("key.txt", 8)) == "01101001"
    assert format_bits(message_from_argument(str(tmp_path / "key.txt"))) == "01101001"
    assert format_bits(message_from_argument("0101")) == "0101"  # a message comes first
    assert format_bits(message_from_argument("./0101")) == "1111"
    with pytest.raises(DatasetError, match=r"key\.txt: found 8 bits; expected 4 bits"):
        message_from_argument("key.txt", 4)
    with pytest.raises(DatasetError, match="found 4 bits; expected 5 bits"):
        message_from_argument("0101", 5)


def test_argument_that_is_no_message_and_no_text_file(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=r"found '2' as digit 3.*no file of the name '012'"):
        message_from_argument("012")
    with pytest.raises(DatasetError, match="not a small text file"):
        message_from_argument(str(tmp_path))
    binary = tmp_path / "model.bin"
    binary.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(DatasetError, match=r"model\.bin: is not UTF-8"):
        message_from_argument(str(binary))
    with pytest.raises(DatasetError, match="cannot be read"):
        message_from_argument("01012" * 100)


def test_random_messages_are_reproducible_fair_and_independent() -> None:
    messages = random_messages(4000, 32, 5)
    assert (messages.shape, messages.dtype, messages.max()) == ((4000, 32), np.uint8, 1)
    np.testing.assert_array_equal(random_messages(7, 32, 5), messages[:7])
    assert np.mean(messages != random_messages(4000, 32, 6)) == pytest.approx(0.5, abs=0.01)
    # Standard errors: 0.008 for the mean of a bit, 0.016 for a correlation; five of them are allowed.
    assert np.abs(messages.mean(0) - 0.5).max() < 0.04
    assert np.abs(np.corrcoef(messages.T) - np.eye(32)).max() < 0.08
    with pytest.raises(DatasetError):
        random_messages(1, 0, 0)


def test_format_refuses_what_is_no_message() -> None:
    with pytest.raises(DatasetError):
        format_bits(np.array([0, 2], np.uint8))
