"""reports is a leaf: it imports none of ours, nothing that measures, and its records cost nothing to import."""

import ast
import subprocess
import sys
from pathlib import Path

PACKAGE = Path(__file__).parents[2] / "reports"
ALLOWED = {"sealbench", "jinja2", "markupsafe", "matplotlib", "numpy", "pandas", "rich", "scipy"}


def imported_by(file: Path) -> set[str]:
    names: set[str] = set()
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0
            names.add(node.module or "")
    return {name.partition(".")[0] for name in names}


def test_it_imports_only_the_standard_library_and_what_draws() -> None:
    files = list(PACKAGE.rglob("*.py"))
    assert files
    for file in files:
        assert imported_by(file) - set(sys.stdlib_module_names) <= ALLOWED, file


def test_records_gates_and_the_run_directory_import_nothing_heavy() -> None:
    code = (
        "import sys, sealbench.reports.schema.records, sealbench.reports.gates.judge;"
        "import sealbench.reports.schema.metrics, sealbench.reports.run.directory;"
        "print(*{name.partition('.')[0] for name in sys.modules} & {'pandas', 'numpy', 'matplotlib', 'rich', 'torch'})"
    )
    command = [sys.executable, "-c", code]
    ended = subprocess.run(command, cwd=PACKAGE.parent, capture_output=True, text=True, check=True)
    assert ended.stdout.strip() == ""
