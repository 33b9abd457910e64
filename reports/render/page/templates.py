"""Self-contained HTML pages from templates: every name in them is escaped, every picture embedded."""

import base64
from collections.abc import Mapping
from functools import cache
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from sealbench.reports.schema.formatting import plain_text

_TEMPLATES = Path(__file__).parents[1] / "templates"


def page(template: str, values: Mapping[str, object]) -> str:
    """Fill a template.

    Args:
        template: The name of a file in reports/render/templates.
        values: What it names.

    Returns:
        HTML; values are escaped wherever they stand, and control characters in them are spaces.
    """
    return _environment().get_template(template).render(values)


def source(name: str) -> str:
    """Read a file that a page takes over as it is.

    Args:
        name: Of a file in reports/render/templates.

    Returns:
        Its text.
    """
    return (_TEMPLATES / name).read_text(encoding="utf-8")


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
    return Environment(
        loader=FileSystemLoader(_TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        # Names may hold anything: line breaks, bytes that are no UTF-8, marks that turn the text around.
        finalize=lambda value: value if isinstance(value, Markup) else plain_text(str(value)),
    )
