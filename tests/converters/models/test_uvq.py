"""UVQ's networks: their numbers, their layout, and that seeded values keep them alive."""

import numpy as np
import pytest
import torch
from torch import nn

from sealbench.converters.checkpoints.uvq import NETWORKS, load_chain, load_network
from sealbench.converters.export.uvq import PixelsLast
from sealbench.converters.models.seeding import initialize
from sealbench.converters.models.uvq.efficientnet import SameConv2d, same_padding
from sealbench.converters.models.uvq.networks import (
    AggregationNet,
    ContentNet,
    DistortionNet,
    UvqChain,
    content_view,
    patch_views,
)
from sealbench.datasets.distortions import distorted_samples
from tests.converters.model_inputs import pattern
from tests.converters.uvq_inputs import features, seeded, signed

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


@pytest.fixture(scope="module")
def chain() -> UvqChain:
    return load_chain()


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


@pytest.mark.convert
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


@pytest.mark.convert
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


@pytest.mark.long
@pytest.mark.convert
def test_seeded_scores_tell_images_and_distortions_apart(chain: UvqChain) -> None:
    samples = (
        distorted_samples("evaluation", (1080, 1920), 6)[:2] + distorted_samples("evaluation", (1080, 1920), 26)[24:]
    )
    with torch.inference_mode():
        scores = [chain(signed(sample.image)).item() for sample in samples]
    assert all(2 < score < 4.5 for score in scores), scores
    assert abs(scores[0] - scores[1]) > 0.1, scores  # another photograph
    assert min(abs(scores[0] - scores[2]), abs(scores[1] - scores[3])) > 0.01, scores  # at half its resolution


@pytest.mark.convert
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


@pytest.mark.convert
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


@pytest.mark.convert
def test_seeded_values_are_the_same_every_time() -> None:
    again = load_network("content")
    for name, value in seeded("content").state_dict().items():
        torch.testing.assert_close(again.state_dict()[name], value, rtol=1e-5, atol=1e-6)
    assert not torch.equal(seeded("distortion").features[17].conv.weight, again.features[17].conv.weight)  # type: ignore[union-attr,index]
    assert not again.training


@pytest.mark.convert
def test_pixels_last_is_the_same_network() -> None:
    image = pattern(64, 64) * 2 - 1
    with torch.inference_mode():
        expected = seeded("content")(image)
        assert torch.equal(PixelsLast(seeded("content"))(image.permute(0, 2, 3, 1)), expected)
    assert isinstance(seeded("distortion"), DistortionNet)
