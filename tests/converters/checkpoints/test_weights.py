"""Checkpoints that fit, those that do not, those that would run a program; sources and fingerprints."""

import dataclasses
import os
import pickle
import random
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file, save_model

from sealbench.converters.cards.watermark import ConvNeXtCard, Variant
from sealbench.converters.checkpoints.checkpoint_file import read_state
from sealbench.converters.checkpoints.loading import load_watermarker
from sealbench.converters.checkpoints.weights import Weights
from sealbench.converters.errors import WeightsError
from sealbench.converters.families import weight_sources
from sealbench.converters.families.weight_sources import find_weights
from sealbench.converters.models.watermarker import Watermarker
from tests.converters.made_checkpoints import TWINS, State, assert_holds, load, official_layout

pytestmark = pytest.mark.filterwarnings("ignore:Detected pickle protocol")  # PyTorch, on damaged files


# --- Checkpoints that fit ---


@pytest.mark.parametrize("zipped", [True, False])
def test_official_checkpoint_loads(tiny: Variant, state: State, tmp_path: Path, zipped: bool) -> None:
    path = tmp_path / "y_16b_img.pth"
    torch.save(official_layout(state), path, _use_new_zipfile_serialization=zipped)
    watermarker = load(tiny, path)
    assert_holds(watermarker, state)
    assert not watermarker.training
    assert watermarker.get_parameter("attenuation.conv_x.weight").tolist() == [[[[-1, 0, 1], [-2, 0, 2], [-1, 0, 1]]]]


def test_bare_state_dict_loads(tiny: Variant, state: State, tmp_path: Path) -> None:
    torch.save(state, tmp_path / "state.pt")
    assert_holds(load(tiny, tmp_path / "state.pt"), state)


def test_half_precision_checkpoint_loads_as_float32(tiny: Variant, state: State, tmp_path: Path) -> None:
    half = {key: value.half() if value.is_floating_point() else value for key, value in state.items()}
    torch.save(half, tmp_path / "half.pth")
    watermarker = load(tiny, tmp_path / "half.pth")
    assert {value.dtype for value in watermarker.parameters()} == {torch.float32}
    assert_holds(watermarker, {key: value.to(state[key].dtype) for key, value in half.items()})


@pytest.mark.parametrize("dropped", TWINS)
def test_either_twin_of_the_message_processor_is_enough(
    tiny: Variant, state: State, tmp_path: Path, dropped: str
) -> None:
    save_file({key: value for key, value in state.items() if key != dropped}, tmp_path / "one.safetensors")
    assert_holds(load(tiny, tmp_path / "one.safetensors"), state)


def test_what_safetensors_saves_of_a_watermarker_loads(tiny: Variant, state: State, tmp_path: Path) -> None:
    watermarker = load_watermarker(tiny, find_weights(tiny, "seeded"))
    watermarker.load_state_dict(state, strict=False)
    save_model(watermarker, str(tmp_path / "model.safetensors"))
    assert_holds(load(tiny, tmp_path / "model.safetensors"), state)


# --- Checkpoints that do not ---


@pytest.fixture(params=["model.pth", "old.pth", "model.safetensors"])
def checkpoint(request: pytest.FixtureRequest, state: State, tmp_path: Path) -> Path:
    path = tmp_path / request.param
    if path.suffix == ".safetensors":
        save_file({key: value for key, value in state.items() if key != TWINS[0]}, path)
    else:
        torch.save(official_layout(state), path, _use_new_zipfile_serialization=path.name != "old.pth")
    return path


def test_truncated_checkpoint_is_refused(tiny: Variant, checkpoint: Path) -> None:
    content = checkpoint.read_bytes()
    for sixteenths in range(16):
        checkpoint.write_bytes(content[: len(content) * sixteenths // 16])
        with pytest.raises(WeightsError, match=checkpoint.name):
            load(tiny, checkpoint)
    checkpoint.write_bytes(content[:-1])
    with pytest.raises(WeightsError, match=checkpoint.name):
        load(tiny, checkpoint)


def test_damaged_checkpoint_raises_no_other_error(tiny: Variant, checkpoint: Path) -> None:
    rng = random.Random(0)
    content = checkpoint.read_bytes()
    refused = 0
    for _ in range(60):
        damaged = bytearray(content)
        for _ in range(rng.choice([1, 3, 30])):
            edge = rng.choice([3000, len(content)])  # headers and directories stand at the ends
            damaged[rng.choice([1, -1]) * rng.randrange(1, min(edge, len(content)))] = rng.randrange(256)
        checkpoint.write_bytes(damaged)
        try:
            watermarker = load_watermarker(tiny, Weights("file", checkpoint, ""))
            assert all(value.sum().numel() for value in watermarker.state_dict().values())  # reads what was mapped
        except WeightsError as error:
            refused += 1
            assert checkpoint.name in str(error)
    assert refused > 15


@pytest.mark.parametrize(
    "content", [b"", b"\0" * 1000, b"<!DOCTYPE html><title>404</title>", b"PK\x03\x04", b"\x80\x04."]
)
@pytest.mark.parametrize("name", ["x.pth", "x.safetensors"])
def test_other_files_are_refused(tiny: Variant, tmp_path: Path, name: str, content: bytes) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(WeightsError, match=name):
        load(tiny, tmp_path / name)


def test_another_variants_checkpoint_names_the_first_keys(tiny: Variant, state: State, tmp_path: Path) -> None:
    torch.save({"model": state}, tmp_path / "tiny.pth")
    deeper = dataclasses.replace(tiny, name="deeper", detector=ConvNeXtCard((2, 1), (8, 16), 4))
    with pytest.raises(WeightsError) as caught:
        load(deeper, tmp_path / "tiny.pth")
    assert str(caught.value).startswith(f"{tmp_path / 'tiny.pth'}: does not fit the variant deeper; 10 missing: ")
    assert "detector.convnext.stages.0.1.dwconv.weight" in str(caught.value)

    longer = dataclasses.replace(tiny, name="longer", nbits=24)
    with pytest.raises(WeightsError, match=r"of another shape: .*msg_embeddings.weight \(32, 4\) instead of \(48, 4\)"):
        load(longer, tmp_path / "tiny.pth")

    torch.save({"model": state | {"detector.extra": torch.zeros(1)}}, tmp_path / "more.pth")
    with pytest.raises(WeightsError, match=r"1 unexpected: detector\.extra"):
        load(tiny, tmp_path / "more.pth")

    del state["detector.pixel_decoder.linear.bias"]
    torch.save({"model": state}, tmp_path / "less.pth")
    with pytest.raises(WeightsError, match=r"1 missing: detector\.pixel_decoder\.linear\.bias"):
        load(tiny, tmp_path / "less.pth")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (
            {"model": {"backbone.0": torch.zeros(2)}},
            r"named embedder\.\* and detector\.\*; found backbone\.0",
        ),
        ({}, "found no tensors"),
        ({"model": {}}, "found no tensors"),
        ({"model": {1: torch.zeros(2)}}, "expected a state dict"),
        ({"epoch": 3}, "expected a state dict"),
        (torch.zeros(3), "expected a state dict"),
        ([torch.zeros(3)], "expected a state dict"),
        ({"detector.x": torch.zeros(3).to_sparse()}, "expected a state dict"),
        ({"detector.x": torch.zeros(3, device="meta")}, "expected a state dict"),
    ],
)
def test_other_contents_are_refused(tiny: Variant, tmp_path: Path, content: object, message: str) -> None:
    torch.save(content, tmp_path / "odd.pth")
    with pytest.raises(WeightsError, match=message):
        load(tiny, tmp_path / "odd.pth")


@pytest.mark.filterwarnings("ignore:torch.quantize_per_tensor", "ignore:TypedStorage is deprecated")
def test_quantized_tensors_are_refused(tiny: Variant, tmp_path: Path) -> None:
    torch.save({"detector.x": torch.quantize_per_tensor(torch.zeros(3), 0.1, 0, torch.qint8)}, tmp_path / "odd.pth")
    with pytest.raises(WeightsError, match="expected a state dict"):
        load(tiny, tmp_path / "odd.pth")


# --- Checkpoints that would run a program ---


class Payload:
    """Creates a file when it is unpickled."""

    def __init__(self, proof: Path):
        self.proof = proof

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[str]]:
        return os.system, (f"touch {self.proof}",)


@pytest.mark.parametrize("form", ["zip", "legacy", "plain", "inside"])
def test_a_pickle_is_refused_and_not_run(tiny: Variant, state: State, tmp_path: Path, form: str) -> None:
    proof, path = tmp_path / "proof", tmp_path / "evil.pth"
    payload = Payload(proof)
    pickle.loads(pickle.dumps(payload))
    assert proof.exists()  # the payload works where it is run
    proof.unlink()
    if form == "plain":
        path.write_bytes(pickle.dumps({"model": state, "hook": payload}))
    else:
        content: dict[str, Any] = (
            {"model": state | {"detector.x": payload}} if form == "inside" else official_layout(state)
        )
        torch.save(content | {"hook": payload}, path, _use_new_zipfile_serialization=form != "legacy")
    with pytest.raises(WeightsError, match=r"evil\.pth: not a checkpoint of tensors only"):
        load(tiny, path)
    renamed = path.with_suffix(".safetensors")
    shutil.copy(path, renamed)
    with pytest.raises(WeightsError, match=r"not a complete \.safetensors file"):
        load(tiny, renamed)
    assert not proof.exists()


@pytest.mark.filterwarnings("ignore:`torch.jit:DeprecationWarning", "ignore::torch.jit.TracerWarning")
def test_torchscript_is_refused_with_a_way_out(tiny: Variant, tiny_watermarker: Watermarker, tmp_path: Path) -> None:
    archive = tmp_path / "detector.pt"
    with torch.inference_mode():
        torch.jit.trace(tiny_watermarker, torch.rand(1, 3, 32, 32)).save(str(archive))
    with pytest.raises(WeightsError, match=r"TorchScript archive.*torch\.save\(torch\.jit\.load\(FILE\)\.state_dict"):
        load(tiny, archive)
    torch.save(torch.jit.load(archive).state_dict(), tmp_path / "state.pth")
    assert_holds(load(tiny, tmp_path / "state.pth"), read_state(tmp_path / "state.pth"))


# --- Sources and fingerprints ---


@pytest.mark.parametrize("source", ["nowhere.pth", "", ".", "x" * 300])
def test_missing_file_is_reported(tiny: Variant, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, source: str) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(WeightsError, match=f"^{source[:20] or '.'}"):
        find_weights(tiny, source)


def test_sources(tiny: Variant, state: State, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "tiny.pth"
    torch.save(state, path)
    assert find_weights(tiny).kind == "seeded"
    assert find_weights(tiny, "seeded").path is None
    assert (find_weights(tiny, str(path)).kind, find_weights(tiny, str(path)).path) == ("file", path)
    with pytest.raises(WeightsError, match="tiny: no weights are bundled; use seeded, or the path of a checkpoint"):
        find_weights(tiny, "bundled")

    monkeypatch.setattr(weight_sources, "BUNDLED", tmp_path)
    shipped = dataclasses.replace(tiny, bundled_weights="tiny.pth")
    assert find_weights(shipped) == find_weights(shipped, "bundled")
    assert (find_weights(shipped).kind, find_weights(shipped).path) == ("bundled", path)
    assert find_weights(shipped, "seeded").kind == "seeded"
    with pytest.raises(WeightsError, match=r"other\.safetensors: no such file"):
        find_weights(dataclasses.replace(tiny, bundled_weights="other.safetensors"))


def test_fingerprint_follows_the_content_not_the_name(tiny: Variant, state: State, tmp_path: Path) -> None:
    paths = [tmp_path / name for name in ("a.pth", "b.pth", "c.pth")]
    torch.save(state, paths[0])
    shutil.copy(paths[0], paths[1])
    content = bytearray(paths[0].read_bytes())
    content[len(content) // 2] ^= 1
    paths[2].write_bytes(content)
    first, copied, changed = (find_weights(tiny, str(path)).fingerprint for path in paths)
    assert first == copied != changed
    assert len(first) == 64


def test_fingerprint_of_seeded_weights_follows_the_card_and_the_seeding(
    tiny: Variant, monkeypatch: pytest.MonkeyPatch
) -> None:
    fingerprint = find_weights(tiny, "seeded").fingerprint
    assert find_weights(tiny, "seeded").fingerprint == fingerprint
    other = dataclasses.replace(tiny, detector=ConvNeXtCard((1, 2), (8, 16), 4))
    assert find_weights(other, "seeded").fingerprint != fingerprint
    for constant in ("SEED", "SEEDING_VERSION"):
        with monkeypatch.context() as patch:
            patch.setattr(weight_sources, constant, 99)
            assert find_weights(tiny, "seeded").fingerprint != fingerprint


def test_seeded_weights_are_the_same_each_time(tiny: Variant, tiny_watermarker: Watermarker) -> None:
    torch.manual_seed(1234)
    again = load_watermarker(tiny, find_weights(tiny, "seeded"))
    assert_holds(again, dict(tiny_watermarker.state_dict()))
    detector, embedder = (
        again.get_parameter("detector.pixel_decoder.linear.bias"),
        again.get_parameter(TWINS[0]),
    )
    assert not torch.equal(detector[:4], embedder.flatten()[:4])  # embedder and detector have seeds of their own
