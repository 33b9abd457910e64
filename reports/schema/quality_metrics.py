"""How far the scores and features of a quality model are from the PyTorch reference. One entry each."""

from sealbench.reports.schema.metric import QUALITY_TASK, Headline, Metric

_SAME_OF_FRAMES = "score_error_pct and rank_correlation are judged, which say the same of all frames."

QUALITY_METRICS = (
    Metric(
        "score_mae",
        "score",
        "lower",
        "Mean |score - score of the PyTorch reference|; scores are from 1 to 5.",
        task=QUALITY_TASK,
        no_gate=_SAME_OF_FRAMES,
    ),
    Metric(
        "score_error_pct",
        "%",
        "lower",
        "Mean over frames of 100 * |score - score of the PyTorch reference| / that score.",
        task=QUALITY_TASK,
        headline=Headline(5, "score error", "score\nerror %", "score error"),
    ),
    Metric(
        "score_error_max_pct",
        "%",
        "lower",
        "The largest of these over the frames.",
        task=QUALITY_TASK,
    ),
    Metric(
        "rank_correlation",
        "correlation",
        "higher",
        "Spearman's rank correlation of the scores with the PyTorch reference's, over all frames.",
        task=QUALITY_TASK,
        headline=Headline(6, "rank correlation", "rank\ncorr."),
    ),
    Metric(
        "pair_agreement",
        "fraction",
        "higher",
        "Share of the pairs of frames of one picture or video that are in the PyTorch reference's order.",
        task=QUALITY_TASK,
        no_gate=_SAME_OF_FRAMES,
    ),
    Metric(
        "feature_error_pct",
        "%",
        "lower",
        "100 * root of the sum of squared errors of the features over that of PyTorch's squared features.",
        task=QUALITY_TASK,
        headline=Headline(7, "feature error", "feature\nerror %", "feature error"),
    ),
    Metric(
        "feature_cosine",
        "correlation",
        "higher",
        "Cosine of the angle between all features and the PyTorch reference's.",
        task=QUALITY_TASK,
        no_gate="It is insensitive: near 1 where feature_error_pct is several percent.",
    ),
)
