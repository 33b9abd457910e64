"""Self-contained HTML pages from templates: every name in them is escaped, every picture embedded."""

import base64
from collections.abc import Mapping
from functools import cache
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

_TEMPLATES = Path(__file__).parents[1] / "templates"


def page(template: str, values: Mapping[str, object]) -> str:
    """Fill a template.

    Args:
        template: The name of a file in reports/templates.
        values: What it names.

    Returns:
        HTML; values are escaped wherever they stand.
    """
    return _environment().get_template(template).render(values)


def embedded(png: bytes | None) -> str:
    """A picture as the text of a data address.

    Args:
        png: The file's content, or None.

    Returns:
        Base64, or "" for None.
    """
    return "" if png is None else base64.b64encode(png).decode("ascii")


@cache
def _environment() -> Environment:
    return Environment(loader=FileSystemLoader(_TEMPLATES), autoescape=True, undefined=StrictUndefined)
