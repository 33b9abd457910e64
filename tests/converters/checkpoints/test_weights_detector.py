"""The detector alone, and what is mapped instead of copied."""

import dataclasses
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from sealbench.converters.cards.watermark import Variant, ViTCard
from sealbench.converters.checkpoints.loading import load_detector, load_watermarker
from sealbench.converters.errors import WeightsError
from sealbench.converters.families.watermark import get_variant, variant_names
from sealbench.converters.families.weight_sources import find_weights
from sealbench.converters.models.build import build_detector, build_embedder
from tests.converters.made_checkpoints import State, assert_holds, load, official_layout, unseeded_state

pytestmark = pytest.mark.filterwarnings("ignore:Detected pickle protocol")  # PyTorch, on damaged files

VIT = ViTCard(
    grid=4,
    patch_size=8,
    dim=16,
    depth=2,
    heads=2,
    mlp_ratio=2,
    window_size=2,
    global_blocks=(1,),
    out_channels=8,
)


@pytest.fixture(params=["convnext", "vit"])
def either(request: pytest.FixtureRequest, tiny: Variant) -> Variant:
    """A tiny variant of either architecture."""
    return dataclasses.replace(tiny, detector=VIT) if request.param == "vit" else tiny


@pytest.mark.parametrize("name", ["model.pth", "old.pth", "model.safetensors", "seeded"])
def test_the_detector_alone_is_that_of_the_watermarker(either: Variant, tmp_path: Path, name: str) -> None:
    weights = find_weights(either, "seeded")
    if name != "seeded":
        state = unseeded_state(either)
        if name.endswith("pth"):
            torch.save({"model": state}, tmp_path / name, _use_new_zipfile_serialization=name != "old.pth")
        else:
            save_file({key: value.clone() for key, value in state.items()}, tmp_path / name)
        weights = find_weights(either, str(tmp_path / name))
    detector, watermarker = load_detector(either, weights), load_watermarker(either, weights)
    assert not detector.training
    images = torch.rand(2, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        assert torch.equal(detector(images), watermarker.detector(images))
    loaded, expected = detector.state_dict(), watermarker.detector.state_dict()
    assert loaded.keys() == expected.keys()
    for key, value in loaded.items():
        assert torch.equal(value, expected[key]), key
        if name != "seeded":
            assert torch.equal(value, state[f"detector.{key}"]), key


def test_assigned_values_are_those_that_copying_gives(either: Variant, tmp_path: Path) -> None:
    state = unseeded_state(either)
    torch.save({"model": state}, tmp_path / "model.pth")
    copied = build_detector(either)
    copied.load_state_dict({key.removeprefix("detector."): value for key, value in state.items() if "detector." in key})
    assigned = load_detector(either, find_weights(either, str(tmp_path / "model.pth")))
    for (name, before), (same_name, after) in zip(copied.named_parameters(), assigned.named_parameters(), strict=True):
        assert (name, before.dtype, before.stride(), before.requires_grad) == (
            same_name,
            after.dtype,
            after.stride(),
            after.requires_grad,
        )
        assert torch.equal(before, after)
    images = torch.rand(2, 3, 32, 32)
    with torch.inference_mode():
        assert torch.equal(copied(images), assigned(images))


def test_a_checkpoint_of_a_detector_alone_is_enough_for_the_detector(
    tiny: Variant, state: State, tmp_path: Path
) -> None:
    path = tmp_path / "detector.safetensors"
    save_file({key: value for key, value in state.items() if key.startswith("detector.")}, path)
    detector = load_detector(tiny, find_weights(tiny, str(path)))
    for key, value in detector.state_dict().items():
        assert torch.equal(value, state[f"detector.{key}"]), key
    with pytest.raises(WeightsError, match=r"does not fit the variant tiny; \d+ missing: embedder\."):
        load(tiny, path)


def test_misfits_are_reported_for_either_architecture(either: Variant, tmp_path: Path) -> None:
    state = unseeded_state(either)
    del state["detector.pixel_decoder.linear.bias"]
    state["detector.extra"] = torch.zeros(1)
    torch.save(state, tmp_path / "odd.pth")
    weights = find_weights(either, str(tmp_path / "odd.pth"))
    for load_it in (load_watermarker, load_detector):
        with pytest.raises(WeightsError) as caught:
            load_it(either, weights)
        assert "1 missing: detector.pixel_decoder.linear.bias" in str(caught.value)
        assert "1 unexpected: detector.extra" in str(caught.value)


def test_a_checkpoint_of_another_architecture_is_reported(tiny: Variant, state: State, tmp_path: Path) -> None:
    torch.save(state, tmp_path / "convnext.pth")
    vit = dataclasses.replace(tiny, name="vit", detector=VIT)
    with pytest.raises(WeightsError, match=r"does not fit the variant vit; .*missing: detector\.image_encoder\."):
        load_detector(vit, find_weights(vit, str(tmp_path / "convnext.pth")))


@pytest.mark.skipif(not Path("/proc/self/maps").exists(), reason="needs the kernel's list of mapped files")
@pytest.mark.parametrize("name", ["model.pth", "model.safetensors"])
def test_values_are_mapped_and_the_file_is_never_written(
    tiny: Variant, state: State, tmp_path: Path, name: str
) -> None:
    path = tmp_path / name
    if path.suffix == ".pth":
        torch.save(official_layout(state), path)
    else:
        save_file({key: value.clone() for key, value in state.items()}, path)
    content = path.read_bytes()
    detector = load_detector(tiny, find_weights(tiny, str(path)))
    places = [
        [int(place, 16) for place in line.split()[0].split("-")]
        for line in Path("/proc/self/maps").read_text().splitlines()
        if line.endswith(str(path))
    ]
    for name_of, parameter in detector.named_parameters():
        assert any(start <= parameter.data_ptr() < end for start, end in places), name_of
    with torch.no_grad():
        for parameter in detector.parameters():
            parameter.add_(1)  # as a training does
    assert path.read_bytes() == content


def test_tensors_in_another_order_of_memory_are_put_in_the_usual_one(
    tiny: Variant, state: State, tmp_path: Path
) -> None:
    last = {key: v.to(memory_format=torch.channels_last) if v.dim() == 4 else v for key, v in state.items()}
    torch.save(last, tmp_path / "last.pth")
    watermarker = load(tiny, tmp_path / "last.pth")
    assert all(parameter.is_contiguous() for parameter in watermarker.parameters())
    assert_holds(watermarker, state)


@pytest.mark.parametrize("name", variant_names())
def test_a_state_dict_fills_every_tensor_of_every_card(name: str) -> None:
    """The networks are built without values: what their state dict leaves out would never get any."""
    variant = get_variant(name)
    with torch.device("meta"):
        networks = (build_detector(variant), build_embedder(variant))
    for network in networks:
        held = {key for key, _ in (*network.named_parameters(), *network.named_buffers())}
        assert held <= network.state_dict().keys()
