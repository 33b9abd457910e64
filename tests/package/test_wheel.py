"""What is built, installed and run is sealbench alone, whole, whichever way it is installed."""

import subprocess
import sys
from pathlib import Path

import pytest

from sealbench.reports.gates.judge import EXIT_INCONCLUSIVE, EXIT_PASS
from tests.package.installations import (
    FOLDERS,
    ROOT,
    Installation,
    build_sdist,
    build_wheel,
    ended,
    names_in,
    new_installation,
    run,
)

pytestmark = pytest.mark.main_job
WHERE = "import sealbench, sealbench.bench.suites as suites; print(sealbench.__file__, suites.__file__)"


def packaged_name(path: Path) -> str:
    """The name that a file of the checkout has in a wheel."""
    inside = path.relative_to(ROOT)
    entry = ("bench", "entry")  # the package `sealbench` itself
    return str(Path("sealbench", *(inside.parts[2:] if inside.parts[:2] == entry else inside.parts)))


def files_of_the_checkout() -> set[str]:
    """Every file of the four folders that git knows or would add, by its name in a wheel."""
    listed = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", *FOLDERS]
    done = subprocess.run(listed, cwd=ROOT, capture_output=True, text=True, check=True)
    return {packaged_name(ROOT / name) for name in done.stdout.split("\0") if name and (ROOT / name).is_file()}


def test_every_file_is_in_the_wheel_and_nothing_else(wheel: Path) -> None:
    """pyproject.toml lists the packages and the kinds of data by hand: a forgotten one is found here."""
    names = names_in(wheel)
    metadata = {name for name in names if ".dist-info/" in name}
    assert {name.split("/")[0] for name in names - metadata} == {"sealbench"}
    assert sorted(files_of_the_checkout() - names) == []
    assert sorted(names - metadata - files_of_the_checkout()) == []


@pytest.mark.long
def test_a_wheel_from_the_sdist_has_the_same_files(wheel: Path, source: Path, tmp_path: Path) -> None:
    sdist = build_sdist(source, tmp_path / "sdist")
    assert names_in(build_wheel(sdist, tmp_path / "dist")) == names_in(wheel)


def test_the_installed_package_is_found(installed: Installation, tmp_path: Path) -> None:
    """Not that of the running environment, whose packages are lent: in another folder as in the checkout."""
    for folder in (tmp_path, ROOT):
        for name in run([installed.python, "-c", WHERE], folder).split():
            assert Path(name).is_relative_to(installed.site_packages)
    script = installed.folder / "bin" / "sealbench"
    assert "sealbench COMMAND" in run([script, "--help"], tmp_path)


@pytest.mark.convert
def test_the_main_job_runs_from_the_wheel(installed: Installation, tmp_path: Path) -> None:
    before = installed.listing
    options = ["--variant", "videoseal_nano", "--precision", "int8", "--samples", "6", "-k", "not latency"]
    done = ended([installed.python, "-m", "sealbench", "bench", *options], tmp_path)
    assert done.returncode in {EXIT_PASS, EXIT_INCONCLUSIVE}, done.stdout + done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["sealbench-runs"]
    (run_dir,) = (path for path in (tmp_path / "sealbench-runs").iterdir() if not path.is_symlink())
    assert {"results.csv", "verdicts.csv", "report.html", "summary.md"} <= {path.name for path in run_dir.iterdir()}
    assert "int8" in (run_dir / "results.csv").read_text(encoding="utf-8")
    assert installed.listing == before


@pytest.mark.long
@pytest.mark.parametrize("options", [(), ("--editable",)], ids=["plain", "editable"])
def test_pip_installs_from_the_source(options: tuple[str, ...], source: Path, tmp_path: Path) -> None:
    installation = new_installation(tmp_path / "venv")
    installation.install("--no-deps", "--no-build-isolation", *options, source)
    expected = source if options else installation.site_packages
    for name in run([installation.python, "-c", WHERE], tmp_path).split():
        assert Path(name).is_relative_to(expected)
    assert "--variant" in run([installation.python, "-m", "sealbench", "bench", "--help"], tmp_path)


@pytest.mark.parametrize("name", ["bench.detector", "converters.store", "datasets", "reports.errors"])
def test_an_old_import_in_the_checkout_names_the_new_one(name: str) -> None:
    """There the working folder comes first on the path, and holds folders of these names."""
    done = ended([sys.executable, "-c", f"import {name}"], ROOT)
    assert done.returncode == 1
    folder = name.partition(".")[0]
    assert done.stderr.splitlines()[-1].endswith(f"import it as 'sealbench.{folder}'")
