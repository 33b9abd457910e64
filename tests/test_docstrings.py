"""Every public function says what it takes and gives: shapes of arrays, units of numbers, the errors that it raises.

These are coarse nets, read from the source: they see that something is said, not that it is true.
"""

import ast
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
FOLDERS = ("bench", "converters", "datasets", "reports")
FILES = sorted(path for folder in FOLDERS for path in (ROOT / folder).rglob("*.py") if "suites" not in path.parts)

ARRAY = re.compile(r"\b(ndarray|Tensor)\b")
# "(n, nbits)", "(H, W, 3)", "(n,)"; "shape" where it may be any, "tensor" by "name" where there is one for each layer.
SHAPE = re.compile(r"\(\s*(\w+( [-+*] \w+)*|\d+ \* \([^()]*\)|\w+ or \w+)\s*,[^()]*\)|\bshapes?\b", re.ASCII)
REFERENCE = re.compile(r"\b(?:[Ss]ee|[Aa]s|of|by) `([\w.]+)`")
UNIT = re.compile(
    r"_(ms|s|pct|db|bytes)$|\b((milli)?seconds?|ms|pixels?|bytes|MB|dB|inch(es)?|percent|points|shares?|fractions?|"
    r"ratios?|factors?|chance|probabilit(y|ies)|logits?|scores?|rates?|log10|levels?|strengths?|degrees|slopes?|units?)\b|"
    r"%|[\[(]-?[01], 1[\])]|from -1 to 1",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class Function:
    """A public function, method or property, as its source says.

    Attributes:
        place: where it stands, like "reports/statistics/flips.py accuracy_ratio_pct".
        node: its syntax.
        doc: its docstring, or nothing.
        module_doc: that of its module, or nothing.
    """

    place: str
    node: ast.FunctionDef
    doc: str
    module_doc: str

    @property
    def annotations(self) -> dict[str, str]:
        """Types by the name of the parameter; the function's own name stands for what it returns."""
        arguments = self.node.args
        every = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs, arguments.vararg, arguments.kwarg]
        found = {arg.arg: ast.unparse(arg.annotation) for arg in every if arg is not None and arg.annotation}
        return found | ({self.node.name: ast.unparse(self.node.returns)} if self.node.returns else {})


def public_functions(path: Path) -> Iterator[Function]:
    """Functions of a file that others may call: no name on the way to them begins with an underscore."""
    module = ast.parse(path.read_text(encoding="utf-8"))
    place, module_doc = str(path.relative_to(ROOT)), ast.get_docstring(module) or ""
    nodes: list[tuple[str, ast.AST]] = [("", node) for node in module.body]
    for prefix, node in nodes:
        if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
            nodes += [(f"{node.name}.", child) for child in node.body]
        elif isinstance(node, ast.FunctionDef) and (node.name == "__call__" or not node.name.startswith("_")):
            yield Function(f"{place} {prefix}{node.name}", node, ast.get_docstring(node) or "", module_doc)


FUNCTIONS = [function for path in FILES for function in public_functions(path)]
DOCUMENTED: dict[str, list[Function]] = {}
for _function in FUNCTIONS:
    DOCUMENTED.setdefault(_function.node.name, []).append(_function)
BASES = {
    node.name: [ast.unparse(base) for base in node.bases]
    for path in FILES
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
    if isinstance(node, ast.ClassDef)
}


def ancestors(error: str) -> set[str]:
    """Names of a class of ours and of the classes that it is made from."""
    return {error}.union(*(ancestors(base) for base in BASES.get(error, ())))


def says(pattern: re.Pattern[str], function: Function) -> bool:
    """Whether a docstring says something that matches, itself or in that of the function which it refers to."""
    if pattern.search(function.doc):
        return True
    referred = [name.rpartition(".")[2] for name in REFERENCE.findall(function.doc)]
    return any(pattern.search(other.doc) for name in referred for other in DOCUMENTED.get(name, ()))


def shapes_of_module(function: Function) -> bool:
    """Whether the module says once for all its functions what shape each of these arrays has."""
    _, found, shapes = function.module_doc.partition("Shapes:")
    arrays = [name for name, kind in function.annotations.items() if ARRAY.search(kind) and name != function.node.name]
    return bool(found) and all(f"`{name}`" in shapes for name in arrays)


def raised(node: ast.AST) -> Iterator[str]:
    """Names of the errors of ours that a function's own statements raise and let go."""
    if isinstance(node, ast.Try) and node.handlers:
        caught = {ast.unparse(kind) for handler in node.handlers if handler.type for kind in _kinds(handler.type)}
        inside = [name for child in node.body for name in raised(child)]
        yield from (name for name in inside if not ancestors(name) & caught)
        for child in (*node.handlers, *node.orelse, *node.finalbody):
            yield from raised(child)
        return
    if isinstance(node, ast.Raise) and isinstance(node.exc, ast.Call):
        name = ast.unparse(node.exc.func)
        if name in BASES or name == "ValueError":
            yield name
    for child in ast.iter_child_nodes(node):
        if not isinstance(child, ast.FunctionDef | ast.Lambda | ast.ClassDef):
            yield from raised(child)


def _kinds(node: ast.expr) -> list[ast.expr]:
    return node.elts if isinstance(node, ast.Tuple) else [node]


def test_functions_are_found() -> None:
    """A check of nothing would pass."""
    assert len(FUNCTIONS) > 500
    assert {function.place.split("/")[0] for function in FUNCTIONS} == set(FOLDERS)


def no_docstring(function: Function) -> str | None:
    """What is wrong with a function that has none."""
    return None if function.doc else f"{function.place} has no docstring"


def arrays_without_shapes(function: Function) -> str | None:
    """What is wrong with a function that takes or gives arrays and does not say their shapes."""
    if not any(ARRAY.search(kind) for kind in function.annotations.values()):
        return None
    if says(SHAPE, function) or shapes_of_module(function):
        return None
    return (
        f"{function.place} takes or gives arrays: its docstring should say their shapes, like (n, nbits), or refer to "
        "a function that does, like: See `that`"
    )


def numbers_without_units(function: Function) -> str | None:
    """What is wrong with a function that takes or gives numbers and does not say their units."""
    floats = [name for name, kind in function.annotations.items() if re.search(r"\bfloat\b", kind)]
    bare = [name for name in floats if not UNIT.search(name)]
    if not bare or says(UNIT, function):
        return None
    return f"{function.place}: say in which unit {', '.join(bare)} is (ms, %, dB, a share, a factor, logits, ...)"


def errors_not_mentioned(function: Function) -> str | None:
    """What is wrong with a function that raises an error of ours and does not say so."""
    errors = {name for statement in function.node.body for name in raised(statement)}
    missing = {
        name for name in errors if not any(says(re.compile(rf"\b{kind}\b"), function) for kind in ancestors(name))
    }
    return f"{function.place} raises {', '.join(sorted(missing))}: its docstring should say when" if missing else None


CHECKS: tuple[Callable[[Function], str | None], ...] = (
    no_docstring,
    arrays_without_shapes,
    numbers_without_units,
    errors_not_mentioned,
)


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
@pytest.mark.parametrize("folder", FOLDERS)
def test_docstrings(folder: str, check: Callable[[Function], str | None]) -> None:
    functions = [function for function in FUNCTIONS if function.place.startswith(f"{folder}/")]
    findings = [finding for finding in map(check, functions) if finding]
    assert not findings, "\n".join(findings)


def test_the_nets_catch_what_they_are_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A function that says nothing of its array, its number and its error falls through none of them."""
    source = '''
import numpy as np

def bad(image: np.ndarray, strength_of: float) -> None:
    """Does things (quickly)."""
    try:
        raise ValueError("told to no one")
    except KeyError:
        pass

def good(image: np.ndarray, gain: float) -> None:
    """Multiplies an image (H, W, 3) by a factor.

    Raises:
        ValueError: it is empty.
    """
    raise ValueError("empty")
'''
    path = tmp_path / "module.py"
    path.write_text(source, encoding="utf-8")
    monkeypatch.setitem(globals(), "ROOT", tmp_path)
    bad, good = public_functions(path)
    for check in CHECKS[1:]:
        assert check(good) is None
        assert check(bad)
    silent, _ = public_functions(path)
    assert no_docstring(replace(silent, doc=""))
