"""The trainer: it learns, it is resumed where it stopped, and it reads no evaluation photograph."""

import csv
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from sealbench.converters.cards.watermark import Variant
from sealbench.converters.checkpoints.loading import load_watermarker
from sealbench.converters.families.watermark import get_variant
from sealbench.converters.families.weight_sources import find_weights
from sealbench.converters.models.build import build_watermarker
from sealbench.converters.training import data
from sealbench.converters.training import trainer as training
from sealbench.converters.training.augment import ATTACKS
from sealbench.converters.training.checkpoint import TrainingError
from sealbench.converters.training.data import CoverImages
from sealbench.converters.training.loop import CURVES, train
from sealbench.converters.training.losses import FEATURE_SIZE, detection_loss, feature_loss
from sealbench.converters.training.recipe import DETECTOR, JOINT, RECIPES, TONES, LossWeights, Phase, Recipe
from sealbench.converters.training.trainer import (
    CHECKPOINT,
    WEIGHTS,
    StepResult,
    Trainer,
    bit_emphasis,
    check_recipe,
    learning_rate,
    more_bits,
)
from sealbench.datasets.photographs import photographs
from tests.converters.training.small_training import CPU, SMALL

TONES_FIRST = replace(SMALL.phases[0], name="tones", kind=TONES, attacks=("crop", "jpeg"), bits_shown=1)


def make_trainer(variant: Variant, covers: CoverImages, recipe: Recipe = SMALL) -> Trainer:
    torch.manual_seed(recipe.seed)
    return Trainer(build_watermarker(variant), variant, recipe, covers, CPU)


def curves_without_time(folder: Path) -> list[dict[str, str]]:
    with (folder / CURVES).open(newline="") as file:
        return [{key: value for key, value in row.items() if key != "minutes"} for row in csv.DictReader(file)]


@pytest.mark.convert
def test_training_lowers_the_loss(nano_tiny: Variant, covers: CoverImages) -> None:
    recipe = replace(SMALL, phases=(replace(SMALL.phases[0], steps=60),))
    trainer = make_trainer(nano_tiny, covers, recipe)
    losses = [trainer.train_step().loss for _ in range(recipe.steps)]
    assert np.mean(losses[-10:]) < np.mean(losses[:10]) - 0.05


@pytest.mark.convert
def test_stopping_and_resuming_changes_nothing(nano_tiny: Variant, covers: CoverImages, tmp_path: Path) -> None:
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    whole.mkdir()
    parts.mkdir()
    at_once = make_trainer(nano_tiny, covers)
    at_once_losses: list[float] = []
    train(at_once, whole, report=lambda _, result: at_once_losses.append(result.loss))

    losses: list[float] = []

    def stop_after_15(trainer: Trainer, result: StepResult) -> None:
        losses.append(result.loss)
        if trainer.step == 15:
            trainer.save(parts)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(make_trainer(nano_tiny, covers), parts, report=stop_after_15)
    resumed = make_trainer(nano_tiny, covers)
    torch.manual_seed(99)
    resumed.restore(parts / CHECKPOINT)
    assert resumed.step == 15
    train(resumed, parts, report=lambda _, result: losses.append(result.loss))

    assert losses == at_once_losses
    assert resumed.finished
    for key, value in at_once.model.state_dict().items():
        assert torch.equal(value, resumed.model.state_dict()[key]), key
    for key, value in at_once.average.items():
        assert torch.equal(value, resumed.average[key]), key
    assert curves_without_time(parts)[-1]["step"] == curves_without_time(whole)[-1]["step"] == "20"


def test_weights_are_loadable_and_averaged(nano_tiny: Variant, covers: CoverImages, tmp_path: Path) -> None:
    trainer = make_trainer(nano_tiny, covers)
    for _ in range(3):
        trainer.train_step()
    before = {key: value.clone() for key, value in trainer.model.state_dict().items()}
    trainer.save(tmp_path)
    for key, value in trainer.model.state_dict().items():
        assert torch.equal(value, before[key]), "saving must not change the model"
    loaded = load_watermarker(nano_tiny, find_weights(nano_tiny, str(tmp_path / WEIGHTS)))
    for key, value in loaded.state_dict().items():
        assert torch.equal(value, trainer.average[key]), key


def test_only_calibration_photographs_are_read(monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[str] = []
    original = data.photograph

    def recording(name: str) -> Any:
        read.append(name)
        return original(name)

    monkeypatch.setattr(data, "photograph", recording)
    CoverImages(1, 0.5, 4, 0, CPU)
    assert set(read) == set(photographs("calibration"))
    assert not set(read) & set(photographs("evaluation"))


def test_covers_are_images(covers: CoverImages) -> None:
    images = covers.draw(np.random.default_rng(0), 16, 48)
    assert images.shape == (16, 3, 48, 48)
    assert images.dtype == torch.float32
    assert images.min() >= 0
    assert images.max() <= 1
    assert torch.equal(images, covers.draw(np.random.default_rng(0), 16, 48))


@pytest.mark.convert
def test_more_bits_are_shown_as_they_are_read_and_then_the_strength_falls(
    nano_tiny: Variant, covers: CoverImages, monkeypatch: pytest.MonkeyPatch
) -> None:
    trainer = make_trainer(nano_tiny, covers, replace(SMALL, phases=(TONES_FIRST,)))
    attacked: list[str] = []

    def recording(name: str, images: torch.Tensor, rng: np.random.Generator) -> torch.Tensor:
        attacked.append(name)
        return images

    monkeypatch.setattr(training, "apply_attack", recording)
    seen = []
    for _ in range(6):
        trainer.accuracy = 1.0  # as if all had been read
        trainer.train_step()
        seen.append((trainer.bits_shown, trainer.scaling, len(attacked)))
    assert [bits for bits, _, _ in seen] == [2, 3, 4, 4, 4, 4]
    assert [scaling for _, scaling, _ in seen[:3]] == [4.0] * 3
    assert seen[3][1] == pytest.approx(4.0 * TONES_FIRST.factor)
    assert seen[2][2] == 0  # nothing is attacked while bits are missing
    assert seen[3][2] > 0


def test_bits_are_added_the_faster_the_more_there_are() -> None:
    assert [more_bits(shown, 32) for shown in (1, 7, 8, 16, 31)] == [2, 8, 10, 19, 32]


@pytest.mark.convert
def test_the_watermark_is_made_less_visible_while_it_is_read(nano_tiny: Variant, covers: CoverImages) -> None:
    joint = replace(SMALL.phases[1], harder_above=0.9)
    trainer = make_trainer(nano_tiny, covers, replace(SMALL, phases=(joint,)))
    least = trainer.visibility
    trainer.accuracy = 1.0
    trainer.train_step()
    assert trainer.visibility == pytest.approx(least / joint.factor)
    trainer.accuracy = 0.5
    trainer.train_step()
    trainer.train_step()
    assert trainer.visibility == least


def test_the_detector_alone_leaves_the_embedder_as_it_is(nano_tiny: Variant, covers: CoverImages) -> None:
    alone = replace(SMALL.phases[1], kind=DETECTOR)
    trainer = make_trainer(nano_tiny, covers, replace(SMALL, phases=(alone,)))
    before = {key: value.clone() for key, value in trainer.model.state_dict().items()}
    for _ in range(3):
        trainer.train_step()
    after = trainer.model.state_dict()
    changed = {key for key, value in before.items() if not torch.equal(value, after[key])}
    assert changed
    assert all(key.startswith("detector.") for key in changed)


def test_perfect_logits_have_no_loss() -> None:
    messages = torch.tensor([[0, 1], [1, 1]])
    signs = 2.0 * messages - 1
    unmarked = torch.tensor([[-50.0, 1.0, -1.0], [-50.0, -1.0, 1.0]])
    logits = torch.cat([torch.cat([torch.ones(2, 1), signs], 1) * 50, unmarked])
    loss = detection_loss(logits, messages, LossWeights(magnitude=0))
    assert float(loss.total) < 1e-6
    assert loss.bit_accuracy.tolist() == [1, 1]
    assert loss.confidence_accuracy == 1


def test_biased_bits_without_a_watermark_cost() -> None:
    messages = torch.tensor([[1, 0]])
    marked = torch.tensor([[9.0, 9.0, -9.0]])
    fair = torch.cat([marked, torch.tensor([[-9.0, 3.0, 3.0], [-9.0, -3.0, -3.0]])])
    biased = torch.cat([marked, torch.tensor([[-9.0, 3.0, 3.0], [-9.0, 3.0, 3.0]])])
    weights = LossWeights(balance=1.0)
    difference = detection_loss(biased, messages, weights).total - detection_loss(fair, messages, weights).total
    assert float(difference) == pytest.approx(math.tanh(3.0) ** 2)


def test_undecided_bits_without_a_watermark_cost_and_so_do_large_ones_with_it() -> None:
    messages = torch.tensor([[1, 0]])

    def loss_of(marked: float, unmarked: float) -> float:
        logits = torch.tensor([[0.0, marked, -marked], [0.0, unmarked, -unmarked], [0.0, -unmarked, unmarked]])
        return float(detection_loss(logits, messages, LossWeights(spread=1.0, magnitude=0.01)).total)

    assert loss_of(20, 0.2) - loss_of(20, 1.0) == pytest.approx(0.8**2, abs=1e-4)
    assert loss_of(20, 3.0) == pytest.approx(loss_of(20, 1.0))
    assert loss_of(40, 1.0) - loss_of(20, 1.0) == pytest.approx(0.01 * (40**2 - 20**2), abs=1e-4)


def test_large_features_cost() -> None:
    features = torch.full((2, 4, 3, 3), 2 * FEATURE_SIZE)
    assert float(feature_loss(features, LossWeights(features=0.5))) == pytest.approx(0.5 * 4)


def test_the_size_of_the_features_is_part_of_what_is_minimized(nano_tiny: Variant, covers: CoverImages) -> None:
    with_term, without = (
        make_trainer(nano_tiny, covers, replace(SMALL, weights=LossWeights(features=weight))) for weight in (1e3, 0)
    )
    assert with_term.train_step().loss > 2 * without.train_step().loss


def test_only_shown_bits_count() -> None:
    messages = torch.tensor([[1, 0]])
    logits = torch.tensor([[9.0, 9.0, 9.0]])  # the first bit right, the second wrong
    first, second = torch.tensor([[1.0, 0.0]]), torch.tensor([[0.0, 1.0]])
    assert detection_loss(logits, messages, LossWeights(), first).bit_accuracy.tolist() == [1]
    assert detection_loss(logits, messages, LossWeights(), second).bit_accuracy.tolist() == [0]
    assert detection_loss(logits, messages, LossWeights(magnitude=0), first).total < 0.1


def test_emphasized_bits_count_more_and_errors_are_reported_by_bit() -> None:
    messages = torch.tensor([[1, 0], [1, 0]])
    logits = torch.tensor([[9.0, 9.0, 9.0], [9.0, 9.0, 9.0]])  # the first bit right, the second wrong
    plain, stressed = (
        detection_loss(logits, messages, LossWeights(confidence=0, magnitude=0), emphasis=emphasis)
        for emphasis in (None, torch.tensor([0.5, 1.5]))
    )
    assert float(stressed.total) == pytest.approx(1.5 * float(plain.total), rel=1e-3)
    assert stressed.bit_accuracy.tolist() == plain.bit_accuracy.tolist() == [0.5, 0.5]
    assert stressed.bit_errors.tolist() == [0, 1]
    hidden = detection_loss(logits, messages, LossWeights(), torch.tensor([[1.0, 0.0]] * 2)).bit_errors
    assert hidden[0] == 0
    assert hidden[1].isnan()


def test_a_bit_that_is_not_read_is_shown_more_often_and_counts_more(nano_tiny: Variant, covers: CoverImages) -> None:
    errors = np.array([0.05, 0.05, 0.05, 0.45])
    assert bit_emphasis(errors) == pytest.approx([2 / 3, 2 / 3, 2 / 3, 2])
    assert bit_emphasis(np.zeros(4)) == pytest.approx(np.ones(4))
    trainer = make_trainer(nano_tiny, covers)
    trainer.bit_errors, trainer.bits_shown = errors, 1
    shown = trainer._shown(3000)
    assert shown is not None
    assert shown.sum(dim=1).tolist() == [1] * 3000
    assert shown.mean(dim=0).tolist() == pytest.approx([1 / 6, 1 / 6, 1 / 6, 1 / 2], abs=0.04)


def test_errors_of_bits_that_no_image_shows_stay(nano_tiny: Variant, covers: CoverImages) -> None:
    trainer = make_trainer(nano_tiny, covers)
    trainer._note_errors(torch.tensor([0.0, 1.0, math.nan, 0.5]))
    assert trainer.bit_errors[2:].tolist() == [0.5, 0.5]
    assert trainer.bit_errors[0] < 0.5 < trainer.bit_errors[1]


def test_rate_rises_and_falls() -> None:
    phase = Phase("p", JOINT, 1000, 64, batch=1, unmarked=0, learning_rate=1.0)
    rates = [learning_rate(phase, step) for step in (0, 500, 999)]
    assert rates[0] < 0.02
    assert rates[1] == 1
    assert rates[2] < 0.06


def test_recipe_locates_steps() -> None:
    assert SMALL.steps == 20
    assert SMALL.locate(11)[0].name == "first"
    assert SMALL.locate(12) == (SMALL.phases[1], 0)
    with pytest.raises(IndexError):
        SMALL.locate(20)


@pytest.mark.parametrize("name", RECIPES)
def test_shipped_recipes_fit_the_card(name: str) -> None:
    check_recipe(RECIPES[name], get_variant("videoseal_nano"))
    assert all(attack in ATTACKS for phase in RECIPES[name].phases for attack in phase.attacks)


def test_recipe_of_an_impossible_size(tiny: Variant) -> None:
    odd = replace(SMALL, phases=(replace(SMALL.phases[0], image_size=31),))
    with pytest.raises(TrainingError, match="image size 31"):
        check_recipe(odd, tiny)


def test_an_embedder_that_cannot_draw_tones(tiny: Variant) -> None:
    shallow = replace(tiny, embedder=replace(tiny.embedder, widths=(4, 4, 4, 8), upsampling="conv"))
    with pytest.raises(TrainingError, match="repeats every 8"):
        check_recipe(replace(SMALL, phases=(TONES_FIRST,)), shallow)


def test_more_bits_than_the_carriers_hold(nano_tiny: Variant) -> None:
    check_recipe(replace(SMALL, phases=(TONES_FIRST,)), nano_tiny)
    with pytest.raises(TrainingError, match="phase tones: 33 bits do not fit in 64 waves"):
        check_recipe(replace(SMALL, phases=(TONES_FIRST,)), replace(nano_tiny, nbits=33))


@pytest.mark.parametrize(
    ("field", "value"),
    [("kind", "magic"), ("steps", 0), ("unmarked", -1), ("attacks", ()), ("bits_shown", 0)],
)
def test_impossible_phases_are_refused(field: str, value: object) -> None:
    with pytest.raises(ValueError, match="phase first"):
        replace(SMALL.phases[0], **{field: value})  # type: ignore[arg-type]


def test_a_training_of_another_recipe_is_refused(nano_tiny: Variant, covers: CoverImages, tmp_path: Path) -> None:
    make_trainer(nano_tiny, covers).save(tmp_path)
    other = make_trainer(nano_tiny, covers, replace(SMALL, seed=1))
    with pytest.raises(TrainingError, match="recipe"):
        other.restore(tmp_path / CHECKPOINT)


@pytest.mark.parametrize("content", [b"", b"no checkpoint", b"PK\x03\x04 broken"])
def test_a_broken_checkpoint_is_refused(
    nano_tiny: Variant, covers: CoverImages, tmp_path: Path, content: bytes
) -> None:
    path = tmp_path / CHECKPOINT
    path.write_bytes(content)
    with pytest.raises(TrainingError, match="not a training checkpoint"):
        make_trainer(nano_tiny, covers).restore(path)


def test_a_checkpoint_with_code_is_refused(nano_tiny: Variant, covers: CoverImages, tmp_path: Path) -> None:
    path = tmp_path / CHECKPOINT
    torch.save({"format": 1, "model": Path}, path)  # a class is not a tensor
    with pytest.raises(TrainingError, match="not a training checkpoint"):
        make_trainer(nano_tiny, covers).restore(path)


def test_a_missing_checkpoint_is_refused(nano_tiny: Variant, covers: CoverImages, tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match="no such checkpoint"):
        make_trainer(nano_tiny, covers).restore(tmp_path / CHECKPOINT)
