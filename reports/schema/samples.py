"""What one timed call gave. Imports nothing: the process that is timed loads this file, too."""

import math
from dataclasses import dataclass


@dataclass(frozen=True)
class LatencySample:
    """One timed call.

    Attributes:
        name: what was called.
        round: 0 for the first round; the calls of one round belong together.
        position: 0 for the call that went first in its round.
        latency_ms: wall-clock time in milliseconds.
        waited_ms: how long its threads waited for a processor in milliseconds; NaN where that is not known.
    """

    name: str
    round: int
    position: int
    latency_ms: float
    waited_ms: float = math.nan
