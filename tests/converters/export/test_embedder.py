from pathlib import Path

import numpy as np
import pytest
import torch

from sealbench.converters.cards.image_size import ImageSize
from sealbench.converters.cards.watermark import Variant
from sealbench.converters.checkpoints.loading import load_watermarker
from sealbench.converters.embedding import embed_pictures
from sealbench.converters.errors import ConverterError, ModelFileError
from sealbench.converters.export.detector import export_float32
from sealbench.converters.export.embedder import ChannelsLastEmbedder, MessagePlane, export_embedder_float32
from sealbench.converters.export.precisions import get_precision
from sealbench.converters.export.quantize import quantize
from sealbench.converters.families.watermark import get_variant
from sealbench.converters.families.weight_sources import find_weights
from sealbench.converters.models.build import build_embedder
from sealbench.converters.models.seeding import initialize
from sealbench.converters.models.watermarker import Watermarker
from sealbench.converters.tflite.embedder import TFLiteEmbedder, tflite_watermarker
from sealbench.datasets.messages import random_messages
from sealbench.datasets.photographs import photo_samples


@pytest.fixture(scope="module")
def nano() -> Variant:
    return get_variant("videoseal_nano")


@pytest.fixture(scope="module")
def trained(nano: Variant) -> Watermarker:
    return load_watermarker(nano, find_weights(nano, "bundled"))


@pytest.fixture(scope="module")
def nano_files(tmp_path_factory: pytest.TempPathFactory, nano: Variant, trained: Watermarker) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("embedder")
    files = {name: folder / f"{name}.tflite" for name in ("float32", "fp16")}
    export_embedder_float32(trained.embedder, nano.nbits, nano.image_size, files["float32"])
    quantize(files["float32"], get_precision("fp16").recipe_for(()), files["fp16"])
    return files


def test_plane_is_the_processors() -> None:
    processor = build_embedder(get_variant("videoseal_nano")).msg_processor
    initialize(processor, 3)
    latents = torch.rand(5, 7, 4, 6)
    messages = torch.from_numpy(random_messages(5, 32, seed=1))
    with torch.inference_mode():
        found, expected = MessagePlane(processor)(latents, messages.float()), processor(latents, messages)
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-5)


def test_export_leaves_the_embedder_as_it_was(nano: Variant, trained: Watermarker) -> None:
    before = list(trained.embedder.state_dict())
    exported = ChannelsLastEmbedder(trained.embedder)
    assert list(trained.embedder.state_dict()) == before
    name = "unet.outc.weight"
    assert exported.embedder.get_parameter(name) is trained.embedder.get_parameter(name)


@pytest.mark.convert
@pytest.mark.parametrize("precision", ["float32", "fp16"])
def test_file_embeds_as_pytorch_does(
    nano: Variant, trained: Watermarker, nano_files: dict[str, Path], precision: str
) -> None:
    """At another size than the network's, each picture's bits and PSNR are PyTorch's."""
    pictures = [sample.image for sample in photo_samples("evaluation", (300, 400), 8)]
    messages = random_messages(8, nano.nbits, seed=1)
    expected = embed_pictures(trained, pictures, messages)
    found = embed_pictures(tflite_watermarker(nano, nano_files[precision]), pictures, messages)
    bits = {}
    for name, marked in (("pytorch", expected), ("file", found)):
        images = torch.from_numpy(np.stack(marked)).permute(0, 3, 1, 2).float() / 255
        with torch.inference_mode():
            bits[name] = float(((trained.detect(images)[:, 1:] > 0).numpy() == messages).mean())
    assert bits["pytorch"] > 0.95
    assert bits["file"] == pytest.approx(bits["pytorch"], abs=0.001)
    assert psnr_db(found, pictures) == pytest.approx(psnr_db(expected, pictures), abs=0.1)
    assert max(np.abs(a.astype(int) - b).max() for a, b in zip(found, expected, strict=True)) <= 1


def psnr_db(marked: list[np.ndarray], originals: list[np.ndarray]) -> float:
    errors = [((a.astype(float) - b) ** 2).mean() for a, b in zip(marked, originals, strict=True)]
    return float(np.mean(10 * np.log10(255**2 / np.array(errors))))


@pytest.mark.long
@pytest.mark.convert
def test_luminance_bilinear_and_another_hidden_size(
    tiny: Variant, tiny_watermarker: Watermarker, tmp_path: Path
) -> None:
    export_embedder_float32(tiny_watermarker.embedder, tiny.nbits, tiny.image_size, tmp_path / "tiny.tflite")
    embedder = TFLiteEmbedder(tmp_path / "tiny.tflite")
    images = torch.from_numpy(np.random.default_rng(0).random((3, 3, 32, 32), dtype=np.float32))
    messages = torch.from_numpy(random_messages(3, tiny.nbits, seed=2))
    weights = torch.tensor([0.299, 0.587, 0.114])[:, None, None]
    with torch.inference_mode():
        expected = tiny_watermarker.embedder((images * weights).sum(1, keepdim=True), messages)
        found = embedder(images, messages)
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-4)
    assert not torch.equal(found, embedder(images, 1 - messages))


@pytest.mark.long
@pytest.mark.convert
def test_wrong_messages_and_files_are_reported(
    nano: Variant, nano_files: dict[str, Path], tiny: Variant, tiny_watermarker: Watermarker, tmp_path: Path
) -> None:
    watermarker = tflite_watermarker(nano, nano_files["float32"])
    picture = [np.zeros((64, 64, 3), np.uint8)]
    for message in (np.zeros((1, 16)), np.zeros((1, 1)), np.full((1, 32), -1)):
        with pytest.raises(ConverterError, match="takes messages of 32 bits, each 0 or 1; found"):
            embed_pictures(watermarker, picture, message)
    export_float32(tiny_watermarker.detector, tiny, ImageSize(32, 32), "simple", tmp_path / "detector.tflite")
    with pytest.raises(ModelFileError, match="not an embedder; expected the float32 inputs image"):
        TFLiteEmbedder(tmp_path / "detector.tflite")
    with pytest.raises(ModelFileError, match="embeds 32 bits at 256 pixels; videoseal has 256 bits at 256"):
        tflite_watermarker(get_variant("videoseal"), nano_files["float32"])
    (tmp_path / "half.tflite").write_bytes(nano_files["float32"].read_bytes()[:100_000])
    with pytest.raises(ModelFileError, match="truncated"):
        TFLiteEmbedder(tmp_path / "half.tflite")
