from pathlib import Path

import pytest
import torch
from safetensors import safe_open
from torch import Tensor

from sealbench.converters.checkpoints import checkpoint_file
from sealbench.converters.checkpoints.checkpoint_file import extract, read_state
from sealbench.converters.errors import WeightsError

ODD_VALUES = {
    "detector.special": torch.tensor([float("nan"), float("inf"), -0.0, 1e-45]),
    "detector.half": torch.arange(7, dtype=torch.bfloat16),
    "detector.count": torch.tensor(3),
    "detector.none": torch.zeros(0, 4),
    "detector.strided": torch.arange(12.0).reshape(3, 4).T,
    "embedder.unet.msg_processor.table": torch.arange(6.0).reshape(2, 3),
}


def bits(value: Tensor) -> bytes:
    return value.contiguous().reshape(-1).view(torch.uint8).numpy().tobytes()


@pytest.mark.parametrize("zipped", [True, False])
def test_extraction_keeps_every_bit_of_what_is_needed(tmp_path: Path, zipped: bool) -> None:
    twin = {"embedder.msg_processor.table": ODD_VALUES["embedder.unet.msg_processor.table"]}
    content = {
        "model": ODD_VALUES | twin | {"attenuation.conv_x.weight": torch.zeros(3)},
        "optimizer": {"state": {0: {"exp_avg": torch.zeros(10_000)}}},
    }
    torch.save(content, tmp_path / "all.pth", _use_new_zipfile_serialization=zipped)
    extract(tmp_path / "all.pth", tmp_path / "some.safetensors", {"address": "there"})
    with safe_open(tmp_path / "some.safetensors", framework="pt") as file:
        assert set(file.keys()) == ODD_VALUES.keys()
        assert file.metadata() == {"address": "there"}
    found = read_state(tmp_path / "some.safetensors")
    assert found.keys() == ODD_VALUES.keys() | twin.keys()
    for key, value in ODD_VALUES.items():
        assert (found[key].dtype, found[key].shape) == (value.dtype, value.shape)
        assert bits(found[key]) == bits(value), key
    assert {path.name for path in tmp_path.iterdir()} == {"all.pth", "some.safetensors"}


def test_an_extraction_that_reads_back_otherwise_does_not_appear(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    torch.save(ODD_VALUES, tmp_path / "all.pth")
    save_file = checkpoint_file.save_file

    def save_with_a_flipped_bit(state: dict[str, Tensor], path: Path, metadata: dict[str, str]) -> None:
        save_file(state, path, metadata=metadata)
        content = bytearray(path.read_bytes())
        content[-1] ^= 1
        path.write_bytes(content)

    monkeypatch.setattr(checkpoint_file, "save_file", save_with_a_flipped_bit)
    with pytest.raises(OSError, match="reads back otherwise than it was written"):
        extract(tmp_path / "all.pth", tmp_path / "some.safetensors", {})
    assert {path.name for path in tmp_path.iterdir()} == {"all.pth"}


def test_other_files_are_not_extracted(tmp_path: Path) -> None:
    torch.save({"backbone.0": torch.zeros(2)}, tmp_path / "other.pth")
    with pytest.raises(WeightsError, match=r"expected tensors named embedder\.\* and detector\.\*"):
        extract(tmp_path / "other.pth", tmp_path / "some.safetensors", {})
    assert {path.name for path in tmp_path.iterdir()} == {"other.pth"}
