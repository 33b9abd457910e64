"""Joins what was made of several parts of the pictures. Imports nothing but NumPy."""

from collections.abc import Sequence
from dataclasses import fields
from typing import Any, TypeVar

import numpy as np

T = TypeVar("T")


def joined(parts: Sequence[T]) -> T:
    """One dataclass that has what each of several has, in their order.

    Args:
        parts: at least one, of one dataclass. Of its fields, tuples and arrays are joined along their first axis; text
            and None are the same in all.
    """
    first = parts[0]
    names = [field.name for field in fields(first)]  # type: ignore[arg-type]
    return type(first)(**{name: _join([getattr(part, name) for part in parts]) for name in names})


def _join(values: Sequence[Any]) -> Any:
    first = values[0]
    if isinstance(first, np.ndarray):
        return np.concatenate(values)
    if isinstance(first, tuple):
        return tuple(one for value in values for one in value)
    return first
