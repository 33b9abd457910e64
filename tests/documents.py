"""Reads the project's documents: their commands, their links, and their blocks of code."""

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from pathlib import Path

from markdown_it import MarkdownIt
from markdown_it.token import Token

ROOT = Path(__file__).parent.parent
PAGES = sorted(
    path
    for pattern in ("*.md", "docs/**/*.md", "converters/weights/*.md")
    for path in ROOT.glob(pattern)
    if path.name != "CHANGELOG.md"
)
# A line of code that begins with one of these is a command; so is every line of a block that calls itself a shell's.
WORDS = (
    "sealbench",
    "make",
    "python",
    "python3",
    ".venv/bin/python",
    ".venv/bin/pip",
    "pip",
    "pytest",
    ".ci/run",
    "git",
)
SHELLS = ("sh", "bash", "console")
_BRACKETS = re.compile(r"\[(--[^\]]*)\]")
_VARIABLES = re.compile(r"^(?:[A-Z_]+=\S+\s+)+")


@dataclass(frozen=True)
class Code:
    """A block of code, or a piece in a line of text.

    Attributes:
        page: the document.
        line: where it begins, from 1; of a piece, its paragraph.
        language: as the block says; empty where it says nothing.
        text: what is in it.
        inline: whether it is a piece in a line of text.
    """

    page: Path
    line: int
    language: str
    text: str
    inline: bool

    def __str__(self) -> str:
        return f"{self.page.relative_to(ROOT)}:{self.line}"


@dataclass(frozen=True)
class Command:
    """A command in a document.

    Attributes:
        code: where it stands.
        words: program and arguments, as a shell splits them, without settings of the environment before them.
    """

    code: Code
    words: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.code} {shlex.join(self.words)}"


@dataclass(frozen=True)
class Link:
    """A link or picture: where it stands, and what it leads to."""

    page: Path
    line: int
    target: str

    def __str__(self) -> str:
        return f"{self.page.relative_to(ROOT)}:{self.line} {self.target}"


@cache
def _tokens(page: Path) -> list[Token]:
    return MarkdownIt("gfm-like", {"linkify": False}).parse(page.read_text(encoding="utf-8"))


def code_of(page: Path) -> Iterator[Code]:
    """All code of a document, in order."""
    for token in _tokens(page):
        line = token.map[0] + 1 if token.map else 0
        if token.type in {"fence", "code_block"}:
            yield Code(page, line, token.info.strip(), token.content, inline=False)
        for child in token.children or ():
            if child.type == "code_inline":
                yield Code(page, line, "", child.content, inline=True)


def commands_of(page: Path) -> Iterator[Command]:
    """All commands of a document, in order; a line that is indented goes on with the one before."""
    for code in code_of(page):
        lines = _joined(code.text)
        shell = code.language in SHELLS
        if code.language and not shell:
            continue
        for line in lines:
            text = _VARIABLES.sub("", line.removeprefix("$ "))
            if shell or text.split(" ")[0] in WORDS:
                yield Command(code, tuple(shlex.split(_BRACKETS.sub(r"\1", text), comments=True)))


def _joined(text: str) -> list[str]:
    lines: list[str] = []
    for line in text.splitlines():
        if lines and (line.startswith(" ") or lines[-1].endswith("\\")):
            lines[-1] = f"{lines[-1].removesuffix(chr(92))} {line.strip()}"
        elif line.strip() and not line.startswith("#"):
            lines.append(line)
    return lines


def links_of(page: Path) -> Iterator[Link]:
    """All links and pictures of a document, in order."""
    for token in _tokens(page):
        for child in token.children or ():
            target = child.attrGet("href") or child.attrGet("src")
            if target is not None:
                yield Link(page, token.map[0] + 1 if token.map else 0, str(target))


def anchors_of(page: Path) -> set[str]:
    """What a link into a document may end in after `#`: its headings, spelled as GitHub spells them."""
    tokens = _tokens(page)
    headings = [after.content for token, after in pairwise(tokens) if token.type == "heading_open"]
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}
