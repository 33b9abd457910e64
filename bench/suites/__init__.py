"""The suites: each measures one thing of one artifact and records it."""

ROBUSTNESS = "robustness"
ORDER = (
    "conversion",
    "size",
    "file_contents",
    "fidelity",
    "bit_accuracy",
    "flips",
    "confidence",
    ROBUSTNESS,
    "features",
    "scores",
    "latency",
)
"""The order in which the suites of a group run: cheap and decisive first."""
