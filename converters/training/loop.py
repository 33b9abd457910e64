"""The training loop: steps until the recipe is done or time is up, with a log of the curves and checkpoints."""

import math
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from sealbench.converters.training.checkpoint import CurveLog
from sealbench.converters.training.recipe import Phase
from sealbench.converters.training.trainer import StepResult, Trainer

CURVES = "curves.csv"

_LOG_EVERY = 25


def train(
    trainer: Trainer,
    folder: Path,
    *,
    minutes: float = math.inf,
    stop: Callable[[], bool] = lambda: False,
    save_every_s: float = 120,
    report: Callable[[Trainer, StepResult], None] = lambda trainer, result: None,
) -> None:
    """Train until the recipe is done, time is up or it is stopped; the folder holds checkpoint, weights and curves.

    Args:
        trainer: restored already where a training is resumed.
        folder: exists.
        minutes: time that this call may take.
        stop: asked before each step whether this was the last.
        save_every_s: seconds between checkpoints.
        report: called after each step.
    """
    log = CurveLog(folder / CURVES, trainer.step)
    started = saved = time.monotonic()
    recent: list[StepResult] = []
    while not trainer.finished and not stop() and time.monotonic() - started < 60 * minutes:
        phase, _ = trainer.recipe.locate(trainer.step)
        result = trainer.train_step()
        recent.append(result)
        report(trainer, result)
        if trainer.step % _LOG_EVERY == 0 or trainer.finished:
            log.append(_curve_row(trainer, phase, recent))
            recent = []
        # Only at a logged step: a checkpoint between two would lose what the next row averages.
        if not recent and time.monotonic() - saved > save_every_s:
            trainer.save(folder)
            saved = time.monotonic()
    if recent:
        log.append(_curve_row(trainer, phase, recent))
    trainer.save(folder)


def _curve_row(trainer: Trainer, phase: Phase, recent: list[StepResult]) -> dict[str, object]:
    """The means since the last row."""

    def mean(name: str) -> float:
        return float(np.mean([getattr(result, name) for result in recent]))

    return {
        "step": trainer.step,
        "phase": phase.name,
        "resolution": phase.image_size,
        "loss": repr(mean("loss")),
        "bit_accuracy": f"{mean('bit_accuracy'):.5f}",
        "confidence_accuracy": f"{mean('confidence_accuracy'):.5f}",
        "psnr_db": f"{mean('psnr_db'):.3f}",
        "scaling": f"{trainer.scaling:.5f}",
        "bits_shown": trainer.bits_shown,
        "visibility": f"{trainer.visibility:.5f}",
        "minutes": f"{trainer.seconds / 60:.2f}",
    }
