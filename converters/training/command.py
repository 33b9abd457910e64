"""A training from its options to its files: progress for people, and nothing lost where it is stopped."""

import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

import torch
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from sealbench.converters.cards.watermark import Variant
from sealbench.converters.checkpoints.loading import load_watermarker
from sealbench.converters.command_line import writable_folder
from sealbench.converters.families.weight_sources import find_weights
from sealbench.converters.models.build import build_watermarker
from sealbench.converters.training.checkpoint import TrainingError, load_checkpoint
from sealbench.converters.training.data import CoverImages
from sealbench.converters.training.loop import train
from sealbench.converters.training.recipe import RECIPES
from sealbench.converters.training.trainer import CHECKPOINT, WEIGHTS, StepResult, Trainer, check_recipe

_LINE_EVERY = 50
_STOPPED = 130


def run(
    variant: Variant,
    *,
    recipe_name: str | None,
    init: str | None,
    out: Path,
    resume: bool,
    minutes: float,
    threads: int | None,
) -> int:
    """Train a variant.

    Args:
        variant: what is trained.
        recipe_name: of RECIPES, or None for what fits `init` and the machine.
        init: source of weights to start from, or None for values of a seed.
        out: folder for the checkpoint, the weights and the curves.
        resume: whether the checkpoint in `out` is continued.
        minutes: (of 60 seconds) after which it stops; infinite for none.
        threads: of PyTorch, or None for its choice.

    Returns:
        0, or 130 where it was stopped by a signal.

    Raises:
        TrainingError: the checkpoint cannot be continued, or there is one that nobody asked to continue.
        ConverterError: the weights or the folder cannot be used.
    """
    if threads:
        torch.set_num_threads(threads)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    recipe = RECIPES[recipe_name or _default_recipe(init, device)]
    check_recipe(recipe, variant)
    writable_folder(out, "--out")
    if resume:
        load_checkpoint(out / CHECKPOINT, variant.name, recipe.fingerprint())  # refused now, not in a minute
    elif (out / CHECKPOINT).exists():
        raise TrainingError(f"{out / CHECKPOINT} exists; continue with --resume, or choose another folder")
    if init:
        watermarker = load_watermarker(variant, find_weights(variant, init))
    else:
        torch.manual_seed(recipe.seed)  # of the initial values; everything after draws from the trainer's generator
        watermarker = build_watermarker(variant)
    if device.type == "cuda":
        torch.set_float32_matmul_precision("high")  # on its matrix units, with 10 bits of fraction
    print(f"{variant.name} on {device}, recipe {recipe.fingerprint()}, {recipe.steps} steps", flush=True)
    covers = CoverImages(recipe.generated_images, recipe.generated_share, recipe.crops, recipe.seed, device)
    trainer = Trainer(watermarker, variant, recipe, covers, device)
    if resume:
        trainer.restore(out / CHECKPOINT)
    try:
        with _signals() as stop:
            _train_with_progress(trainer, out, minutes, stop)
            stopped = stop() and not trainer.finished
    except KeyboardInterrupt:
        print("stopped before the checkpoint was written; --resume continues from the last one", file=sys.stderr)
        return _STOPPED
    ended = "stopped" if stopped else "time is up"
    done = "done" if trainer.finished else f"{ended}; --resume continues"
    print(f"{done} at step {trainer.step}: {out / WEIGHTS}; blending.scaling_w = {trainer.scaling:.4f}")
    return _STOPPED if stopped else 0


@contextmanager
def _signals() -> Iterator[Callable[[], bool]]:
    """Within, SIGINT and SIGTERM let the step end and the checkpoint be written; a second one ends at once."""
    caught: list[int] = []

    def stop(number: int, frame: FrameType | None) -> None:
        if caught:
            raise KeyboardInterrupt
        caught.append(number)

    before = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield lambda: bool(caught)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _default_recipe(init: str | None, device: torch.device) -> str:
    if init:
        return "fine-tune"
    return "from-nothing-long" if device.type == "cuda" else "from-nothing"


def _train_with_progress(trainer: Trainer, folder: Path, minutes: float, stop: Callable[[], bool]) -> None:
    """A progress bar on a terminal, plain lines elsewhere."""
    if not sys.stdout.isatty():
        train(trainer, folder, minutes=minutes, stop=stop, report=_print_line)
        return
    columns = (
        BarColumn(),
        TextColumn("{task.completed}/{task.total} {task.description}"),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns) as progress:
        task = progress.add_task("", total=trainer.recipe.steps, completed=trainer.step)

        def advance(trainer: Trainer, result: StepResult) -> None:
            progress.update(task, completed=trainer.step, description=_summary(trainer, result))

        report: Callable[[Trainer, StepResult], None] = advance
        train(trainer, folder, minutes=minutes, stop=stop, report=report)


def _print_line(trainer: Trainer, result: StepResult) -> None:
    if trainer.step % _LINE_EVERY == 0 or trainer.finished:
        print(f"step {trainer.step}/{trainer.recipe.steps} {_summary(trainer, result)}", flush=True)


def _summary(trainer: Trainer, result: StepResult) -> str:
    return (
        f"loss {result.loss:.3f} right {trainer.accuracy:.4f} of {trainer.bits_shown} bits "
        f"PSNR {result.psnr_db:.1f} dB scaling {trainer.scaling:.3f}"
    )
