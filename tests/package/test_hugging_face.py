"""Hugging Face's `datasets` and `sealbench.datasets` live in one environment."""

import hashlib
from base64 import urlsafe_b64encode
from pathlib import Path
from zipfile import ZipFile

import pytest

from tests.package.installations import Installation, new_installation, run

pytestmark = pytest.mark.main_job
BOTH = "import datasets, sealbench.datasets.attacks; print(datasets.__file__, sealbench.datasets.attacks.__file__)"


def made_up_distribution(folder: Path) -> Path:
    """A wheel of a distribution `datasets` with a package of that name, as Hugging Face's has one."""
    files = {
        "datasets/__init__.py": b"load_dataset = print\n",
        "datasets/attacks.py": b"raise AssertionError('not of sealbench')\n",
        "datasets-99.dist-info/METADATA": b"Metadata-Version: 2.1\nName: datasets\nVersion: 99\n",
        "datasets-99.dist-info/WHEEL": b"Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    path = folder / "datasets-99-py3-none-any.whl"
    with ZipFile(path, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
        hashes = {name: urlsafe_b64encode(hashlib.sha256(content).digest()) for name, content in files.items()}
        rows = [f"{name},sha256={hashed.decode().rstrip('=')},{len(files[name])}" for name, hashed in hashes.items()]
        archive.writestr("datasets-99.dist-info/RECORD", "\n".join([*rows, "datasets-99.dist-info/RECORD,,", ""]))
    return path


def check_both(installation: Installation, folder: Path) -> None:
    """Each import gives the package of its own distribution."""
    theirs, ours = map(Path, run([installation.python, "-c", BOTH], folder).split())
    assert theirs == installation.site_packages / "datasets" / "__init__.py"
    assert ours == installation.site_packages / "sealbench" / "datasets" / "attacks.py"


@pytest.mark.parametrize("theirs_first", [True, pytest.param(False, marks=pytest.mark.long)])
def test_both_are_found_in_either_order(wheel: Path, tmp_path: Path, theirs_first: bool) -> None:
    installation = new_installation(tmp_path / "venv")
    order = [made_up_distribution(tmp_path), wheel]
    for path in order if theirs_first else reversed(order):
        installation.install("--no-deps", path)
    check_both(installation, tmp_path)


@pytest.mark.long
def test_the_real_one_is_found(wheel: Path, tmp_path: Path) -> None:
    """Needs the package registry."""
    installation = new_installation(tmp_path / "venv")
    installation.install("datasets", wheel)
    check_both(installation, tmp_path)
    code = "import datasets; print(datasets.Dataset.from_dict({'a': [1, 2]}).num_rows)"
    assert run([installation.python, "-c", code], tmp_path) == "2"
