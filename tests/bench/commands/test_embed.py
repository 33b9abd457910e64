"""A folder of pictures is watermarked: nothing is lost, nothing is written over, and the new folder is a dataset."""

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from sealbench.bench.commands import main
from sealbench.converters.checkpoints.loading import load_detector
from sealbench.converters.families.watermark import get_variant
from sealbench.converters.families.weight_sources import find_weights
from sealbench.datasets.folder import folder_samples
from sealbench.datasets.images import resize, write_png
from sealbench.datasets.messages import parse_message
from sealbench.datasets.photographs import photo_samples
from sealbench.datasets.transparency import read_with_alpha

MESSAGE = "0x5a17c3f0"
PHOTOS = [sample.image for sample in photo_samples("evaluation", (192, 256), 3)]
ALPHA = np.tile(np.arange(256, dtype=np.uint8), (192, 1))  # from nothing on the left to opaque on the right


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A PNG, a JPEG and one with an alpha channel; what else lies there is no picture."""
    place = tmp_path_factory.mktemp("original") / "in"
    write_png(place / "a.png", PHOTOS[0])
    Image.fromarray(PHOTOS[1]).save(place / "b.JPG", quality=95)
    write_png(place / "c.png", PHOTOS[2], ALPHA)
    (place / "notes.txt").write_text("no picture")
    (place / ".hidden.png").write_bytes(b"no picture")
    return place


@pytest.fixture
def folder(original: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(original, tmp_path / "in"))


@pytest.fixture(scope="module")
def marked(original: Path) -> Path:
    """The folder with one message in all pictures, which has left the original as it was."""
    before, out = files(original), original.with_name("out")
    assert embed(original, out, "--message", MESSAGE) == 0
    assert files(original) == before
    return out


def files(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def embed(folder: Path, out: Path, *options: str) -> int:
    return main(["embed", str(folder), "--out", str(out), *options])


def wrong_bits(picture: np.ndarray) -> int:
    """How many bits of the message PyTorch's detector reads wrong."""
    variant = get_variant("videoseal_nano")
    pixels = torch.from_numpy(resize(picture, 256, 256)).permute(2, 0, 1)[None].float() / 255  # (1, 3, 256, 256)
    with torch.inference_mode():
        logits = load_detector(variant, find_weights(variant))(pixels)[0, 1:].numpy()
    return int(((logits > 0) != parse_message(MESSAGE)).sum())


def test_the_new_folder_is_a_dataset_whose_messages_are_read(marked: Path) -> None:
    assert sorted(path.name for path in marked.iterdir()) == ["a.png", "b.png", "c.png", "manifest.csv"]
    samples = folder_samples(marked)
    assert [sample.id for sample in samples] == ["a.png", "b.png", "c.png"]
    for sample in samples:
        assert sample.watermarked
        np.testing.assert_array_equal(sample.message, parse_message(MESSAGE))
    assert max(wrong_bits(sample.image) for sample in samples[:2]) <= 1


def test_an_alpha_channel_is_kept_and_the_colours_below_it_are_marked(marked: Path) -> None:
    colours, alpha = read_with_alpha(marked / "c.png")
    assert alpha is not None
    np.testing.assert_array_equal(alpha, ALPHA)
    changed = np.abs(colours.astype(int) - PHOTOS[2])
    assert 0 < changed.max() < 60
    assert changed[:, :64].max() > 0  # where next to nothing shows, too
    assert wrong_bits(colours) <= 1
    assert read_with_alpha(marked / "a.png")[1] is None


def test_each_picture_has_a_message_of_its_own_which_the_seed_decides(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, seed in (("one", "1"), ("again", "1"), ("two", "2")):
        assert embed(folder, tmp_path / name, "--seed", seed) == 0
    one, again, two = (files(tmp_path / name) for name in ("one", "again", "two"))
    assert one == again
    assert one["manifest.csv"] != two["manifest.csv"]
    output = capsys.readouterr().out
    assert output.count("3 pictures, PSNR 4") == 3
    assert output.count("1 of them have an alpha channel, kept as it was") == 3
    assert len({line.partition(b",")[2] for line in one["manifest.csv"].splitlines()[1:]}) == 3


def test_a_picture_that_cannot_be_read_is_named_and_counted(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "b.JPG").write_bytes((folder / "b.JPG").read_bytes()[:3000])
    assert embed(folder, tmp_path / "out", "--message", MESSAGE) == 2
    first, count = capsys.readouterr().err.splitlines()
    assert first.startswith(f"error: {folder}/b.JPG: cannot be read as a picture")
    assert count == "error: 1 of 3 pictures could not be read"
    assert [sample.id for sample in folder_samples(tmp_path / "out")] == ["a.png", "c.png"]


def in_the_way(folder: Path, out: Path) -> None:
    out.mkdir()
    (out / "old.png").touch()


@pytest.mark.parametrize(
    ("prepare", "options", "message"),
    [
        (in_the_way, (), "out: holds files already, and nothing is written over"),
        (lambda folder, out: (folder / "a.webp").touch(), (), "a.png and a.webp would be written to one PNG"),
        (lambda folder, out: (folder / "manifest.csv").touch(), (), "has a manifest.csv, so its pictures are"),
        (lambda folder, out: None, ("--out", "{folder}"), "in: holds files already"),
        (lambda folder, out: None, ("--message", "0101"), "found 4 bits; expected 32 bits"),
        (lambda folder, out: None, ("--weights", "none.pth"), "none.pth: no such file"),
        (lambda folder, out: None, ("--out", "{folder}/a.png"), "a.png: cannot be written (Not a directory)"),
    ],
)
def test_wrong_input_is_one_line_and_writes_nothing(
    folder: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    prepare: Callable[[Path, Path], None],
    options: tuple[str, ...],
    message: str,
) -> None:
    out = tmp_path / "out"
    prepare(folder, out)
    before = sorted(tmp_path.rglob("*"))
    assert embed(folder, out, *(option.replace("{folder}", str(folder)) for option in options)) == 2
    captured = capsys.readouterr()
    assert message in captured.err
    assert (captured.out, captured.err.count("\n")) == ("", 1)
    assert sorted(tmp_path.rglob("*")) == before


def test_a_folder_without_pictures_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert embed(tmp_path / "none", tmp_path / "out") == 2
    (tmp_path / "in").mkdir()
    assert embed(tmp_path / "in", tmp_path / "out") == 2
    missing, empty = capsys.readouterr().err.splitlines()
    assert "none: no such folder" in missing
    assert "in: no picture was found" in empty
