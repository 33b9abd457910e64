"""`python -m converters.training.readout`: fit the detector's last layer exactly, everything before it held still.

The last layer maps 256 means over the image to the logits. Given those means, its best values are a convex problem, a
logistic regression, which gradient descent with images in small batches only circles around: other bits of the
message leak into each logit, and a bias stays. Needs forward passes only.
"""

import argparse
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor, nn

from converters.errors import ConverterError
from converters.models.watermarker import Watermarker
from converters.training.augment import apply_attack, round_to_8_bits
from converters.training.checkpoint import save_weights
from converters.training.data import CoverImages
from converters.training.recipe import FROM_NOTHING, VALUE_ATTACKS
from converters.variants import get_variant, variant_names
from converters.weights import find_weights, load_watermarker
from datasets.sample import DatasetError

_BATCH = 8
_UNMARKED = 2  # images without a watermark beside each batch
_HELD_OUT = 0.2  # of the images, on which the ridge is chosen
_RIDGES = (0.1, 0.03, 0.01, 0.003, 0.001)
_BALANCE = 0.05
_ITERATIONS = 200


@dataclass(frozen=True)
class Means:
    """What the last layer sees.

    Attributes:
        marked: of attacked watermarked images, (N, C).
        messages: their bits 0 or 1, (N, nbits).
        unmarked: of attacked images without a watermark, (U, C).
    """

    marked: Tensor
    messages: Tensor
    unmarked: Tensor


@torch.no_grad()
def collect_means(
    watermarker: Watermarker,
    covers: CoverImages,
    images: int,
    nbits: int,
    seed: int,
    attacks: Sequence[str] = VALUE_ATTACKS,
) -> Means:
    """Watermark, attack and look at training images.

    Args:
        watermarker: in evaluation mode.
        covers: training images.
        images: how many watermarked ones, rounded up to whole batches.
        nbits: message length.
        seed: of everything that is drawn.
        attacks: they take turns; every third batch is spared.
    """
    rng = np.random.default_rng(seed)
    seen: list[Tensor] = []
    linear = watermarker.detector.get_submodule("pixel_decoder.linear")
    hook = linear.register_forward_pre_hook(lambda module, inputs: seen.append(inputs[0].double()))
    messages = []
    try:
        for index in range(-(-images // _BATCH)):
            clean = covers.draw(rng, _BATCH, watermarker.image_size)
            message = torch.from_numpy(rng.integers(0, 2, (_BATCH, nbits)))
            marked = round_to_8_bits(watermarker.embed(clean, message))
            name = "none" if index % 3 == 0 else attacks[index % len(attacks)]
            attacked = apply_attack(name, torch.cat([marked, round_to_8_bits(clean[:_UNMARKED])]), rng)
            watermarker.detector(round_to_8_bits(attacked))
            messages.append(message)
    finally:
        hook.remove()
    means = torch.stack(seen)  # (batches, _BATCH + _UNMARKED, C)
    return Means(means[:, :_BATCH].flatten(0, 1), torch.cat(messages), means[:, _BATCH:].flatten(0, 1))


def fit_readout(linear: nn.Linear, means: Means) -> list[tuple[float, float]]:
    """Fit the bit rows of the last layer in place; channel 0 stays.

    A ridge holds the rows near where training left them; its strength is chosen on held-out images, then all are used.

    Args:
        linear: C to 1 + nbits.
        means: of many images; fewer than a few times C overfit.

    Returns:
        (ridge, held-out loss) for infinity, the untouched layer, and each ridge tried.
    """
    count = len(means.marked)
    kept = count - int(_HELD_OUT * count)
    before = linear.weight.detach()[1:].double(), linear.bias.detach()[1:].double()
    tried = [(float("inf"), _loss(*before, means.marked[kept:], means.messages[kept:]))]
    for ridge in _RIDGES:
        weight, bias = _fit(before, means, kept, ridge)
        tried.append((ridge, _loss(weight, bias, means.marked[kept:], means.messages[kept:])))
    best = min(tried, key=lambda entry: entry[1])[0]
    if best != float("inf"):
        weight, bias = _fit(before, means, count, best)
        with torch.no_grad():
            linear.weight[1:] = weight.float()
            linear.bias[1:] = bias.float()
    return tried


def _fit(before: tuple[Tensor, Tensor], means: Means, count: int, ridge: float) -> tuple[Tensor, Tensor]:
    """Weight (nbits, C) and bias (nbits,) fitted to the first `count` images."""
    inputs, targets = means.marked[:count], means.messages[:count].double()
    spread = inputs.std(dim=0)  # (C,): the ridge measures what a change of weights does to the logits
    weight, bias = (value.clone().requires_grad_() for value in before)
    optimizer = torch.optim.LBFGS([weight, bias], max_iter=_ITERATIONS, line_search_fn="strong_wolfe")

    def closure() -> Tensor:
        optimizer.zero_grad()
        loss = F.binary_cross_entropy_with_logits(F.linear(inputs, weight, bias), targets)
        loss = loss + ridge * ((weight - before[0]) * spread).square().sum(dim=1).mean()
        loss = loss + _BALANCE * F.linear(means.unmarked, weight, bias).mean(dim=0).square().mean()
        loss.backward()
        return loss

    optimizer.step(closure)
    return weight.detach(), bias.detach()


def _loss(weight: Tensor, bias: Tensor, inputs: Tensor, messages: Tensor) -> float:
    return float(F.binary_cross_entropy_with_logits(F.linear(inputs, weight, bias), messages.double()))


def main(argv: list[str] | None = None) -> int:
    """Run the command; returns 0, or 2 for what the user can mend."""
    parser = argparse.ArgumentParser(prog="python -m converters.training.readout", description=__doc__)
    parser.add_argument("--weights", required=True, help="`bundled` or the path of a checkpoint")
    parser.add_argument("--out", type=Path, required=True, metavar="FILE", help="the new weights, .safetensors")
    parser.add_argument("--variant", default="videoseal_nano", help=f"one of: {', '.join(variant_names())}")
    parser.add_argument("--scaling_w", type=float, help="blending strength; default: the card's")
    parser.add_argument("--images", type=int, default=4000, help="training images (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=1, help="of images, messages and attacks (default: %(default)s)")
    options = parser.parse_args(argv)
    try:
        variant = get_variant(options.variant)
        watermarker = load_watermarker(variant, find_weights(variant, options.weights))
        if options.scaling_w is not None:
            watermarker.scaling_w = options.scaling_w
        covers = CoverImages(FROM_NOTHING.generated_images, FROM_NOTHING.generated_share, options.seed)
        means = collect_means(watermarker, covers, options.images, variant.nbits, options.seed)
        linear = watermarker.detector.get_submodule("pixel_decoder.linear")
        assert isinstance(linear, nn.Linear)
        for ridge, loss in fit_readout(linear, means):
            print(f"ridge {ridge:g}: held-out loss {loss:.5f}")
    except (ConverterError, DatasetError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    save_weights(options.out, watermarker, {"variant": variant.name, "readout_images": str(len(means.marked))})
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
