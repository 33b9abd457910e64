"""Help of every subcommand comes at once: it loads no package that takes long, and says the same words everywhere."""

import json
import re
import subprocess
import sys

import pytest

from sealbench.bench.commands import commands, main

# Asks every subcommand for help in one process, and says which heavy packages were loaded after each.
SCRIPT = """
import contextlib, io, json, sys
from sealbench.bench.commands import commands, main
HEAVY = {"numpy", "torch", "pytest", "pandas", "scipy", "matplotlib", "PIL", "rich", "requests", "skimage"}
found = {}
for name in commands():
    text = io.StringIO()
    with contextlib.redirect_stdout(text):
        try:
            code = main([name, "--help"])
        except SystemExit as end:
            code = end.code
    found[name] = {"code": code, "text": text.getvalue(), "loaded": sorted(HEAVY & set(sys.modules))}
print(json.dumps(found))
"""


@pytest.fixture(scope="module")
def helps() -> dict[str, dict[str, object]]:
    done = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, text=True, check=True)
    return dict(json.loads(done.stdout))


@pytest.mark.main_job
def test_help_of_every_command_loads_nothing_heavy(helps: dict[str, dict[str, object]]) -> None:
    assert set(helps) == set(commands())
    assert {name: found["loaded"] for name, found in helps.items() if found["loaded"]} == {}
    assert {found["code"] for found in helps.values()} == {0}


@pytest.mark.main_job
def test_help_says_the_same_words(helps: dict[str, dict[str, object]]) -> None:
    """An option of two words has a hyphen, and what is published under another name has the name of the rest here."""
    old = re.compile(r"--(\w+_\w+|model(?! FILE\.py)|quantize|images|count|output)\b(?!-)")
    assert {
        name: old.findall(str(found["text"])) for name, found in helps.items() if old.search(str(found["text"]))
    } == {}
    for name, found in helps.items():
        assert str(found["text"]).startswith(f"usage: sealbench {name} "), name


@pytest.mark.main_job
def test_help_of_the_bench_is_of_our_options_and_names_pytest_s(helps: dict[str, dict[str, object]]) -> None:
    text = " ".join(str(helps["bench"]["text"]).split())
    for part in ("usage: sealbench bench [options] [pytest options]", "--out DIR, --run-dir DIR", "`pytest --help`"):
        assert part in text
    assert "--maxfail" not in text


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("proflie", "error: unknown command 'proflie'; did you mean profile?"),
        ("bnech", "error: unknown command 'bnech'; did you mean bench"),
        ("xyz", "error: unknown command 'xyz'\n"),
        ("", "error: no command\n"),
    ],
)
def test_an_unknown_command_is_refused_with_the_nearest(
    name: str, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([name]) == 2
    assert message in capsys.readouterr().err
