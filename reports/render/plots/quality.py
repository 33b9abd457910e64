"""The picture of quality models: each file's scores against PyTorch's."""

import numpy as np

from sealbench.reports.render.labels import in_order, picture_text
from sealbench.reports.render.plots.style import Picture, blank_grid, style_of
from sealbench.reports.render.plots.values import add_tip, labelled
from sealbench.reports.render.record import RunRecord
from sealbench.reports.run.samples import of_files
from sealbench.reports.schema.records import UNATTACKED

_LOWEST, _HIGHEST = 1.0, 5.0


def score_scatter(record: RunRecord) -> Picture | None:
    """Draw the score of each frame against the PyTorch reference's, for each model and precision.

    Args:
        record: Of the run.

    Returns:
        The figure, or None without finite scores of a file.
    """
    scores = record.scores
    found = of_files(scores[scores["attack"].isin(UNATTACKED)])
    found = found[np.isfinite(found["score"].astype(float)) & np.isfinite(found["reference_score"].astype(float))]
    if found.empty:
        return None
    found = labelled(found)
    models = {(model.variant, model.image_size): model for model in reversed(record.models)}
    groups = {
        (str(name), str(size)): group for (name, size), group in found.groupby(["variant", "image_size"], sort=False)
    }
    labels = in_order(found["label"].unique())
    figure, grid = blank_grid(
        len(groups),
        len(labels),
        "Scores of single frames against the PyTorch reference",
        "from 1 to 5; on the line: equal",
        (3.1 * len(labels), 3.3 * len(groups)),
    )
    for line, (key, group) in zip(grid, groups.items(), strict=True):
        for axes, label in zip(line, labels, strict=True):
            points = group[group["label"] == label]
            axes.set_title(picture_text(label))
            axes.set_xlim(_LOWEST, _HIGHEST)
            axes.set_ylim(_LOWEST, _HIGHEST)
            axes.set_aspect("equal")
            axes.plot([_LOWEST, _HIGHEST], [_LOWEST, _HIGHEST], color="#777777", linewidth=1)
            if points.empty:
                axes.text(3, 3, "not measured", ha="center", va="center", color="#777777")
                continue
            off = float((points["score"] - points["reference_score"]).abs().mean())
            cloud = axes.scatter(points["reference_score"], points["score"], s=22, color=style_of(label)[0], alpha=0.7)
            add_tip(cloud, f"{label}: off by {off:.3g} in the mean over {len(points)} frames")
            if key in models:
                figure.add_panel([axes], models[key], label)
        line[0].set_ylabel(f"{picture_text(key[0])}\nscore", fontsize=10.5)
    for axes in grid[-1]:
        axes.set_xlabel("PyTorch score")
    return figure
