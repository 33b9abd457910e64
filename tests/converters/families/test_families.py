"""Families: what a card's files, sizes and weights are, without a branch anywhere else."""

import ast
from pathlib import Path

import numpy as np
import pytest
import torch

from sealbench.converters.cards.image_size import ImageSize
from sealbench.converters.cards.quality import QualityVariant
from sealbench.converters.checkpoints.uvq import load_network
from sealbench.converters.errors import ImageSizeError, WeightsError, WrongTaskError
from sealbench.converters.export.calibration_inputs import CALIBRATION_FRAMES, calibration_frames
from sealbench.converters.families import family_of, quality
from sealbench.converters.families.registry import card_names, get_card
from sealbench.converters.families.uvq_model import UvqModel
from sealbench.converters.families.watermark import get_variant, variant_names
from sealbench.converters.families.weight_sources import find_weights
from sealbench.converters.models.uvq import settling
from sealbench.converters.models.uvq.efficientnet import ConvNorm
from sealbench.converters.models.uvq.folding import folded_state
from sealbench.converters.models.uvq.inputs import content_input, distortion_input, signed
from sealbench.converters.models.uvq.networks import content_view, patch_views
from sealbench.converters.models.uvq.shapes import FRAME
from sealbench.datasets.distortions import LADDERS

ROOT = Path(__file__).parents[3]
TASKS = {"watermark", "quality"}
OWN = ("converters/families", "bench/tasks", "converters/cards/watermark.py", "converters/cards/quality.py")


def test_no_other_module_asks_which_task_it_is() -> None:
    """A comparison with a task's name is a branch that the next family would have to find."""
    found = []
    for folder in ("bench", "converters", "datasets", "reports"):
        for path in (ROOT / folder).rglob("*.py"):
            name = str(path.relative_to(ROOT))
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if isinstance(node, ast.Compare) and not name.startswith(OWN):
                    constants = {part.value for part in ast.walk(node) if isinstance(part, ast.Constant)}
                    found += [f"{name}:{node.lineno}"] if constants & TASKS else []
    assert not found


def test_cards_of_quality_models() -> None:
    names = {name for name in card_names() if isinstance(get_card(name), QualityVariant)}
    assert names == {"uvq1p5", "uvq1p5_content", "uvq1p5_distortion", "uvq1p5_aggregation"}
    assert not names & set(variant_names())
    assert (get_card("uvq1p5").task, get_card("uvq1p5").architecture) == ("quality", "uvq")
    with pytest.raises(WrongTaskError, match=r"'uvq1p5' is a model of the task quality; expected one for watermarks"):
        get_variant("uvq1p5")


def test_a_network_takes_one_size() -> None:
    card = get_card("uvq1p5_content")
    family = family_of(card)
    assert family.default_size(card) == ImageSize(256, 256)
    family.check_size(card, ImageSize(256, 256), "simple")
    for size, mode in ((ImageSize(256, 257), "simple"), (ImageSize(256, 256), "resize")):
        with pytest.raises(ImageSizeError, match="it takes 256 only"):
            family.check_size(card, size, mode)


def released(folder: Path, *names: str) -> Path:
    """A folder of checkpoints of the released layout."""
    for name in names:
        torch.save(load_network(name).state_dict(), folder / f"{name}_net.pth")
    return folder


@pytest.mark.convert
def test_a_folder_holds_the_networks_by_their_names(tmp_path: Path) -> None:
    chain, content = get_card("uvq1p5"), get_card("uvq1p5_content")
    with pytest.raises(WeightsError, match=r"expected for uvq1p5 a folder with content_net.pth, distortion_net.pth"):
        find_weights(chain, str(tmp_path / "content_net.pth"))
    released(tmp_path, "content", "aggregation")
    with pytest.raises(WeightsError, match=r"no distortion_net.pth in this folder"):
        find_weights(chain, str(tmp_path))
    alone = find_weights(content, str(tmp_path))
    assert alone.fingerprint == find_weights(content, str(tmp_path / "content_net.pth")).fingerprint
    released(tmp_path, "distortion")
    weights = find_weights(chain, str(tmp_path))
    assert (weights.kind, weights.path) == ("file", tmp_path)
    model = family_of(chain).model(chain, weights)
    model.check()
    network = model.network
    assert isinstance(network, torch.nn.Module)
    state = torch.load(tmp_path / "distortion_net.pth", weights_only=True)
    for name, value in state.items():
        assert torch.equal(network.state_dict()[f"distortion_net.{name}"], value)
    # The two trunks fit each other: only their names tell them apart, and a swap is another model.
    (tmp_path / "content_net.pth").rename(tmp_path / "swap")
    (tmp_path / "distortion_net.pth").rename(tmp_path / "content_net.pth")
    (tmp_path / "swap").rename(tmp_path / "distortion_net.pth")
    assert find_weights(chain, str(tmp_path)).fingerprint != weights.fingerprint


def test_a_checkpoint_of_another_network_is_refused(tmp_path: Path) -> None:
    card = get_card("uvq1p5_content")
    path = released(tmp_path, "aggregation") / "aggregation_net.pth"
    with pytest.raises(WeightsError, match="does not fit the network content"):
        family_of(card).model(card, find_weights(card, str(path))).check()


def test_seeded_values_of_other_pictures_are_other_values(monkeypatch: pytest.MonkeyPatch) -> None:
    """Batch norms are settled on them: a file that was converted before would be compared with another network."""
    card = get_card("uvq1p5_content")
    before = find_weights(card, "seeded").fingerprint
    pictures = settling.settling_pictures()
    pictures[3][0, 0, 0] ^= 1
    monkeypatch.setattr(settling, "settling_pictures", lambda: pictures)
    quality._settling_fingerprint.cache_clear()
    assert find_weights(card, "seeded").fingerprint != before
    monkeypatch.undo()
    quality._settling_fingerprint.cache_clear()
    assert find_weights(card, "seeded").fingerprint == before


@pytest.mark.convert
def test_calibration_has_distorted_frames() -> None:
    """Ranges of sharp frames alone would be too narrow: most frames that are judged are distorted."""
    steps = [sample.attack for sample in calibration_frames()]
    assert len(steps) == CALIBRATION_FRAMES == len(set(steps))
    assert {step.partition(":")[0] for step in steps} == {"none", *LADDERS}


def test_files_take_what_the_chain_makes_of_a_frame() -> None:
    frame = np.random.default_rng(0).integers(0, 256, (*FRAME, 3), np.uint8)
    pixels = torch.from_numpy(signed(frame)).permute(0, 3, 1, 2)
    assert (signed(frame).min(), signed(frame).max()) == (-1, 1)
    assert torch.equal(torch.from_numpy(content_input(frame)).permute(0, 3, 1, 2), content_view(pixels))
    assert torch.equal(torch.from_numpy(distortion_input(frame)).permute(0, 3, 1, 2), patch_views(pixels))
    model = UvqModel(_quality("uvq1p5_content"), find_weights(get_card("uvq1p5_content")))
    assert [array.shape for array in model.inputs(frame)] == [(1, 256, 256, 3)]
    with pytest.raises(ValueError, match=r"expected \(1080, 1920, 3\) uint8"):
        signed(frame[:100])


def _quality(name: str) -> QualityVariant:
    card = get_card(name)
    assert isinstance(card, QualityVariant)
    return card


@pytest.mark.convert
def test_folded_kernels_give_what_the_norm_made_of_them() -> None:
    network = load_network("content")
    layer = network.get_submodule("features.1.block.0")
    assert isinstance(layer, ConvNorm)
    x = torch.randn(1, 32, 9, 9, generator=torch.Generator().manual_seed(0))
    kernel = torch.from_numpy(folded_state(network)["features.1.block.0.0.conv.weight"])
    assert layer.norm.running_mean is not None
    folded = torch.nn.functional.conv2d(x, kernel, padding=1, groups=32)
    normed = layer.norm(layer[0](x))
    difference = (normed - folded).detach()  # a shift for each channel is left
    assert difference.std(dim=(2, 3)).max() < 1e-4
    assert normed.detach().std() > 0.01
