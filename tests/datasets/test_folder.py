"""Folders of pictures: order, manifests, and an error with the file's name for all that can be wrong."""

from pathlib import Path

import numpy as np
import pytest

import sealbench.datasets.folder
from sealbench.datasets.errors import DatasetError
from sealbench.datasets.folder import MANIFEST, folder_samples
from sealbench.datasets.images import read_image, write_png
from sealbench.datasets.sample import check_message_length


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for value, name in enumerate(["b.png", "a.PNG", "c.png"]):
        write_png(tmp_path / name, np.full((4 + value, 6, 3), value, np.uint8))
    return tmp_path


def test_pictures_in_order_of_name_at_native_size(folder: Path) -> None:
    (folder / "notes.txt").write_text("not a picture")
    (folder / "._a.png").write_text("what some systems leave beside a picture")
    (folder / "sub.png").mkdir()
    samples = folder_samples(folder)
    assert [sample.id for sample in samples] == ["a.PNG", "b.png", "c.png"]
    assert [sample.source for sample in samples] == ["a.PNG", "b.png", "c.png"]
    assert [sample.image.shape for sample in samples] == [(5, 6, 3), (4, 6, 3), (6, 6, 3)]
    assert [sample.image.max() for sample in samples] == [1, 0, 2]
    assert {(s.role, s.message, s.watermarked, s.generated) for s in samples} == {("evaluation", None, False, False)}


def test_limit_takes_the_first_and_nothing_is_decoded_twice_or_in_vain(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    decoded = []

    def reading(path: Path) -> np.ndarray:
        decoded.append(path.name)
        return read_image(path)

    monkeypatch.setattr(sealbench.datasets.folder, "read_image", reading)
    (folder / MANIFEST).write_text("file,message\na.PNG,01\nb.png,10\nc.png,11\n")
    assert [sample.id for sample in folder_samples(folder, limit=2)] == ["a.PNG", "b.png"]
    assert decoded == ["a.PNG", "b.png"]
    assert len(folder_samples(folder, limit=9)) == 3
    with pytest.raises(DatasetError, match="at least 1"):
        folder_samples(folder, limit=0)


@pytest.mark.parametrize(
    "text",
    [
        "file,message\nc.png,1100\nb.png,0110\na.PNG,0001\n",
        "\ufefffile,message\r\nc.png,0xC\r\n\r\nb.png,0x6\r\na.PNG,0x1\r\n",
        'message, file\n 11 00 , "c.png"\n0110, b.png \n0001,a.PNG',
    ],
    ids=["plain", "BOM, CRLF, blank line and hexadecimal", "columns turned, spaces and quotes"],
)
def test_manifest_gives_each_picture_its_message(folder: Path, text: str) -> None:
    (folder / MANIFEST).write_bytes(text.encode())
    samples = folder_samples(folder)
    messages = {s.id: s.message.tolist() for s in samples if s.message is not None and s.watermarked}
    assert messages == {"a.PNG": [0, 0, 0, 1], "b.png": [0, 1, 1, 0], "c.png": [1, 1, 0, 0]}
    check_message_length(samples[0], 4)
    with pytest.raises(DatasetError, match=r"a\.PNG: .* 4 bits, expected 8"):
        check_message_length(samples[0], 8)


GOOD = "file,message\na.PNG,01\nb.png,10\n"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (GOOD + "d.png,11\n", r"line 4: the file d\.png is missing .* add it or remove"),
        (GOOD, r"has no row for c\.png; add the message"),
        (GOOD + "b.png,10\n", r"line 4: b\.png is listed a second time \(first on line 3\)"),
        (GOOD + "../b.png,10\n", r"line 4: found file '\.\./b\.png'; expected the plain name"),
        (GOOD + "/etc/passwd,10\n", r"line 4: found file '/etc/passwd'; expected the plain name"),
        (GOOD + "sub/c.png,10\n", r"expected the plain name"),
        (GOOD + "..\\c.png,10\n", r"expected the plain name"),
        (GOOD + "..,10\n", r"expected the plain name|not a picture"),
        (GOOD + ",10\n", r"line 4: found file ''"),
        (GOOD + "manifest.csv,10\n", r"line 4: manifest\.csv is not a picture"),
        (GOOD + "c.png,102\n", r"line 4, message of c\.png: found '2' as digit 3; expected any number"),
        (GOOD + "c.png,\n", r"line 4, message of c\.png: found no bits"),
        (GOOD + "c.png,111\n", r"line 4: the message of c\.png has 3 bits, expected 2"),
        (GOOD + "c.png\n", r"line 4: found 1 cells; expected 2"),
        (GOOD + "c.png,11,more\n", r"line 4: found 3 cells; expected 2"),
        (GOOD + '"c.png,11\n', r"is not valid CSV"),
        ("name,message\na.PNG,01\n", r"found the columns name,message; expected file,message"),
        ("a.PNG,01\nb.png,10\nc.png,11\n", r"found the columns a\.PNG,01; expected file,message"),
        ("", r"found the columns none; expected file,message"),
        ("file,message\n", r"has no row for a\.PNG, b\.png, c\.png"),
    ],
)
def test_wrong_manifest_is_refused_by_name_before_decoding(
    folder: Path, text: str, expected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr(sealbench.datasets.folder, "read_image")
    (folder / MANIFEST).write_text(text)
    with pytest.raises(DatasetError, match=rf"{MANIFEST}.*{expected}"):
        folder_samples(folder)


def test_manifest_in_another_encoding_or_kind_is_refused(folder: Path) -> None:
    (folder / MANIFEST).write_bytes("file,message\né.png,01\n".encode("latin-1"))
    with pytest.raises(DatasetError, match=rf"{MANIFEST}: is not UTF-8"):
        folder_samples(folder)
    (folder / MANIFEST).unlink()
    (folder / MANIFEST).mkdir()
    with pytest.raises(DatasetError, match=rf"{MANIFEST}: cannot be read"):
        folder_samples(folder)


def test_empty_missing_or_broken(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=r"no picture was found; expected files that end in \.jpeg"):
        folder_samples(tmp_path)
    with pytest.raises(DatasetError, match="none: no such folder"):
        folder_samples(tmp_path / "none")
    (tmp_path / "broken.jpg").write_bytes(b"\xff\xd8\xff")
    with pytest.raises(DatasetError, match=r"broken\.jpg: cannot be read"):
        folder_samples(tmp_path)
