"""How far the outputs of any model are from the reference's. One entry each; a model is as good as its worst output."""

from sealbench.reports.schema.metric import TENSOR_TASK, Headline, Metric

TENSOR_METRICS = (
    Metric(
        "output_mae",
        "units",
        "lower",
        "Mean |value - value of the reference| over all values of an output; that of the output where it is largest.",
        task=TENSOR_TASK,
        no_gate="It is in the units of the output, which differ from model to model; output_cosine has none.",
    ),
    Metric(
        "output_max_abs",
        "units",
        "lower",
        "Largest |value - value of the reference|, of all outputs.",
        task=TENSOR_TASK,
        no_gate="It is in the units of the output, which differ from model to model, and grows with the inputs.",
    ),
    Metric(
        "output_snr_db",
        "dB",
        "higher",
        "10 * log10(sum of squared reference values / sum of squared differences) of an output; the smallest of them.",
        task=TENSOR_TASK,
        headline=Headline(6, "SNR", "SNR\ndB"),
        no_gate="What a model bears depends on what reads its outputs; output_cosine bounds what no reader would.",
    ),
    Metric(
        "output_cosine",
        "correlation",
        "higher",
        "Cosine of the angle between all values of an output and the reference's; the smallest of all outputs.",
        task=TENSOR_TASK,
        headline=Headline(5, "cosine", "cosine", "cosine to the reference"),
    ),
    Metric(
        "top1_agreement",
        "fraction",
        "higher",
        "Share of the vectors along an output's last axis whose largest value stands where the reference's does; of "
        "the output where it is smallest. Outputs with one value along that axis are left out.",
        task=TENSOR_TASK,
        headline=Headline(7, "top-1", "top-1\n%"),
    ),
)
