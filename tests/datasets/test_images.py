"""Pictures are read as viewers show them; what cannot be is one error that names the file."""

import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from sealbench.datasets.errors import DatasetError
from sealbench.datasets.images import read_image, resize, write_png

RNG = np.random.default_rng(0)
SMOOTH = resize(RNG.integers(0, 256, (6, 8, 3), dtype=np.uint8), 60, 80)


def psnr(first: np.ndarray, second: np.ndarray) -> float:
    return float(10 * np.log10(255**2 / np.mean((first.astype(float) - second) ** 2)))


def png(width: int, height: int, depth: int, color: int, data: bytes) -> bytes:
    """A PNG file written by hand: Pillow writes neither 16-bit RGB nor a false size."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    header = struct.pack(">IIBBBBB", width, height, depth, color, 0, 0, 0)
    chunks = (b"IHDR", header), (b"IDAT", zlib.compress(data)), (b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunk(kind, body) for kind, body in chunks)


def test_png_and_lossless_webp_give_the_exact_pixels_and_jpeg_close_ones(tmp_path: Path) -> None:
    picture = Image.fromarray(SMOOTH)
    picture.save(tmp_path / "a.png")
    picture.save(tmp_path / "a.webp", lossless=True)
    picture.save(tmp_path / "a.jpg", quality=95, subsampling=0)
    for name in ("a.png", "a.webp"):
        np.testing.assert_array_equal(read_image(tmp_path / name), SMOOTH)
    assert psnr(read_image(tmp_path / "a.jpg"), SMOOTH) > 38


def test_result_is_rgb_uint8_and_writable(tmp_path: Path) -> None:
    Image.fromarray(SMOOTH).save(tmp_path / "a.png")
    image = read_image(str(tmp_path / "a.png"))
    assert image.shape == (60, 80, 3)
    assert image.dtype == np.uint8
    assert image.flags.writeable


def test_orientation_of_exif_is_applied(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # the camera was turned: shown after a quarter turn clockwise
    Image.fromarray(SMOOTH).save(tmp_path / "a.png", exif=exif)
    np.testing.assert_array_equal(read_image(tmp_path / "a.png"), np.rot90(SMOOTH, -1))


def test_gray_palette_and_one_bit_become_rgb(tmp_path: Path) -> None:
    gray = SMOOTH[..., 0]
    Image.fromarray(gray).save(tmp_path / "gray.png")
    np.testing.assert_array_equal(read_image(tmp_path / "gray.png"), np.repeat(gray[..., None], 3, 2))
    palette = Image.fromarray(SMOOTH).quantize(16)
    palette.save(tmp_path / "palette.png")
    np.testing.assert_array_equal(read_image(tmp_path / "palette.png"), np.array(palette.convert("RGB")))
    Image.fromarray(gray > 128).save(tmp_path / "bit.png")
    np.testing.assert_array_equal(read_image(tmp_path / "bit.png")[..., 1], (gray > 128) * 255)


def test_transparency_is_laid_over_white(tmp_path: Path) -> None:
    layer = np.zeros((1, 3, 4), np.uint8)
    layer[0, :, 3] = 0, 102, 255  # black: absent, 40 %, full
    Image.fromarray(layer).save(tmp_path / "a.png")
    assert read_image(tmp_path / "a.png")[0, :, 0].tolist() == [255, 153, 0]
    palette = Image.new("P", (2, 1))
    palette.putpalette([10, 20, 30, 200, 0, 0])
    palette.putpixel((1, 0), 1)
    palette.save(tmp_path / "p.png", transparency=0)
    assert read_image(tmp_path / "p.png")[0].tolist() == [[255, 255, 255], [200, 0, 0]]


@pytest.mark.parametrize("kept", [0.0, 0.01, 0.3, 0.7, 0.97])
@pytest.mark.parametrize("suffix", ["jpg", "png", "webp"])
def test_truncated_file_is_refused_by_name(tmp_path: Path, suffix: str, kept: float) -> None:
    path = tmp_path / f"half.{suffix}"
    Image.fromarray(SMOOTH).save(path)
    whole = path.read_bytes()
    path.write_bytes(whole[: int(kept * len(whole))])
    with pytest.raises(DatasetError, match=rf"half\.{suffix}: cannot be read .*expected a complete"):
        read_image(path)


def test_flipped_bytes_raise_nothing_but_the_one_error(tmp_path: Path) -> None:
    path = tmp_path / "broken"
    for suffix in ("png", "jpeg", "webp"):
        Image.fromarray(SMOOTH).save(path, format=suffix)
        whole = path.read_bytes()
        for _ in range(60):
            damaged = bytearray(whole)
            for place in RNG.integers(len(whole), size=4):
                damaged[place] = RNG.integers(256)
            path.write_bytes(damaged)
            try:
                assert read_image(path).dtype == np.uint8
            except DatasetError as error:
                assert str(path) in str(error)


def test_other_formats_are_refused(tmp_path: Path) -> None:
    (tmp_path / "text.png").write_text("no picture")
    Image.fromarray(SMOOTH).save(tmp_path / "really_tiff.png", format="TIFF")
    for name in ("text.png", "really_tiff.png"):
        with pytest.raises(DatasetError, match=f"{name}: cannot be read"):
            read_image(tmp_path / name)


@pytest.mark.parametrize(("color", "channels"), [(0, 1), (2, 3), (6, 4)])
def test_sixteen_bits_are_refused(tmp_path: Path, color: int, channels: int) -> None:
    path = tmp_path / "deep.png"
    path.write_bytes(png(2, 1, 16, color, bytes(1 + 2 * channels * 2)))
    with pytest.raises(DatasetError, match=r"deep\.png: found 16 bits a channel; expected 8"):
        read_image(path)


@pytest.mark.parametrize("side", [10_000, 60_000])  # above Pillow's warning, and above its error
def test_decompression_bomb_is_refused(tmp_path: Path, side: int) -> None:
    path = tmp_path / "bomb.png"
    path.write_bytes(png(side, side, 8, 0, b""))
    with pytest.raises(DatasetError, match=r"bomb\.png: too many pixels"):
        read_image(path)


def test_missing_file_and_folder_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=r"none\.png: no such file"):
        read_image(tmp_path / "none.png")
    with pytest.raises(DatasetError, match="a folder"):
        read_image(tmp_path)
    with pytest.raises(DatasetError, match="cannot be read"):
        read_image(tmp_path / ("long" * 100))


def test_resize_is_the_triangle_filter_with_antialiasing() -> None:
    # Halving: the triangle reaches over two source pixels to each side, weights 1 3 3 1 over 8.
    image = np.zeros((1, 8, 3), np.uint8)
    image[0, 4] = 240
    assert resize(image, 1, 4)[0, :, 0].tolist() == [0, 30, 90, 0]
    # Doubling: plain bilinear interpolation at quarter positions.
    image = np.array([[[0] * 3, [200] * 3]], np.uint8)
    assert resize(image, 1, 4)[0, :, 0].tolist() == [0, 50, 150, 200]


def test_resize_takes_height_first_and_copies_at_the_same_size() -> None:
    assert resize(SMOOTH, 30, 20).shape == (30, 20, 3)
    same = resize(SMOOTH, 60, 80)
    np.testing.assert_array_equal(same, SMOOTH)
    assert not np.shares_memory(same, SMOOTH)
    with pytest.raises(DatasetError, match="impossible"):
        resize(SMOOTH, 0, 4)


def test_write_png_round_trip_replaces_and_leaves_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "new" / "a.png"
    write_png(path, np.zeros_like(SMOOTH))
    write_png(path, SMOOTH)
    np.testing.assert_array_equal(read_image(path), SMOOTH)
    assert [entry.name for entry in path.parent.iterdir()] == ["a.png"]


def test_failed_write_keeps_the_old_file_and_names_the_new(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.png"
    write_png(path, SMOOTH)

    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Image.Image, "save", full)
    with pytest.raises(DatasetError, match=r"a\.png: cannot be written \(No space left"):
        write_png(path, np.zeros_like(SMOOTH))
    monkeypatch.undo()
    np.testing.assert_array_equal(read_image(path), SMOOTH)
    assert len(list(tmp_path.iterdir())) == 1
    with pytest.raises(DatasetError, match="cannot be written"):
        write_png(path / "below_a_file.png", SMOOTH)
