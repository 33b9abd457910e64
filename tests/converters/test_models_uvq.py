"""UVQ's networks: their numbers, their layout, their loading, and that seeded values keep them alive.

Against upstream's own modules, from a checkout of google/uvq:

    UVQ_SOURCE=/path/to/uvq make test TEST=tests/converters/test_models_uvq.py
"""

import importlib
import os
import sys
from collections.abc import Iterator
from functools import cache, partial
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from converters.convert_to_tflite_int8 import main
from converters.errors import UnknownNameError, WeightsError
from converters.models.seeding import initialize
from converters.models.uvq.efficientnet import SameConv2d, same_padding
from converters.models.uvq.exporting import INPUT_SHAPES, PixelsLast
from converters.models.uvq.loading import NETWORKS, load_chain, load_network
from converters.models.uvq.networks import (
    AggregationNet,
    ContentNet,
    DistortionNet,
    UvqChain,
    content_view,
    patch_views,
)
from converters.partitions import xnnpack_partitions
from converters.tflite_file import read_model_file
from datasets.distortions import distorted_samples
from tests.converters.model_inputs import pattern

# Seeded weights.
GOLDEN_CONTENT = [-0.197927, -1.276843, -0.240801, 0.451649]
GOLDEN_SCORE = 1.2956
RELEASED_AGGREGATION = {  # of the released aggregation_net.pth
    "conv1.weight": (256, 256, 1, 1),
    "conv1.bias": (256,),
    "linear1.weight": (1, 256),
    "linear1.bias": (1,),
    "ln1.weight": (256, 4, 4),
    "ln1.bias": (256, 4, 4),
}


@cache
def seeded(name: str) -> Any:
    return load_network(name)


@pytest.fixture(scope="module")
def chain() -> UvqChain:
    return load_chain()


def signed(picture: np.ndarray) -> Tensor:
    return torch.from_numpy(picture).permute(2, 0, 1)[None].float() / 127.5 - 1


def features(seed: int = 0) -> tuple[Tensor, Tensor]:
    """Random features of both kinds, as AggregationNet takes them."""
    generator = torch.Generator().manual_seed(seed)
    content, distortion = (torch.randn(shape, generator=generator) for shape in INPUT_SHAPES[AggregationNet])
    return content, distortion


# --- Layout ---


def test_state_has_the_released_names_and_shapes() -> None:
    with torch.device("meta"):
        states = {name: kind().state_dict() for name, kind in NETWORKS.items()}
    assert {key: tuple(value.shape) for key, value in states["aggregation"].items()} == RELEASED_AGGREGATION
    shapes = {key: tuple(value.shape) for key, value in states["content"].items()}
    assert shapes == {key: tuple(value.shape) for key, value in states["distortion"].items()}
    assert shapes["features.0.0.conv.weight"] == (32, 3, 3, 3)
    assert shapes["features.0.1.running_var"] == (32,)
    assert shapes["features.1.block.0.0.conv.weight"] == (32, 1, 3, 3)  # the first block does not expand
    assert shapes["features.4.block.2.fc1.weight"] == (6, 144, 1, 1)  # a quarter of the block's input, not of 144
    assert shapes["features.16.block.3.0.conv.weight"] == (320, 1152, 1, 1)
    assert shapes["features.17.conv.weight"] == (128, 320, 2, 2)
    assert (
        sum(np.prod(shape, dtype=int) for key, shape in shapes.items() if "running" not in key) == 3_759_276
    )  # of them 48 counters
    assert not any(key.startswith("features.17.") and key.endswith("bias") for key in shapes)


# --- Values: what the definitions gave when they were compared with upstream's modules ---


def test_golden_features_and_score() -> None:
    image = pattern(64, 64) * 2 - 1
    with torch.inference_mode():
        content = seeded("content")(image)
        score = seeded("aggregation")(*features())
    assert content.shape == (1, 2, 2, 128)
    assert content[0, 0, 1, :4].tolist() == pytest.approx(GOLDEN_CONTENT, abs=1e-4)
    assert score.shape == (1, 1)
    assert score.item() == pytest.approx(GOLDEN_SCORE, abs=1e-3)


@pytest.mark.parametrize(
    ("side", "kernel", "stride", "expected"),
    [
        (256, 3, 2, (0, 1)),
        (45, 3, 2, (1, 1)),
        (90, 5, 2, (1, 2)),
        (45, 5, 2, (2, 2)),
        (8, 2, 1, (0, 1)),
        (7, 1, 1, (0, 0)),
    ],
)
def test_padding_is_tensorflows(side: int, kernel: int, stride: int, expected: tuple[int, int]) -> None:
    assert same_padding(side, kernel, stride) == expected


def test_convolution_pads_each_axis_by_its_own_side() -> None:
    convolution = SameConv2d(1, 1, 3, stride=2)
    nn.init.ones_(convolution.conv.weight)
    with torch.inference_mode():
        sums = convolution(torch.ones(1, 1, 4, 5))[0, 0]
    assert sums.tolist() == [[6, 9, 6], [4, 6, 4]]  # of 4 rows zeros are below only, of 5 columns on both sides


def test_content_view_takes_the_four_nearest_pixels() -> None:
    frame = torch.rand(1, 3, 1080, 1920, generator=torch.Generator().manual_seed(0))
    view = content_view(frame)
    assert view.shape == (1, 3, 256, 256)
    y, x = (100 + 0.5) * 1080 / 256 - 0.5, (7 + 0.5) * 1920 / 256 - 0.5
    top, left = int(y), int(x)
    down, right = y - top, x - left
    square = frame[0, :, top : top + 2, left : left + 2]
    expected = (
        square[:, 0, 0] * (1 - down) * (1 - right)
        + square[:, 0, 1] * (1 - down) * right
        + square[:, 1, 0] * down * (1 - right)
        + square[:, 1, 1] * down * right
    )
    assert view[0, :, 100, 7].tolist() == pytest.approx(expected.tolist(), abs=1e-4)


def test_patches_go_row_by_row_and_their_features_lie_where_they_were() -> None:
    frames = torch.rand(2, 3, 1080, 1920, generator=torch.Generator().manual_seed(0)) * 2 - 1
    patches = patch_views(frames)
    assert patches.shape == (18, 3, 360, 640)
    for index, (frame, row, column) in enumerate(np.ndindex(2, 3, 3)):
        part = frames[frame, :, 360 * row : 360 * (row + 1), 640 * column : 640 * (column + 1)]
        assert torch.equal(patches[index], part)
    network = seeded("distortion")
    with torch.inference_mode():
        whole = network(patches[:9])
        positions = network.features(patches[5:6])  # of the second row, the last column
    assert whole.shape == (1, 24, 24, 128)
    assert positions.shape == (1, 128, 12, 20)
    expected = torch.stack([positions[0, :, 3:8, left : left + 13].amax((1, 2)) for left in range(8)])  # (8, 128)
    torch.testing.assert_close(whole[0, 8 + 3, 16:24], expected, rtol=1e-3, atol=1e-3)


def test_score_is_of_the_strongest_of_four_by_four_means() -> None:
    network = AggregationNet()
    initialize(network, 0)
    assert network.conv1.bias is not None
    with torch.inference_mode():
        score = network(*features())
        pooled = [
            part.reshape(1, 4, part.shape[1] // 4, 4, part.shape[2] // 4, 128).mean((2, 4)) for part in features()
        ]
        hidden = torch.cat(pooled, dim=-1) @ network.conv1.weight[:, :, 0, 0].T + network.conv1.bias  # (1, 4, 4, 256)
        centred = hidden - hidden.mean()  # one mean and one variance over all positions and channels
        normed = centred / (hidden.var(unbiased=False) + 1e-3).sqrt()
        gained = normed * network.ln1.weight.permute(1, 2, 0) + network.ln1.bias.permute(1, 2, 0)
        strongest = gained.clamp(min=0).amax((1, 2))  # (1, 256)
        expected = torch.tanh(strongest @ network.linear1.weight.T + network.linear1.bias) * 2 + 3
    torch.testing.assert_close(score, expected, rtol=1e-4, atol=1e-4)
    assert 1 < score.item() < 5


# --- Seeded values ---


def test_seeded_scores_tell_images_and_distortions_apart(chain: UvqChain) -> None:
    samples = (
        distorted_samples("evaluation", (1080, 1920), 6)[:2] + distorted_samples("evaluation", (1080, 1920), 26)[24:]
    )
    with torch.inference_mode():
        scores = [chain(signed(sample.image)).item() for sample in samples]
    assert all(2 < score < 4.5 for score in scores), scores
    assert abs(scores[0] - scores[1]) > 0.1, scores  # another photograph
    assert min(abs(scores[0] - scores[2]), abs(scores[1] - scores[3])) > 0.01, scores  # at half its resolution


def test_without_settled_norms_nothing_of_the_image_would_be_left() -> None:
    images = torch.cat([pattern(64, 64) * 2 - 1, pattern(64, 64).flip(3).square() * 2 - 1])
    dead, alive = ContentNet(), seeded("content")
    initialize(dead, 0)
    dead.eval()

    def spread(network: nn.Module) -> float:
        with torch.inference_mode():
            first, second = network(images)
        return float((first - second).norm())

    assert spread(dead) < 1e-3
    assert spread(alive) > 1


def test_seeded_features_enlarge_no_rounding() -> None:
    """Rounded to 8 bits, eighty layers' weights move the features by some percent; by 19 with SiLU about 0."""
    network, rounded = seeded("content"), load_network("content")
    with torch.inference_mode():
        for part in rounded.modules():
            if isinstance(part, nn.Conv2d):
                step = part.weight.abs().amax((1, 2, 3), keepdim=True) / 127
                part.weight.copy_((part.weight / step).round() * step)
        image = signed(distorted_samples("evaluation", (256, 256), 1)[0].image)
        expected = network(image)
        error = ((rounded(image) - expected).norm() / expected.norm()).item()
    assert 0.02 < error < 0.1


def test_seeded_values_are_the_same_every_time() -> None:
    again = load_network("content")
    for name, value in seeded("content").state_dict().items():
        torch.testing.assert_close(again.state_dict()[name], value, rtol=1e-5, atol=1e-6)
    assert not torch.equal(seeded("distortion").features[17].conv.weight, again.features[17].conv.weight)  # type: ignore[union-attr,index]
    assert not again.training


# --- Loading ---


@pytest.mark.parametrize("name", NETWORKS)
def test_file_of_the_released_layout_is_loaded(tmp_path: Path, name: str) -> None:
    path = tmp_path / f"{name}_net.pth"
    state = {key: value + 1 for key, value in seeded(name).state_dict().items()}
    torch.save(state, path)
    loaded = load_network(name, path)
    assert not loaded.training
    for key, value in loaded.state_dict().items():
        assert torch.equal(value, state[key]), key


def test_counters_of_batch_norms_may_be_left_out(tmp_path: Path) -> None:
    state = {key: value for key, value in seeded("content").state_dict().items() if "num_batches" not in key}
    torch.save(state, tmp_path / "content_net.pth")
    loaded = load_network("content", tmp_path / "content_net.pth")
    with torch.inference_mode():
        image = pattern(64, 64) * 2 - 1
        torch.testing.assert_close(loaded(image), seeded("content")(image))


def test_checkpoint_that_does_not_fit_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "aggregation_net.pth"
    state = dict(seeded("aggregation").state_dict())
    torch.save({**state, "ln1.weight": torch.ones(256), "bn1.weight": torch.ones(1)}, path)
    with pytest.raises(
        WeightsError, match=r"unexpected: bn1\.weight; 1 of another shape: ln1\.weight \(256,\) instead"
    ):
        load_network("aggregation", path)
    del state["linear1.bias"]
    torch.save(state, path)
    with pytest.raises(WeightsError, match=r"aggregation_net\.pth: does not fit .* 1 missing: linear1\.bias"):
        load_network("aggregation", path)
    with pytest.raises(WeightsError, match="no such file"):
        load_network("content", tmp_path / "none.pth")
    with pytest.raises(UnknownNameError, match="known: content, distortion, aggregation"):
        load_network("compression")
    with pytest.raises(WeightsError, match="no checkpoint of content, distortion"):
        load_chain({"aggregation": path})


class Planted:
    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, ("planted",)


def test_checkpoint_is_never_unpickled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    torch.save({"conv1.weight": Planted()}, "aggregation_net.pth")
    with pytest.raises(WeightsError, match="not a checkpoint of tensors only"):
        load_network("aggregation", Path("aggregation_net.pth"))
    assert not Path("planted").exists()


# --- The command ---


@pytest.mark.convert
def test_command_converts_one_network(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from ai_edge_litert.interpreter import Interpreter

    checkpoint = tmp_path / "mine.pth"
    torch.save(seeded("aggregation").state_dict(), checkpoint)
    out = tmp_path / "out"
    assert main(["--model", "aggregation", "--output_dir", str(out), "--aggregation_path", str(checkpoint)]) == 0
    assert [path.name for path in out.iterdir()] == ["aggregation_net_int8.tflite"]
    assert f"weights:   {checkpoint}" in capsys.readouterr().out
    model = read_model_file(out / "aggregation_net_int8.tflite")
    assert [signature.shape for signature in model.inputs] == [(1, 8, 8, 128), (1, 24, 24, 128)]
    assert [signature.shape for signature in model.outputs] == [(1, 1)]
    assert {signature.dtype for signature in (*model.inputs, *model.outputs)} == {"FLOAT32"}
    assert model.size_bytes < 115_000
    interpreter = Interpreter(str(out / "aggregation_net_int8.tflite"), num_threads=1)
    interpreter.allocate_tensors()
    for details, value in zip(interpreter.get_input_details(), features(), strict=True):
        interpreter.set_tensor(details["index"], value.numpy())
    interpreter.invoke()
    found = interpreter.get_tensor(interpreter.get_output_details()[0]["index"])
    with torch.inference_mode():
        expected = seeded("aggregation")(*features()).numpy()
    assert found == pytest.approx(expected, abs=0.05)


@pytest.mark.convert
def test_every_batch_norm_is_folded_and_every_convolution_quantized(tmp_path: Path) -> None:
    """The export of large constants by reference leaves one batch norm behind, and its weights in float32."""
    assert main(["--model", "content", "--output_dir", str(tmp_path)]) == 0
    model = read_model_file(tmp_path / "content_net_int8.tflite")
    assert [signature.shape for signature in model.inputs] == [(1, 256, 256, 3)]
    assert [signature.shape for signature in model.outputs] == [(1, 8, 8, 128)]
    assert model.quantized_weight_pct > 99
    assert model.size_bytes < 4_300_000
    assert xnnpack_partitions(model.path, threads=1).partitions == 1


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--model", "content", "--aggregation_path", "a.pth"], "error: --aggregation_path a.pth: aggregation is not"),
        (["--content_path", "nowhere.pth"], "error: --content_path nowhere.pth: no such file"),
    ],
)
def test_wrong_input_is_one_line_and_writes_nothing(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    told: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main([*arguments, "--output_dir", "out"]) == 2
    error = capsys.readouterr().err
    assert error.startswith(told)
    assert error.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


# --- Upstream ---


class _SqueezeExcitation(nn.Module):
    """Stands in for torchvision's: the same names, the same function."""

    def __init__(self, channels: int, squeezed: int, activation: Any):
        super().__init__()
        self.fc1 = nn.Conv2d(channels, squeezed, 1)
        self.fc2 = nn.Conv2d(squeezed, channels, 1)
        self.activation = activation()

    def forward(self, x: Tensor) -> Tensor:
        scale = nn.functional.adaptive_avg_pool2d(x, 1)
        return torch.sigmoid(self.fc2(self.activation(self.fc1(scale)))) * x


class _StochasticDepth(nn.Identity):
    """Of torchvision's nothing is left in evaluation mode."""


class _ConvNormActivation(nn.Sequential):
    """Stands in for torchvision's: convolution, norm, activation."""

    def __init__(self, *parts: Any):
        inputs, outputs, kernel, stride, padding, groups, norm, activation, dilation, _, bias, convolution = parts
        layers = [
            convolution(inputs, outputs, kernel, stride, padding, dilation=dilation, groups=groups, bias=bias or False),
            norm(outputs),
        ]
        super().__init__(*layers, *([activation()] if activation is not None else []))


@pytest.fixture(scope="module")
def upstream() -> Iterator[dict[str, nn.Module]]:
    """Upstream's own three networks, without values."""
    folder = os.environ.get("UVQ_SOURCE")
    if not folder:
        pytest.skip("set UVQ_SOURCE to a checkout of google/uvq to compare with it")
    before = dict(sys.modules)
    misc = ModuleType("torchvision.ops.misc")
    misc.__dict__.update(ConvNormActivation=_ConvNormActivation)
    operations = ModuleType("torchvision.ops")
    operations.__dict__.update(SqueezeExcitation=_SqueezeExcitation, StochasticDepth=_StochasticDepth, misc=misc)
    package = ModuleType("uvq_upstream")
    package.__path__ = [str(Path(folder) / "uvq1p5_pytorch" / "utils")]
    stand_ins = (ModuleType("torchvision"), operations, misc, package)
    sys.modules.update({module.__name__: module for module in stand_ins})
    try:
        parts = {name: importlib.import_module(f"uvq_upstream.{name}net") for name in NETWORKS}
        make = {
            "content": partial(parts["content"].ContentNet, pretrained=False),
            "distortion": partial(parts["distortion"].DistortionNet, pretrained=False),
            "aggregation": partial(parts["aggregation"].AggregationNet, pretrained=False),
        }
        yield {name: build() for name, build in make.items()}
    finally:
        for name in set(sys.modules) - set(before):
            if name.partition(".")[0] in {"torchvision", "uvq_upstream"}:
                del sys.modules[name]
        sys.modules.update(before)


@pytest.mark.parametrize("name", NETWORKS)
def test_state_has_upstreams_keys_and_shapes(upstream: dict[str, nn.Module], name: str) -> None:
    def shapes(module: nn.Module) -> dict[str, tuple[int, ...]]:
        return {key: tuple(value.shape) for key, value in module.state_dict().items()}

    assert shapes(seeded(name)) == shapes(upstream[name].get_submodule("model"))


def test_features_and_score_equal_upstreams(upstream: dict[str, nn.Module], chain: UvqChain) -> None:
    ours = {"content": chain.content_net, "distortion": chain.distortion_net, "aggregation": chain.aggregation_net}
    for name, network in ours.items():
        upstream[name].get_submodule("model").load_state_dict(network.state_dict(), strict=True)
    frames = torch.cat([signed(sample.image) for sample in distorted_samples("evaluation", (1080, 1920), 2)])
    video = frames[:, None]  # seconds, frames a second, channels, height, width
    with torch.inference_mode():
        content, distortion = upstream["content"](video), upstream["distortion"](video)
        assert largest_difference(chain.content_net(content_view(frames)), content) <= 1e-5
        assert largest_difference(chain.distortion_net(patch_views(frames)), distortion) <= 1e-5
        scores = upstream["aggregation"](content, distortion)["uvq_1p5_features"]
        assert largest_difference(chain.aggregation_net(content, distortion), scores) <= 1e-5
        assert largest_difference(chain(frames), scores) <= 1e-4
    assert scores.shape == (2, 1)


def largest_difference(ours: Tensor, upstreams: Tensor) -> float:
    """Of two tensors of one shape, relative to the second's largest value or 1."""
    assert ours.shape == upstreams.shape
    return ((ours - upstreams).abs().max() / upstreams.abs().max().clamp(min=1)).item()


def test_released_aggregation_fits_and_agrees_with_upstream(upstream: dict[str, nn.Module]) -> None:
    path = Path(os.environ["UVQ_SOURCE"]) / "uvq1p5_pytorch" / "checkpoints" / "aggregation_net.pth"
    if not path.is_file():
        pytest.skip(f"{path} is not in the checkout")
    ours = load_network("aggregation", path)
    upstream["aggregation"].load_state_dict(path)  # type: ignore[arg-type]
    with torch.inference_mode():
        for seed in range(4):
            expected = upstream["aggregation"](*features(seed))["uvq_1p5_features"]
            assert largest_difference(ours(*features(seed)), expected) <= 1e-5


def test_pixels_last_is_the_same_network() -> None:
    image = pattern(64, 64) * 2 - 1
    with torch.inference_mode():
        expected = seeded("content")(image)
        assert torch.equal(PixelsLast(seeded("content"))(image.permute(0, 2, 3, 1)), expected)
    assert isinstance(seeded("distortion"), DistortionNet)
