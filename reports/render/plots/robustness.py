"""What attacks leave of the message, by precision: the values, their picture, and what to say of them."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.patches import Rectangle

from sealbench.reports.render.labels import Model, bar_label, in_order, model_of, picture_text
from sealbench.reports.render.plots.style import Picture, facets
from sealbench.reports.render.plots.values import add_tip
from sealbench.reports.render.record import RunRecord
from sealbench.reports.schema.formatting import PYTORCH, markdown_text
from sealbench.reports.schema.metrics import reason_not_applicable
from sealbench.reports.schema.records import NO_ATTACK, Measurement

_COLOURS = "RdBu_r"
_SMALLEST_SCALE = 1.0  # in points: what is smaller is not painted as if it were much
_ROW_INCHES, _COLUMN_INCHES = 0.25, 0.95


@dataclass(frozen=True)
class AttackResult:
    """What one file, or PyTorch, reads of the images after one attack.

    Attributes:
        model: The facet it belongs to.
        file: Its label in pictures.
        attack: "none" or "name:strength".
        value: Bit accuracy in %; for seeded weights the agreement with PyTorch.
        loss: How much lower the value is than PyTorch's, in percentage points; NaN where it was not compared.
        loss_low: Lower end of the loss's 95 % interval; NaN where there is none.
        loss_high: Upper end of it.
    """

    model: Model
    file: str
    attack: str
    value: float
    loss: float
    loss_low: float = math.nan
    loss_high: float = math.nan


def attack_results(measurements: Sequence[Measurement]) -> list[AttackResult]:
    """Find what was read under attacks, on the dataset that each model met first.

    Args:
        measurements: The run's measurements.

    Returns:
        One for each file and attack in the order of the record, the images without attack among them; nothing of models
        that were not attacked.
    """
    attacked = {model_of(row.case) for row in measurements if row.attack not in {NO_ATTACK, ""}}
    on_images = [row for row in measurements if row.dataset and model_of(row.case) in attacked]
    datasets: dict[Model, str] = {}
    found: dict[tuple[Model, str, str], dict[str, Measurement]] = {}
    for row in on_images:
        model = model_of(row.case)
        if row.dataset == datasets.setdefault(model, row.dataset):
            found.setdefault((model, bar_label(row.case), row.attack), {})[row.metric] = row
    return [
        result
        for place, metrics in found.items()
        if (result := _agreement(*place, metrics) if place[0].seeded else _accuracy(*place, metrics)) is not None
    ]


def _accuracy(model: Model, file: str, attack: str, metrics: dict[str, Measurement]) -> AttackResult | None:
    accuracy, delta = metrics.get("bit_accuracy"), metrics.get("bit_accuracy_delta")
    if accuracy is None:
        return None
    if delta is None:
        return AttackResult(model, file, attack, 100 * accuracy.value, 0.0 if file == PYTORCH else math.nan)
    return AttackResult(model, file, attack, 100 * accuracy.value, -delta.value, *_ends(delta, 0.0, 1.0))


def _agreement(model: Model, file: str, attack: str, metrics: dict[str, Measurement]) -> AttackResult | None:
    agreement = metrics.get("bit_agreement")
    if agreement is None:
        return None
    value = 100 * agreement.value
    return AttackResult(model, file, attack, value, 100 - value, *_ends(agreement, 100.0, 100.0))


def _ends(row: Measurement, best: float, scale: float) -> tuple[float, float]:
    """The interval of `best` - scale * value."""
    if row.ci_low is None or row.ci_high is None:
        return math.nan, math.nan
    return best - scale * row.ci_high, best - scale * row.ci_low


def robustness(record: RunRecord) -> Picture | None:
    """Draw attacks against precisions: the bit accuracy in %, coloured by the points that PyTorch reads more.

    Args:
        record: Of the run.

    Returns:
        The figure, or None without attacks.
    """
    by_model: dict[Model, list[AttackResult]] = {}
    for result in attack_results(record.measurements):
        by_model.setdefault(result.model, []).append(result)
    if not by_model:
        return None
    heights = [1.6 + _ROW_INCHES * len({result.attack for result in group}) for group in by_model.values()]
    figure, all_axes = facets(
        list(by_model),
        "Bits read after an attack, by precision",
        "%; red: lower than PyTorch on the same images, in percentage points",
        heights,
        width=3.6 + _COLUMN_INCHES * max(len({result.file for result in group}) for group in by_model.values()),
        color_bars=True,
    )
    losses = [abs(result.loss) for group in by_model.values() for result in group if math.isfinite(result.loss)]
    scale = max([_SMALLEST_SCALE, *losses])
    for axes, (model, group), height in zip(all_axes, by_model.items(), heights, strict=True):
        _heat_map(axes, group, scale)
        axes.set_xlabel("bit agreement with PyTorch, % (untrained)" if model.seeded else "bit accuracy, %")
        bar = figure.colorbar(ScalarMappable(Normalize(-scale, scale), _COLOURS), ax=axes, aspect=30, pad=0.02)
        bar.set_label("points lost")
        figure.add_panel([axes, bar.ax], model, height=height)
    return figure


def _heat_map(axes: Axes, group: Sequence[AttackResult], scale: float) -> None:
    files = in_order(result.file for result in group)
    attacks = list(dict.fromkeys([NO_ATTACK, *(result.attack for result in group)]))
    losses = np.full((len(attacks), len(files)), math.nan)
    for result in group:
        row, column = attacks.index(result.attack), files.index(result.file)
        losses[row, column] = result.loss
        color = "#FEFEFE" if abs(result.loss) > 0.6 * scale else "#111111"  # on cells that keep their colour
        axes.text(column, row, f"{result.value:.1f}", ha="center", va="center", fontsize=9.5, color=color)
        cell = Rectangle((column - 0.5, row - 0.5), 1, 1, facecolor="none", edgecolor="none")
        lost = f"{result.loss:.2f} points lower than PyTorch" if math.isfinite(result.loss) else ""
        add_tip(axes.add_patch(cell), f"{result.file}, {result.attack}: {result.value:.2f} %", lost)
    axes.imshow(losses, cmap=_COLOURS, vmin=-scale, vmax=scale, aspect="auto")
    axes.set_xticks(range(len(files)), [picture_text(file) for file in files], rotation=35, ha="right")
    axes.set_yticks(range(len(attacks)), ["+".join(map(picture_text, attack.split("+"))) for attack in attacks])
    axes.grid(visible=False)
    axes.tick_params(length=0)


def robustness_markdown(measurements: Sequence[Measurement]) -> str:
    """Say in a line for each file what it costs under attacks.

    Args:
        measurements: The run's measurements.

    Returns:
        A section of Markdown, every name in it escaped; "" without attacks.
    """
    costs = {
        (model_of(row.case), bar_label(row.case)): row
        for row in reversed(measurements)  # the first dataset's counts
        if row.metric == "jpeg_quality_cost" and reason_not_applicable(row.metric, row.case.weights) is None
    }
    by_model: dict[Model, dict[str, list[AttackResult]]] = {}
    for result in attack_results(measurements):
        if result.attack != NO_ATTACK and result.file != PYTORCH:
            by_model.setdefault(result.model, {}).setdefault(result.file, []).append(result)
    parts = []
    for model, by_file in by_model.items():
        attacks = {result.attack for group in by_file.values() for result in group}
        parts += [f"{markdown_text(model.title)}, attacks: {len(attacks)}", ""]
        for file in in_order(by_file):
            cost = costs.get((model, file))
            facts = ([] if cost is None else [_cost_text(cost)]) + [_worst_text(by_file[file])]
            parts.append(f"- {markdown_text(file)} {'; '.join(facts)}")
        parts.append("")
    return "\n".join(["### Robustness", "", *parts]).rstrip() if parts else ""


def _cost_text(row: Measurement) -> str:
    if not math.isfinite(row.value):
        return "costs an unknown JPEG quality (PyTorch reads no more bits of a better JPEG)"
    text = f"costs {row.value:.2f} JPEG-quality points"
    if row.ci_low is None or row.ci_high is None:
        return text
    text += f" \\[{row.ci_low:.2f}, {row.ci_high:.2f}\\]"
    return text + (", not distinguishable from 0" if row.ci_low <= 0 <= row.ci_high else "")


def _worst_text(group: Sequence[AttackResult]) -> str:
    what = "agreement with PyTorch" if group[0].model.seeded else "bit accuracy"
    if lost := [result.attack for result in group if math.isnan(result.loss)]:
        return f"{what}: not known under {markdown_text(', '.join(lost))}"
    worst = max(group, key=lambda result: result.loss)
    if worst.loss <= 0:
        return f"{what}: not lower under any attack"
    interval = "" if math.isnan(worst.loss_low) else f" \\[{worst.loss_low:.2f}, {worst.loss_high:.2f}\\]"
    return f"{what}: at most {worst.loss:.2f} points lower{interval}, under {markdown_text(worst.attack)}"
