import dataclasses
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from sealbench.converters import store as store_module
from sealbench.converters.cache_folder import cache_folder
from sealbench.converters.cards.image_size import ImageSize
from sealbench.converters.cards.watermark import Blending, ConvNeXtCard, Variant
from sealbench.converters.checkpoints.file_hashes import file_sha256
from sealbench.converters.checkpoints.weights import Weights
from sealbench.converters.errors import ImageSizeError, StoreError
from sealbench.converters.export.precisions import get_precision
from sealbench.converters.families.watermark_model import LazyModel
from sealbench.converters.store import PROVENANCE, Artifact, ArtifactSpec, ArtifactStore
from sealbench.converters.tflite.model_file import check_detector_signature, read_model_file

WEIGHTS = Weights("file", Path("w.pth"), "0" * 64)

# What a process of its own runs: the store, a real but very small model, and a log of the conversions.
PROCESS = """
import os, signal, sys, time
from pathlib import Path
import torch
from torch import nn
from sealbench.converters.cards.image_size import ImageSize
from sealbench.converters.export.precisions import get_precision
from sealbench.converters.store import ArtifactSpec, ArtifactStore
from sealbench.converters.cards.watermark import Blending, ConvNeXtCard, EmbedderCard, Variant
from sealbench.converters.checkpoints.weights import Weights
from sealbench.converters.families.watermark_model import LazyModel

root, log, way = Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3]
variant = Variant("tiny", "watermark", 16, 32, ConvNeXtCard((1, 1), (8, 16), 4),
                  EmbedderCard(4, 1, (4, 8), 1, "bilinear"), Blending(1, 1, 0.2))
spec = ArtifactSpec(variant, Weights("file", Path("w.pth"), "0" * 64), get_precision("float32"), ImageSize(32, 32))


class Detector(nn.Module):
    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.linear = nn.Linear(3, 17)

    def forward(self, images):
        if way == "die":
            os.kill(os.getpid(), signal.SIGKILL)
        return self.linear(images.mean(dim=(2, 3)))


class Model(LazyModel):
    def __init__(self):
        self._variant = variant

    @property
    def detector(self):
        with log.open("a") as file:
            file.write(f"{os.getpid()}\\n")
        return Detector().eval()


store = ArtifactStore(root)
log.with_name(f"ready-{os.getpid()}").touch()
while way == "wait" and len(list(log.parent.glob("ready-*"))) < 2:
    time.sleep(0.01)
artifact = store.get(spec, Model())
print(artifact.reused, artifact.sha256)
"""


class MeanDetector(nn.Module):
    """The smallest thing with the signature of a detector of 16 bits."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.linear = nn.Linear(3, 17)

    def forward(self, images: Tensor) -> Tensor:
        logits: Tensor = self.linear(images.mean(dim=(2, 3)))
        return logits


class MeanModel(LazyModel):
    """Gives a detector and counts how often it was asked for one."""

    def __init__(self, variant: Variant) -> None:
        super().__init__(variant, WEIGHTS)
        self.calls = 0

    @property
    def detector(self) -> nn.Module:
        self.calls += 1
        return MeanDetector().eval()


def spec_of(variant: Variant, precision: str = "float32", side: int = 32, mode: str = "simple") -> ArtifactSpec:
    return ArtifactSpec(variant, WEIGHTS, get_precision(precision), ImageSize(side, side), mode)


def start(root: Path, log: Path, way: str) -> "subprocess.Popen[str]":
    command = [sys.executable, "-c", PROCESS, str(root), str(log), way]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory, tiny: Variant) -> tuple[ArtifactStore, Artifact]:
    """A store that holds the float32 file, so that the tests with a quantized one need no export."""
    store = ArtifactStore(tmp_path_factory.mktemp("store"))
    model = MeanModel(tiny)
    artifact = store.get(spec_of(tiny), model)
    assert model.calls == 1
    return store, artifact


# --- Names and keys ---


def test_file_names(tiny: Variant) -> None:
    assert spec_of(tiny).file_name == "videoseal_detector_tiny_32.tflite"
    assert spec_of(tiny, "int8").file_name == "videoseal_detector_tiny_32_int8.tflite"
    assert spec_of(tiny, "fp16", mode="resize").file_name == "videoseal_detector_tiny_32_resize_fp16.tflite"
    wide = dataclasses.replace(spec_of(tiny, "int8_weight_only"), size=ImageSize(480, 640))
    assert wide.file_name == "videoseal_detector_tiny_480x640_int8_weight_only.tflite"


def test_equal_specs_have_equal_keys(tiny: Variant) -> None:
    again = dataclasses.replace(spec_of(tiny, "int8"), weights=Weights("bundled", Path("elsewhere"), "0" * 64))
    assert again.key == spec_of(tiny, "int8").key


def test_whatever_shapes_the_bytes_changes_the_key(tiny: Variant, monkeypatch: pytest.MonkeyPatch) -> None:
    spec = spec_of(tiny, "int8")
    recipe = json.loads(json.dumps(spec.precision.recipe))
    recipe[0]["op_config"]["weight_tensor_config"]["num_bits"] = 4

    def card(**changes: Any) -> ArtifactSpec:
        return dataclasses.replace(spec, variant=dataclasses.replace(tiny, **changes))

    others = [
        dataclasses.replace(spec, precision=dataclasses.replace(spec.precision, recipe=tuple(recipe))),
        dataclasses.replace(spec, precision=get_precision("fp16")),
        dataclasses.replace(spec, precision=get_precision("float32")),
        dataclasses.replace(spec, weights=Weights("file", Path("w.pth"), "1" + "0" * 63)),
        dataclasses.replace(spec, size=ImageSize(32, 33)),
        dataclasses.replace(spec, size=ImageSize(33, 32)),
        dataclasses.replace(spec, mode="resize"),
        card(detector=ConvNeXtCard((1, 1), (8, 16), 2)),
        card(nbits=17),
        card(blending=Blending(1, 1, 0.3)),
        card(name="other"),
    ]
    keys = [spec.key] + [other.key for other in others]
    versions = store_module.tool_versions()
    for tool in ("litert-quantizer", "litert-converter", "litert-torch", "torch"):
        newer = versions | {tool: "99.0"}
        with monkeypatch.context() as patch:
            patch.setattr(store_module, "tool_versions", lambda newer=newer: newer)
            keys.append(spec.key)
    with monkeypatch.context() as patch:
        patch.setattr(store_module, "EXPORT_VERSION", 99)
        keys.append(spec.key)
    assert len(set(keys)) == len(keys)
    assert spec.key == keys[0]


# --- Where ---


def test_root_follows_the_cache_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert cache_folder("artifacts") == tmp_path / "cache" / "sealbench" / "artifacts"
    assert ArtifactStore().root.is_dir()
    assert (tmp_path / "cache" / "sealbench" / "artifacts").is_dir()
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    assert cache_folder("artifacts") == tmp_path / "home" / ".cache" / "sealbench" / "artifacts"


def test_root_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a folder")
    for root in (tmp_path / "file", tmp_path / "file" / "below"):
        with pytest.raises(StoreError, match=rf"^{root}: the artifact store cannot be written .*XDG_CACHE_HOME"):
            ArtifactStore(root)


def test_too_small_an_image_is_refused_before_anything_is_made(tiny: Variant, tmp_path: Path) -> None:
    store, model = ArtifactStore(tmp_path / "store"), MeanModel(tiny)
    with pytest.raises(ImageSizeError, match="at least 16 pixels"):
        store.get(spec_of(tiny, "int8", side=15), model)
    assert model.calls == 0
    assert list(store.root.iterdir()) == []


# --- Conversions ---


@pytest.mark.convert
def test_a_second_request_converts_nothing(tiny: Variant, filled: tuple[ArtifactStore, Artifact]) -> None:
    store, float32 = filled
    model = MeanModel(tiny)
    assert not float32.reused
    assert float32.convert_s > 0
    assert float32.size_bytes == float32.path.stat().st_size
    assert float32.sha256 == file_sha256(float32.path)
    before = float32.path.stat().st_mtime_ns
    assert store.get(spec_of(tiny), model) == dataclasses.replace(float32, reused=True)

    int8 = store.get(spec_of(tiny, "int8"), model)
    assert not int8.reused
    int8_made = int8.path.stat().st_mtime_ns
    again = ArtifactStore(store.root).get(spec_of(tiny, "int8"), model)
    assert again == dataclasses.replace(int8, reused=True)
    assert model.calls == 0
    assert (float32.path.stat().st_mtime_ns, int8.path.stat().st_mtime_ns) == (before, int8_made)


@pytest.mark.convert
def test_an_artifact_tells_where_it_comes_from(tiny: Variant, filled: tuple[ArtifactStore, Artifact]) -> None:
    store, _ = filled
    spec = spec_of(tiny, "int8_weight_only")
    artifact = store.get(spec, MeanModel(tiny))
    provenance = json.loads((artifact.path.parent / PROVENANCE).read_text())
    assert provenance["weights_fingerprint"] == "0" * 64
    assert provenance["precision"] == "int8_weight_only"
    assert provenance["sha256"] == artifact.sha256
    assert provenance["card"]["name"] == "tiny"
    assert set(provenance["tools"]) >= {"litert-quantizer", "litert-torch", "torch"}
    assert {path.name for path in artifact.path.parent.iterdir()} == {PROVENANCE, spec.file_name}
    model = read_model_file(artifact.path)
    check_detector_signature(model, 16, 32, 32)
    assert model.weight_counts["FLOAT16"] == 3 * 17


def _flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


DAMAGES: dict[str, Callable[[Path], object]] = {
    "flipped bit": _flip,
    "truncated": lambda path: path.write_bytes(path.read_bytes()[:-1]),
    "empty": lambda path: path.write_bytes(b""),
    "removed": lambda path: path.unlink(),
    "no provenance": lambda path: (path.parent / PROVENANCE).unlink(),
    "provenance cut off": lambda path: (path.parent / PROVENANCE).write_text('{"sha256": "12'),
    "provenance of another kind": lambda path: (path.parent / PROVENANCE).write_text("[1, 2]"),
    "provenance without a digest": lambda path: (path.parent / PROVENANCE).write_text("{}"),
    "provenance with a digest alone": lambda path: (path.parent / PROVENANCE).write_text(
        json.dumps({"sha256": file_sha256(path)})
    ),
    "provenance in no encoding": lambda path: (path.parent / PROVENANCE).write_bytes(b"\xff\xfe\x00"),
}


@pytest.mark.convert
@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_artifact_is_made_anew(tiny: Variant, filled: tuple[ArtifactStore, Artifact], damage: str) -> None:
    store, _ = filled
    good = store.get(spec_of(tiny, "fp16"), MeanModel(tiny))
    DAMAGES[damage](good.path)
    repaired = store.get(spec_of(tiny, "fp16"), MeanModel(tiny))
    assert not repaired.reused
    assert (repaired.path, repaired.sha256) == (good.path, good.sha256)
    assert file_sha256(repaired.path) == good.sha256
    assert store.get(spec_of(tiny, "fp16"), MeanModel(tiny)).reused


@pytest.mark.convert
def test_remains_of_a_conversion_are_not_taken(tiny: Variant, filled: tuple[ArtifactStore, Artifact]) -> None:
    store, float32 = filled
    spec = dataclasses.replace(spec_of(tiny, "fp16"), weights=Weights("file", None, "2" * 64))
    source = dataclasses.replace(spec, precision=get_precision("float32"))
    for folder in (store.root / f"{spec.key}.converting", store.root / spec.key, store.root / source.key):
        folder.mkdir()
        (folder / spec.file_name).write_bytes(float32.path.read_bytes()[:1000])
        (folder / source.file_name).write_bytes(float32.path.read_bytes()[:1000])
    model = MeanModel(tiny)
    artifact = store.get(spec, model)
    assert model.calls == 1
    assert not artifact.reused
    assert read_model_file(artifact.path).weight_counts["FLOAT16"] == 3 * 17
    assert list(store.root.glob("*.converting")) == []


class Failing(nn.Module):
    def forward(self, images: Tensor) -> Tensor:
        raise RuntimeError(f"no logits for {tuple(images.shape)}")


class FailingModel(LazyModel):
    @property
    def detector(self) -> nn.Module:
        return Failing().eval()


@pytest.mark.convert
def test_a_failing_conversion_leaves_nothing(tiny: Variant, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    store = ArtifactStore(tmp_path / "store")
    with pytest.raises(Exception, match=r"no logits for \(1, 3, 32, 32\)"):
        store.get(spec_of(tiny, "int8"), FailingModel(tiny, WEIGHTS))
    assert [path for path in store.root.iterdir() if path.is_dir()] == []
    assert list(store.root.rglob("*.tflite")) == []


@pytest.mark.convert
def test_a_killed_conversion_leaves_nothing_and_two_processes_convert_once(tmp_path: Path) -> None:
    root, log = tmp_path / "store", tmp_path / "log"
    dying = start(root, log, "die")
    dying.communicate(timeout=120)
    assert dying.returncode == -signal.SIGKILL
    assert len(log.read_text().splitlines()) == 1  # it was killed in the middle of the export
    assert len(list(root.glob("*.converting"))) == 1
    assert list(root.rglob(PROVENANCE)) == []

    log.unlink()
    (tmp_path / f"ready-{dying.pid}").unlink()
    both = [start(root, log, "wait") for _ in range(2)]
    outputs = [process.communicate(timeout=180) for process in both]
    assert [process.returncode for process in both] == [0, 0], outputs
    assert len(log.read_text().splitlines()) == 1
    (first, first_digest), (second, second_digest) = (out.split() for out, _ in outputs)
    assert {first, second} == {"True", "False"}
    assert first_digest == second_digest
    [model] = root.rglob("*.tflite")
    assert file_sha256(model) == first_digest
    assert list(root.glob("*.converting")) == []
    assert os.access(model, os.R_OK)
