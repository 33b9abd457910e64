"""The project's own rules that no linter keeps: names of modules, what starts quickly, the lock and the extras.

Who may import whom is kept by import-linter (`make check`).
"""

import ast
import re
import subprocess
import sys
import tomllib
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parent.parent
FOLDERS = ("bench", "converters", "datasets", "reports")
FILES = sorted(path for folder in FOLDERS for path in (ROOT / folder).rglob("*.py"))


def imported(path: Path) -> set[str]:
    """Top-level names of everything that a file imports, wherever in the file."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names.update(alias.name.split(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: a relative import hides its direction"
            names.add(str(node.module).split(".")[0])
    return names


def test_no_module_hides_one_of_python() -> None:
    """A script's folder comes first on the path: a module called `statistics` there would break scipy."""
    scripts = (ROOT / "bench", ROOT / "converters")
    names = {path.stem for folder in scripts for path in folder.iterdir() if path.suffix in {".py", ""}}
    assert not names & sys.stdlib_module_names


# Packages that take a tenth of a second or more to import, and those that only some models or commands need.
HEAVY = {
    "torch", "litert_torch", "numpy", "pandas", "scipy", "matplotlib", "skimage", "safetensors", "requests", "pooch",
    "pytest", "PIL",
}  # fmt: skip


def module_of(path: Path) -> str:
    """The import name of a file."""
    return ".".join(("sealbench", *path.relative_to(ROOT).with_suffix("").parts)).removesuffix(".__init__")


def imports_of(nodes: list[ast.stmt]) -> set[str]:
    """Modules that statements import, each `from` with its names appended, as they may be modules."""
    found: set[str] = set()
    for node in nodes:
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            found |= {str(node.module), *(f"{node.module}.{alias.name}" for alias in node.names)}
    return found


def test_only_heavy_modules_are_imported_late() -> None:
    """Where they are needed, so that help and errors in options come at once; all else stands at a file's head."""
    trees = {module_of(path): ast.parse(path.read_text(encoding="utf-8")) for path in FILES}
    at_import = {name: imports_of(tree.body) for name, tree in trees.items()}

    def loads(name: str, seen: set[str]) -> bool:
        """Whether importing a module of ours imports a heavy package."""
        seen.add(name)
        found = at_import.get(name, set())
        return any(one.split(".")[0] in HEAVY for one in found) or any(
            loads(one, seen) for one in found if one in at_import and one not in seen
        )

    late = set()
    for tree in trees.values():
        functions = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)]
        inside = [node for function in functions for node in ast.walk(function) if isinstance(node, ast.stmt)]
        late |= imports_of(inside) & set(trees)
    assert len(late) > 20
    assert sorted(name for name in late if not loads(name, set())) == []


def test_plugin_starts_without_engines() -> None:
    """`--help` and unit tests must not wait for torch."""
    code = (
        "import sys, sealbench.bench.session.plugin;"
        "heavy = {'torch', 'litert_torch', 'ai_edge_litert', 'pandas', 'matplotlib', 'scipy', 'skimage'};"
        "sys.exit(', '.join(sorted(heavy & set(sys.modules))) or 0)"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert found.returncode == 0, found.stderr


def test_lock_keeps_what_pyproject_promises() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    lines = (ROOT / "requirements.lock").read_text(encoding="utf-8").splitlines()
    pinned = {}
    for line in lines:
        if line and not line.startswith("#"):
            requirement = Requirement(line)
            (specifier,) = requirement.specifier
            assert specifier.operator == "==", f"{line}: the lock pins exactly"
            assert "+" not in specifier.version, f"{line}: a local build that no one else can install"
            pinned[canonicalize_name(requirement.name)] = specifier.version
    asked = [Requirement(text) for text in project["dependencies"] + project["optional-dependencies"]["dev"]]
    for requirement in asked:
        name = canonicalize_name(requirement.name)
        assert name in pinned, f"{name} is in pyproject.toml but not in requirements.lock"
        assert requirement.specifier.contains(pinned[name]), f"{requirement} does not allow the locked {pinned[name]}"


PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
EXTRAS: dict[str, list[str]] = PROJECT["optional-dependencies"]


def import_names(package: str) -> set[str]:
    """What a distribution installs at the top; of one that is not here, as its name suggests."""
    try:
        found = distribution(package)
    except PackageNotFoundError:
        return {package.replace("-", "_")}
    top = (found.read_text("top_level.txt") or "").split()
    return set(top or (path.parts[0].removesuffix(".py") for path in found.files or ()))


def test_what_is_imported_is_named_in_pyproject() -> None:
    """A package that only comes with another may go with it."""
    named = {canonicalize_name(Requirement(text).name) for text in PROJECT["dependencies"]}
    named |= {canonicalize_name(Requirement(text).name) for texts in EXTRAS.values() for text in texts}
    imports = {name for path in FILES for name in imported(path)} - {"sealbench", *sys.stdlib_module_names}
    given = set().union(*map(import_names, named))
    assert not imports - given, f"{sorted(imports - given)}: imported, but no package that pyproject.toml names has it"


def test_extras_have_bounds_and_are_told() -> None:
    """The lock leaves optional packages out: a range says what was tried, and the documents say what they are for."""
    pages = "\n".join(
        path.read_text(encoding="utf-8") for path in (ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md")))
    )
    code = "\n".join(path.read_text(encoding="utf-8") for path in FILES)
    for extra, texts in EXTRAS.items():
        for text in texts:
            bounds = {specifier.operator for specifier in Requirement(text).specifier}
            assert extra == "dev" or ">=" in bounds, f"{text} of the extra {extra}: no version is said"
        assert extra == "dev" or f"sealbench[{extra}]" in pages, f"no document says how to install the extra {extra}"
    assert set(re.findall(r"sealbench\[(\w+)\]", pages + code)) <= set(EXTRAS)
