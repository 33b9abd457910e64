"""The example workflows: they are YAML, cache and upload what they say, and the commands that they call exist."""

import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parent.parent
GITHUB, GITLAB = ROOT / "docs/ci/github-actions.yml", ROOT / "docs/ci/gitlab-ci.yml"
EXAMPLES = pytest.mark.parametrize("path", [GITHUB, GITLAB], ids=lambda path: path.stem)


def read(path: Path) -> dict[Any, Any]:
    document: dict[Any, Any] = yaml.safe_load(path.read_text(encoding="utf-8"))
    return document


def github_steps() -> list[dict[str, Any]]:
    steps: list[dict[str, Any]] = read(GITHUB)["jobs"]["gate"]["steps"]
    return steps


def commands(path: Path) -> list[str]:
    """Every line that the shell of the CI runs."""
    if path == GITHUB:
        scripts = [step["run"] for step in github_steps() if "run" in step]
    else:
        parts = [job.get(key, []) for job in read(path).values() for key in ("before_script", "script")]
        scripts = [line for part in parts for line in part]
    return [line.strip() for script in scripts for line in script.splitlines() if line.strip()]


def matrix(path: Path) -> str:
    found = read(path)["env"] if path == GITHUB else read(path)[".sealbench"]["variables"]
    return str(found["MATRIX"])


def bench_options(path: Path) -> Iterator[list[str]]:
    """The options of each `pytest bench`, the baseline that is compared with left out."""
    for line in commands(path):
        if "pytest bench" in line:
            options = line.partition("pytest bench")[2].replace("$MATRIX", matrix(path))
            for against in ("${FOUND:+$AGAINST}", "$AGAINST"):
                options = options.replace(against, "")
            yield shlex.split(options.replace("$BASELINE", "main"))


@EXAMPLES
def test_every_command_is_one_that_there_is(path: Path) -> None:
    targets = re.findall(r"^([\w$()./-]+):(?!=)", (ROOT / "Makefile").read_text(), re.MULTILINE)
    known = {target.replace("$(VENV)", ".venv") for target in targets}
    for line in commands(path):
        words = shlex.split(line)
        if words[0] == "make":
            assert words[1] in known
        elif words[0] == "if":
            assert 'AGAINST="--against $BASELINE"' in line
        else:
            assert words[:4] == [".venv/bin/python", "-m", "pytest", "bench"], line
    assert len(list(bench_options(path))) == 2  # one for changes, one for the branch that they go to


@pytest.mark.main_job
@EXAMPLES
def test_pytest_takes_the_options(path: Path, tmp_path: Path) -> None:
    for options in bench_options(path):
        options[options.index("--junitxml") + 1] = str(tmp_path / "junit.xml")
        command = [sys.executable, "-m", "pytest", "bench", "-p", "no:cacheprovider", "--collect-only", "-q", *options]
        found = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
        assert found.returncode == 0, found.stdout + found.stderr
        assert "test_fidelity[videoseal_nano-256-int8" in found.stdout
        assert "test_latency" not in found.stdout


def test_github_caches_and_uploads() -> None:
    steps = github_steps()
    cached = " ".join(step["with"]["path"] for step in steps if "actions/cache" in step.get("uses", ""))
    assert set(cached.split()) == {".venv", ".cache/sealbench", "sealbench-baselines"}
    assert read(GITHUB)["env"]["XDG_CACHE_HOME"].endswith("/.cache")
    (save,) = [step for step in steps if "cache/save" in step.get("uses", "")]
    assert save["if"].startswith("always() && ")  # the baseline is kept whatever the verdict
    (upload,) = [step for step in steps if "upload-artifact" in step.get("uses", "")]
    assert upload["if"] == "always()"
    run_dir, junit = re.search(r"--run-dir (\S+) --junitxml (\S+)", matrix(GITHUB)).groups()  # type: ignore[union-attr]
    assert upload["with"]["path"].split() == [run_dir, junit]
    assert set(read(GITHUB)[True]) == {"push", "pull_request"}  # YAML 1.1 reads `on` as true, GitHub does not


def test_gitlab_caches_and_uploads() -> None:
    document = read(GITLAB)
    jobs = [document[name] for name in ("sealbench", "sealbench-baseline")]
    for job in jobs:
        assert job["extends"] == ".sealbench"
        paths = [path for cache in job["cache"] for path in cache["paths"]]
        assert paths == [".venv/", ".cache/sealbench/", "sealbench-baselines/"]
        assert all(isinstance(cache["key"], str) or len(cache["key"]["files"]) <= 2 for cache in job["cache"])
    assert [job["cache"][1]["policy"] for job in jobs] == ["pull", "pull-push"]
    # An open gate is no failure of a job, and the baseline is kept whatever the verdict.
    assert document[".sealbench"]["allow_failure"] == {"exit_codes": [10]}
    assert jobs[1]["cache"][1]["when"] == "always"
    artifacts = document[".sealbench"]["artifacts"]
    run_dir, junit = re.search(r"--run-dir (\S+) --junitxml (\S+)", matrix(GITLAB)).groups()  # type: ignore[union-attr]
    assert (artifacts["when"], artifacts["paths"], artifacts["reports"]) == ("always", [run_dir], {"junit": junit})
