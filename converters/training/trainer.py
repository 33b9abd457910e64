"""What a training step does: one object that holds all state, so that stopping and resuming changes nothing."""

import math
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor, nn

from sealbench.converters.cards.watermark import Variant
from sealbench.converters.models.jnd import luminance
from sealbench.converters.models.watermarker import Watermarker
from sealbench.converters.training.augment import apply_attack, round_to_8_bits
from sealbench.converters.training.carriers import TONE_PERIOD, carrier_pattern, sign_tiles, tone_tiles
from sealbench.converters.training.checkpoint import (
    TrainingError,
    dump_progress,
    load_checkpoint,
    parse_progress,
    save_checkpoint,
    save_weights,
)
from sealbench.converters.training.data import CoverImages
from sealbench.converters.training.losses import detection_loss, feature_loss
from sealbench.converters.training.recipe import CARRIER_KINDS, DETECTOR, JOINT, SIGNS, TONES, Phase, Recipe

CHECKPOINT, WEIGHTS = "checkpoint.pt", "weights.safetensors"

_WARM_UP_STEPS = 100
_FINAL_SHARE = 0.2  # of a phase, over which the learning rate falls ..
_FINAL_RATE = 0.05  # .. to this share of its peak
_GROUPS = 4  # attacks a step: each hits a part of the batch
_CLIP_NORM = 1.0
_DECODER = "pixel_decoder"
_READOUT, _READOUT_RATE = "pixel_decoder.linear", 10.0
_AVERAGE_DECAY = 0.995  # of the running mean of the weights, which is what is shipped
_ACCURACY_DECAY = 0.97  # of the running bit accuracy that says when what is asked for becomes harder
_PROOF = 0.04  # what the running accuracy loses when a bit is added: the next one waits until this is made good
_BITS_PER_MORE = 8  # a further bit is added at once for so many that are shown
_TINY = 1e-9
_EMBEDDER_SHARE = 4  # on tones, one image in so many trains the embedder, which has the easier task
_VISIBLE_ERROR = 10**-3.8  # mean squared change of values in [0, 1] at a PSNR of 38 dB
_MOST_VISIBILITY = 30.0  # times the least
_TILES = {SIGNS: sign_tiles, TONES: tone_tiles}


@dataclass(frozen=True)
class StepResult:
    """What one step says of itself.

    Attributes:
        loss: the minimized sum.
        bit_accuracy: share of right bits, attacked images included.
        confidence_accuracy: share of images whose channel 0 has the right sign.
        psnr_db: of the watermarked images after rounding, before attacks.
    """

    loss: float
    bit_accuracy: float
    confidence_accuracy: float
    psnr_db: float


class Trainer:
    """Trains a watermarker by a recipe.

    Args:
        watermarker: starts from its values; trained in place.
        variant: its card.
        recipe: what to do.
        covers: training images.
        device: where to compute.
    """

    def __init__(
        self, watermarker: Watermarker, variant: Variant, recipe: Recipe, covers: CoverImages, device: torch.device
    ):
        self.model = watermarker.to(device).train()
        self.variant = variant
        self.recipe = recipe
        self.covers = covers
        self.device = device
        self.step = 0
        self.scaling = variant.blending.scaling_w
        self.bits_shown = variant.nbits
        self.visibility = recipe.weights.visibility
        self.accuracy = 0.5
        self.bit_errors = np.full(variant.nbits, 0.5)
        self.seconds = 0.0
        self.rng = np.random.default_rng(recipe.seed)
        kinds = {phase.kind for phase in recipe.phases} & set(CARRIER_KINDS)
        self._tiles = {kind: _TILES[kind](variant.nbits, recipe.seed).to(device) for kind in kinds}
        self.optimizer = torch.optim.AdamW(self._parameter_groups(), betas=(0.9, 0.99), weight_decay=1e-4)
        self.average = {key: value.detach().clone() for key, value in self.model.state_dict().items()}

    def _parameter_groups(self) -> list[dict[str, Any]]:
        """All that is trained, the readout apart: it sees means over an image, small numbers, and would lag behind."""
        trained = [value for value in self.model.parameters() if value.requires_grad]
        readout = list(self.model.detector.get_submodule(_READOUT).parameters())
        known = {id(value) for value in readout}
        rest = [value for value in trained if id(value) not in known]
        return [{"params": rest, "rate": 1.0}, {"params": readout, "rate": _READOUT_RATE}]

    @property
    def finished(self) -> bool:
        """Whether every step of the recipe is done."""
        return self.step >= self.recipe.steps

    def train_step(self) -> StepResult:
        """Do one step and advance."""
        started = time.monotonic()
        phase, done = self.recipe.locate(self.step)
        if done == 0:
            self._enter(phase)
        self._set_mode(phase)
        for group in self.optimizer.param_groups:
            group["lr"] = group["rate"] * learning_rate(phase, done)
        images = self.covers.draw(self.rng, phase.batch, phase.image_size).to(self.device)  # (B, 3, S, S)
        messages = torch.from_numpy(self.rng.integers(0, 2, (phase.batch, self.variant.nbits))).to(self.device)
        self.optimizer.zero_grad(set_to_none=True)
        result = self._backward(phase, images, messages)
        nn.utils.clip_grad_norm_(self.model.parameters(), _CLIP_NORM)
        self.optimizer.step()
        self._update_average()
        self.step += 1
        self.accuracy = _ACCURACY_DECAY * self.accuracy + (1 - _ACCURACY_DECAY) * result.bit_accuracy
        self._steer(phase)
        self.seconds += time.monotonic() - started
        return result

    def _enter(self, phase: Phase) -> None:
        """What a phase begins with."""
        if phase.scaling_start is not None:
            self.scaling = phase.scaling_start
        if phase.bits_shown is not None:
            self.bits_shown = min(phase.bits_shown, self.variant.nbits)
        self.visibility = self.recipe.weights.visibility

    def _steer(self, phase: Phase) -> None:
        """Ask for more where the running accuracy allows it; see `Phase`."""
        good = self.accuracy > phase.harder_above
        if phase.kind == JOINT:
            least = self.recipe.weights.visibility
            moved = self.visibility / phase.factor if good else self.visibility * phase.factor
            self.visibility = min(max(moved, least), _MOST_VISIBILITY * least)
        elif good and phase.kind in CARRIER_KINDS and self.bits_shown < self.variant.nbits:
            self.bits_shown = more_bits(self.bits_shown, self.variant.nbits)
            self.accuracy = phase.harder_above - _PROOF
        elif good and phase.kind in CARRIER_KINDS and self.scaling > phase.scaling_end:
            self.scaling = max(phase.scaling_end, self.scaling * phase.factor)

    def _backward(self, phase: Phase, images: Tensor, messages: Tensor) -> StepResult:
        """Leave the gradient of the step in the parameters."""
        shown = self._shown(len(images)) if phase.kind in CARRIER_KINDS else None  # (B, nbits)
        watermark, fitting = self._watermark(phase, images, messages, shown)
        with torch.no_grad():
            visible = self.model.attenuation(images)  # (B, 1 or 3, S, S)
        marked = round_to_8_bits((images + self.scaling * visible * watermark).clamp(0, 1))
        attacked = self._attacked(phase, marked, images, spared=shown is not None)  # (B + U, 3, S, S)
        with _inputs_of(self.model.detector.get_submodule(_DECODER)) as features:
            logits = self.model.detector(attacked)  # (B + U, 1 + nbits)
        emphasis = torch.from_numpy(bit_emphasis(self.bit_errors)).to(logits)  # (nbits,)
        loss = detection_loss(logits, messages, self.recipe.weights, shown, emphasis)
        self._note_errors(loss.bit_errors)
        error = (marked - images).square().mean()
        total = loss.total + fitting + feature_loss(features[0], self.recipe.weights)
        if phase.kind == JOINT:
            total = total + self.visibility * error / _VISIBLE_ERROR
        total.backward()
        return StepResult(
            loss=float(total.detach()),
            bit_accuracy=float(loss.bit_accuracy.mean()),
            confidence_accuracy=loss.confidence_accuracy,
            psnr_db=-10 * math.log10(float(error.detach())) if error else math.inf,
        )

    def _shown(self, count: int) -> Tensor | None:
        """Which bits of each image are drawn, (B, nbits) of 0 and 1; None where all are."""
        if self.bits_shown == self.variant.nbits:
            return None
        # The smallest of exponential numbers, each with its rate: drawn by that rate, without replacement.
        drawn = self.rng.exponential(1 / bit_emphasis(self.bit_errors), (count, self.variant.nbits))
        rank = drawn.argsort(axis=1).argsort(axis=1)
        return torch.from_numpy((rank < self.bits_shown).astype(np.float32)).to(self.device)

    def _note_errors(self, errors: Tensor) -> None:
        """Move the running errors of the bits that the step has shown."""
        new = errors.double().cpu().numpy()
        moved = _ACCURACY_DECAY * self.bit_errors + (1 - _ACCURACY_DECAY) * new
        self.bit_errors = np.where(np.isnan(new), self.bit_errors, moved)

    def _watermark(self, phase: Phase, images: Tensor, messages: Tensor, shown: Tensor | None) -> tuple[Tensor, Tensor]:
        """The raw watermark (B, C, S, S), and how far the embedder is from drawing its carrier."""
        fitting = torch.zeros((), device=self.device)
        if phase.kind not in CARRIER_KINDS:
            with torch.set_grad_enabled(phase.kind == JOINT):
                return self._draw(images, messages), fitting
        tiles, (height, width) = self._tiles[phase.kind], images.shape[-2:]
        if phase.kind == SIGNS:
            return carrier_pattern(tiles, messages, height, width, shown), fitting
        few = max(2, len(images) // _EMBEDDER_SHARE)  # batch norm wants more than one
        fitting = F.mse_loss(
            self._draw(images[:few], messages[:few]), carrier_pattern(tiles, messages[:few], height, width)
        )
        # The embedder draws every tile from its corner; the detector must not rely on that.
        offsets = torch.from_numpy(self.rng.integers(tiles.shape[-1], size=(len(images), 2))).to(self.device)
        return carrier_pattern(tiles, messages, height, width, shown, offsets), fitting

    def _draw(self, images: Tensor, messages: Tensor) -> Tensor:
        """The embedder's raw watermark (B, C, S, S) of images (B, 3, S, S)."""
        cover = luminance(images) if self.variant.embedder.channels == 1 else images
        watermark: Tensor = self.model.embedder(cover, messages)
        return watermark

    def _attacked(self, phase: Phase, marked: Tensor, images: Tensor, *, spared: bool) -> Tensor:
        """Attacked watermarked images (B, ..), then attacked images without a watermark (U, ..), as 8-bit levels."""
        chosen = torch.from_numpy(self.rng.integers(len(images), size=phase.unmarked)).to(self.device)
        if spared:
            return torch.cat([marked, images[chosen]])
        count = min(_GROUPS, len(phase.attacks), len(marked))
        names = [phase.attacks[index] for index in self.rng.permutation(len(phase.attacks))[:count]]
        groups = zip(marked.tensor_split(count), images[chosen].tensor_split(count), strict=True)
        attacked = [
            apply_attack(name, torch.cat(group), self.rng).tensor_split([len(group[0])])
            for name, group in zip(names, groups, strict=True)
        ]
        return round_to_8_bits(torch.cat([first for first, _ in attacked] + [second for _, second in attacked]))

    def _set_mode(self, phase: Phase) -> None:
        self.model.train()
        if phase.kind == DETECTOR:
            self.model.embedder.eval()
        elif phase.frozen_norm:
            for module in self.model.embedder.modules():
                if isinstance(module, nn.BatchNorm2d):
                    module.eval()

    @torch.no_grad()
    def _update_average(self) -> None:
        """Move the running mean towards the weights; faster at first, when they still change a lot."""
        decay = min(_AVERAGE_DECAY, (1 + self.step) / (10 + self.step))
        for key, value in self.model.state_dict().items():
            if value.is_floating_point():
                self.average[key].lerp_(value, 1 - decay)
            else:
                self.average[key].copy_(value)

    def state(self) -> dict[str, Any]:
        """Everything that the next step depends on."""
        progress = {
            "step": self.step,
            "scaling": self.scaling,
            "bits_shown": self.bits_shown,
            "visibility": self.visibility,
            "accuracy": self.accuracy,
            "bit_errors": self.bit_errors.tolist(),
            "seconds": self.seconds,
            "rng": self.rng.bit_generator.state,
        }
        return {
            "variant": self.variant.name,
            "recipe": self.recipe.fingerprint(),
            "model": self.model.state_dict(),
            "average": self.average,
            "optimizer": self.optimizer.state_dict(),
            "progress": dump_progress(progress),
        }

    def restore(self, path: Path) -> None:
        """Go back to the state in a checkpoint.

        Raises:
            TrainingError: not a checkpoint of this variant and recipe.
        """
        state = load_checkpoint(path, self.variant.name, self.recipe.fingerprint())
        try:
            self.model.load_state_dict(state["model"])
            for key, value in self.average.items():
                value.copy_(state["average"][key])
            self.optimizer.load_state_dict(state["optimizer"])
            progress = parse_progress(state["progress"])
            self.rng.bit_generator.state = progress["rng"]
            self.step, self.scaling = progress["step"], progress["scaling"]
            self.bits_shown, self.visibility = progress["bits_shown"], progress["visibility"]
            self.accuracy, self.seconds = progress["accuracy"], progress["seconds"]
            self.bit_errors = np.array(progress["bit_errors"])
        except (KeyError, RuntimeError, TypeError, ValueError) as error:
            raise TrainingError(f"{path}: does not fit the variant {self.variant.name} ({error})") from error

    def save(self, folder: Path) -> None:
        """Write the checkpoint and the averaged weights."""
        save_checkpoint(folder / CHECKPOINT, self.state())
        current = {key: value.clone() for key, value in self.model.state_dict().items()}
        self.model.load_state_dict(self.average)
        metadata = {
            "variant": self.variant.name,
            "seed": str(self.recipe.seed),
            "recipe": self.recipe.fingerprint(),
            "step": str(self.step),
            "scaling_w": f"{self.scaling:.4f}",
        }
        save_weights(folder / WEIGHTS, self.model, metadata)
        self.model.load_state_dict(current)


@contextmanager
def _inputs_of(module: nn.Module) -> Iterator[list[Tensor]]:
    """What a module takes when it is called within: one tensor a call."""
    seen: list[Tensor] = []
    hook = module.register_forward_pre_hook(lambda module, inputs: seen.append(inputs[0]))
    try:
        yield seen
    finally:
        hook.remove()


def bit_emphasis(errors: np.ndarray) -> np.ndarray:
    """How often each bit is shown and how much it counts, compared with the others.

    The mean over bits hardly says that one of them is at chance, and training would continue without it.

    Args:
        errors: running share of images in which a bit is wrong, (nbits,).

    Returns:
        (nbits,), 1 in the mean: half the same for all, half in proportion to the errors.
    """
    return 0.5 + 0.5 * (errors + _TINY) / (errors.mean() + _TINY)


def more_bits(shown: int, nbits: int) -> int:
    """How many of `nbits` bits to show after `shown`: one more, and one for each eight. The first are the hardest."""
    return min(nbits, shown + 1 + shown // _BITS_PER_MORE)


def learning_rate(phase: Phase, done: int) -> float:
    """The rate of a phase's step: a short rise, the peak, and a fall over the last fifth."""
    rise = min(1.0, (done + 1) / _WARM_UP_STEPS)
    left = (phase.steps - done) / phase.steps
    return phase.learning_rate * rise * min(1.0, _FINAL_RATE + left / _FINAL_SHARE)


def check_recipe(recipe: Recipe, variant: Variant) -> None:
    """Refuse a recipe that the networks cannot follow.

    Raises:
        TrainingError: an image size below the detector's, or no multiple of what the embedder halves; carriers that the
            embedder cannot draw, or that do not hold so many bits.
    """
    multiple = 2 ** (len(variant.embedder.widths) - 1)
    for phase in recipe.phases:
        if phase.image_size < variant.detector.smallest_side or phase.image_size % multiple:
            raise TrainingError(
                f"phase {phase.name}: image size {phase.image_size}; {variant.name} needs a multiple of {multiple} "
                f"from {variant.detector.smallest_side}"
            )
        if phase.kind in CARRIER_KINDS and variant.embedder.channels != 1:
            raise TrainingError(f"phase {phase.name}: carriers are for embedders of one channel")
        if phase.kind == TONES and multiple < TONE_PERIOD:
            raise TrainingError(
                f"phase {phase.name}: tones repeat every {TONE_PERIOD} pixels; what the embedder of {variant.name} "
                f"draws repeats every {multiple}"
            )
        if phase.kind in CARRIER_KINDS:
            try:
                _TILES[phase.kind](variant.nbits, recipe.seed)
            except ValueError as error:
                raise TrainingError(f"phase {phase.name}: {error}") from error
