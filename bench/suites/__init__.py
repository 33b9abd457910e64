"""The suites: each measures one thing of one artifact and records it."""

ORDER = (
    "conversion",
    "size",
    "honesty",
    "fidelity",
    "bit_accuracy",
    "flips",
    "confidence",
    "features",
    "scores",
    "latency",
)
"""The order in which the suites of a group run: cheap and decisive first."""
