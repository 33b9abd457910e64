"""What a metric is. Cheap to import: plain Python only."""

from dataclasses import KW_ONLY, dataclass
from typing import Literal

WATERMARK_TASK = "watermark"
QUALITY_TASK = "quality"
TENSOR_TASK = "tensor"
ABSOLUTE_TIME = "An absolute time belongs to one machine and one moment; ratios within a run are judged."
Better = Literal["higher", "lower", "neither"]


@dataclass(frozen=True)
class Headline:
    """How a metric is shown among those that a person compares precisions by.

    Attributes:
        place: Headlines are shown in the order of their places.
        heading: In a narrow table.
        short: The same with its unit on a second line, for cells that need none; at most 9 characters a line.
        words: What a sentence on one file says after the value; "" where it does not say the value.
    """

    place: int
    heading: str
    short: str
    words: str = ""


@dataclass(frozen=True)
class Metric:
    """One thing that can be measured of a case.

    Attributes:
        name: The name in results.csv and in gates.
        unit: "bytes", "%", "fraction" (0 to 1), "points" (percentage points), "quality points" (of JPEG),
            "logit", "score", "correlation", "probability", "log10", "dB", "ms", "s", "MB" (10^6 bytes), "x" (ratio) or
            "count", or "units" (those of a model's own outputs).
        better: Which direction is good news; "neither" for a value that only describes.
        description: The definition in one sentence.
        needs_trained: True when the value means nothing for seeded (untrained) weights.
        needs_channel0: True when the value means nothing for official weights, whose channel 0 is untrained.
        task: The task whose models alone have it, e.g. "watermark"; "" for a metric of every model.
        headline: How it is shown among the headlines, or None where it is none of them.
        plots: Names of the pictures in plots/ that draw its value.
        no_gate: Why it never has a gate, in one sentence; "" where gates.toml has one. Reasons that hold for some
            cases only stand in gates/exemptions.py.
    """

    name: str
    unit: str
    better: Better
    description: str
    _: KW_ONLY
    needs_trained: bool = False
    needs_channel0: bool = False
    task: str = ""
    headline: Headline | None = None
    plots: tuple[str, ...] = ()
    no_gate: str = ""
