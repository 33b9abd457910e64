"""What a table or a picture calls a model and each of its files, and in which order it shows them."""

import re
from collections.abc import Iterable
from dataclasses import dataclass

from sealbench.reports.schema.formatting import REWRITTEN_MARK, file_label, plain_text, threads_text
from sealbench.reports.schema.records import REFERENCES, Case

WEIGHT_ONLY = "weight_only"
"""Suffix of a precision that stores its weights in few bits and computes in float32."""
_NAME = re.compile(r"([a-z]+)(\d+)_?(.*)")
_AFTER_NAME = re.compile(r"[ ,]")
_LONGEST_NAME = 24


@dataclass(frozen=True)
class Model:
    """What a facet shows: everything of a case but precision, rewrites, backend and preprocess.

    Attributes:
        variant: See Case, as the four fields after it.
        weights: See Case.
        image_size: See Case.
        mode: See Case.
        threads: See Case.
    """

    variant: str
    weights: str
    image_size: str
    mode: str
    threads: int

    @property
    def seeded(self) -> bool:
        """Whether the weights are untrained, so that accuracy means nothing."""
        return self.weights == "seeded"

    @property
    def title(self) -> str:
        """The facet's title, with weights and threads where they are not the usual ones."""
        resize = ", resize" if self.mode == "resize" else ""
        size = self.image_size.replace("x", " x ")
        weights = {"bundled": "", "seeded": " - seeded (untrained)"}.get(self.weights, f" - {self.weights}")
        # Only the name is cut when it is long: what follows must be read.
        return f"{picture_text(self.variant)}, {size}{resize}{weights}{threads_text(self.threads)}"


def model_of(case: Case) -> Model:
    """Find the facet of a case.

    Args:
        case: Any case.

    Returns:
        Its model.
    """
    return Model(case.variant, case.weights, case.image_size, case.mode, case.threads)


def bar_label(case: Case) -> str:
    """Name a case within its facet.

    Args:
        case: Any case.

    Returns:
        What `file_label` gives.
    """
    return file_label(case.precision, case.rewrites, case.backend, case.preprocess)


def in_order(labels: Iterable[str]) -> list[str]:
    """Sort labels: PyTorch, then precisions from exact to coarse, then others by name.

    Args:
        labels: What `bar_label` gives, in any order.

    Returns:
        Each label once. Of one number of bits a float comes before an integer, and a plain name before one that only
        stores its weights so and before other suffixes.
    """
    return sorted(set(labels), key=_place)


def _place(label: str) -> tuple[int, int, int, str]:
    if precision_of(label) in REFERENCES.values():
        return (0, 0, 0, label)
    name = _NAME.fullmatch(precision_of(label))
    if name is None:
        return (2, 0, 0, label)
    kind, bits, suffix = name.groups()
    return (1, kind.endswith("int") - 2 * int(bits), {"": 0, WEIGHT_ONLY: 1}.get(suffix, 2), label)


def precision_of(label: str) -> str:
    """The precision of a file, e.g. "int8" of "int8*": what `bar_label` gives, without what follows the name."""
    return _AFTER_NAME.split(label, maxsplit=1)[0].removesuffix(REWRITTEN_MARK)


def picture_text(text: str) -> str:
    """Make a name safe for a picture: on one line, not too long, and no mathematics in it.

    Args:
        text: Anything.

    Returns:
        The text, "$" shown as it is.
    """
    line = plain_text(text)
    short = line if len(line) <= _LONGEST_NAME else line[: _LONGEST_NAME - 3] + "..."
    return short.replace("$", r"\$")
