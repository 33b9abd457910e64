"""Pictures of the bit logits: over the PyTorch reference's, and how large the errors are."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.patches import Patch

from sealbench.reports.render.labels import in_order, picture_text
from sealbench.reports.render.plots.style import Picture, blank_grid, facets, legend_below, style_of
from sealbench.reports.render.plots.values import INK, add_tip, labelled
from sealbench.reports.render.record import RunRecord
from sealbench.reports.run.samples import of_files
from sealbench.reports.schema.records import UNATTACKED

_SAMPLED_POINTS = 1500
_SCATTER_SEED = 0
_BINS_PER_DECADE = 8
_LEAST_ERROR = 1e-7  # of logits near 1 that is float32's own rounding; what is smaller stands in the first bin


def watermarked_pairs(bits: pd.DataFrame) -> pd.DataFrame:
    """Select the bit logits of files that have a finite partner of the reference.

    Args:
        bits: What `load_samples` gives of BITS.

    Returns:
        Rows of watermarked images without attack, with a column `label` that names the file.
    """
    finite = np.isfinite(bits["logit"].astype(float)) & np.isfinite(bits["reference_logit"].astype(float))
    # A bit whose message is known is one of a watermarked image: channel 0 and plain images have none.
    wanted = finite & bits["message"].notna() & bits["attack"].isin(UNATTACKED)
    return labelled(of_files(bits[wanted]))


def logits_scatter(record: RunRecord) -> Picture | None:
    """Draw the bit logits of watermarked images against the reference's, for each model and precision.

    Args:
        record: Of the run.

    Returns:
        The figure, or None without finite pairs of logits.
    """
    pairs = watermarked_pairs(record.bits)
    if pairs.empty:
        return None
    models = {(model.variant, model.image_size): model for model in reversed(record.models)}
    groups = {
        (str(name), str(size)): group for (name, size), group in pairs.groupby(["variant", "image_size"], sort=False)
    }
    columns = in_order(pairs["label"].unique())
    figure, grid = blank_grid(
        len(groups),
        len(columns),
        "Bit logits of watermarked images against the PyTorch reference",
        f"up to {_SAMPLED_POINTS} sampled bits a panel; on the line: equal; shaded: the bit has flipped",
        (3.1 * len(columns), 3.3 * len(groups)),
    )
    for line, (key, group) in zip(grid, groups.items(), strict=True):
        limit = 1.05 * float(group[["logit", "reference_logit"]].abs().to_numpy().max()) or 1.0
        for axes, label in zip(line, columns, strict=True):
            own = group[group["label"] == label]
            _scatter_panel(axes, own, label, limit)
            if key in models and not own.empty:
                figure.add_panel([axes], models[key], label)
        title = models[key].title if key in models else picture_text(key[0])
        line[0].set_ylabel(title.replace(" - ", "\n") + "\nlogit", fontsize=10.5)
    for axes in grid[-1]:
        axes.set_xlabel("PyTorch logit")
    return figure


def error_histograms(record: RunRecord) -> Picture | None:
    """Draw how large the errors of the bit logits are, over how large the reference's logits are.

    Args:
        record: Of the run.

    Returns:
        The figure, or None without finite pairs of logits.
    """
    pairs = watermarked_pairs(record.bits)
    groups = {
        model: group
        for model in record.models
        for group in [pairs[(pairs["variant"] == model.variant) & (pairs["image_size"] == model.image_size)]]
        if not group.empty
    }
    if not groups:
        return None
    figure, all_axes = facets(
        list(groups),
        "Size of the logits' errors",
        "share of the bits in each bin; a bit can flip only where its error reaches into the grey",
        [4.0] * len(groups),
    )
    for axes, group in zip(all_axes, groups.values(), strict=True):
        _histogram_panel(axes, group)
    labels = in_order(label for group in groups.values() for label in group["label"].unique())
    legend_below(figure, labels, [Patch(color=INK, alpha=0.15, label="size of PyTorch's logits")])  # type: ignore[list-item]
    return figure


def _scatter_panel(axes: Axes, group: pd.DataFrame, label: str, limit: float) -> None:
    axes.set_title(picture_text(label))
    axes.set_xlim(-limit, limit)
    axes.set_ylim(-limit, limit)
    axes.set_aspect("equal")
    if group.empty:
        axes.text(0, 0, "not measured", ha="center", va="center", color="#777777")
        return
    error = float((group["logit"] - group["reference_logit"]).abs().mean())
    flipped = float(((group["logit"] > 0) != (group["reference_logit"] > 0)).mean())
    axes.fill_between([-limit, 0], 0, limit, color="#D55E00", alpha=0.07, linewidth=0)
    axes.fill_between([0, limit], -limit, 0, color="#D55E00", alpha=0.07, linewidth=0)
    axes.plot([-limit, limit], [-limit, limit], color="#777777", linewidth=1)
    points = group.sample(min(len(group), _SAMPLED_POINTS), random_state=_SCATTER_SEED)
    # As pixels even in a vector picture: thousands of circles would be most of a page.
    cloud = axes.scatter(
        points["reference_logit"],
        points["logit"],
        s=9,
        color=style_of(label)[0],
        alpha=0.45,
        linewidth=0,
        rasterized=True,
    )
    add_tip(cloud, f"{label}: mean absolute error {error:.3g}", f"{100 * flipped:.2f} % of {len(group)} bits flipped")
    text = f"MAE {error:.2g}\n{100 * flipped:.2f} % flipped"
    axes.text(0.04, 0.96, text, transform=axes.transAxes, va="top", fontsize=10, color=INK)


def _histogram_panel(axes: Axes, group: pd.DataFrame) -> None:
    errors = {
        str(label): (own["logit"] - own["reference_logit"]).abs().to_numpy(float)
        for label, own in group.groupby("label")
    }
    reference = group["reference_logit"].abs().to_numpy(float)
    highest = max(float(reference.max()), *(float(own.max()) for own in errors.values()), 10 * _LEAST_ERROR)
    decades = np.ceil(np.log10(highest)) - np.log10(_LEAST_ERROR)
    edges = np.geomspace(_LEAST_ERROR, _LEAST_ERROR * 10**decades, int(_BINS_PER_DECADE * decades) + 1)

    def shares(values: np.ndarray) -> np.ndarray:
        counts, _ = np.histogram(np.clip(values, edges[0], edges[-1]), edges)
        return 100 * counts / len(values)

    axes.stairs(shares(reference), edges, fill=True, color=INK, alpha=0.15)
    for label in in_order(errors):
        steps = axes.stairs(shares(errors[label]), edges, color=style_of(label)[0], linewidth=1.8)
        middle, worst = np.median(errors[label]), errors[label].max()
        add_tip(steps, f"{label}: median error {middle:.2g}, largest {worst:.2g}, {len(errors[label])} bits")
    axes.set_xscale("log")
    axes.set_xlim(edges[0], edges[-1])
    axes.set_ylim(0, None)
    axes.set_xlabel("|logit - PyTorch's logit|")
    axes.set_ylabel("% of the bits")
