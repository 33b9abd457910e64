"""Registries of parts: what an entry point adds, and what is said of one that cannot be used."""

import subprocess
import sys
from pathlib import Path

import pytest

from sealbench.bench.backends.registry import DEFAULT_BACKEND, REFERENCE_BACKEND, backend_of, file_backends
from sealbench.bench.tasks.registry import task_of, tasks
from sealbench.converters.errors import RegistryError
from sealbench.converters.families.registry import card_names, get_card
from sealbench.converters.registry import Registry
from tests.bench.made_distribution import make_distribution


class Part:
    """A protocol of two members."""

    def size(self) -> int:
        """Of it."""
        return 0

    def weight(self) -> int:
        """Of it."""
        return 0


def registry() -> Registry[Part]:
    return Registry("made.parts", "part", Part)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.syspath_prepend(str(tmp_path))
    return tmp_path


def test_our_own_parts_are_entries_like_any_other() -> None:
    assert {"litert", "tensorflow"} <= set(file_backends())
    for name in (*file_backends(), REFERENCE_BACKEND):
        assert backend_of(name).name == name
    assert {"watermark", "quality"} <= set(tasks())
    assert {get_card(name).task for name in card_names()} <= set(tasks())
    assert task_of(get_card("videoseal_nano")).gives(get_card("videoseal_nano")) == "bits"


@pytest.mark.main_job
def test_naming_parts_imports_no_engine_and_no_part() -> None:
    script = (
        "import sys\n"
        "from sealbench.bench.backends.registry import backend_of, file_backends\n"
        "from sealbench.bench.tasks.registry import task_of, tasks\n"
        "from sealbench.converters.families.registry import get_card\n"
        "assert file_backends() and tasks()\n"
        "parts = 'backends.litert', 'backends.pytorch', 'backends.tensorflow_lite'\n"
        "parts += 'tasks.quality', 'tasks.watermark'\n"
        "named = [name for name in parts if f'sealbench.bench.{name}' in sys.modules]\n"
        "for name in ('litert', 'tensorflow', 'torch'):\n"
        "    backend_of(name).missing()\n"
        "task_of(get_card('videoseal_nano')), task_of(get_card('uvq1p5'))\n"
        "heavy = {'torch', 'ai_edge_litert', 'litert_torch', 'tensorflow', 'pandas', 'scipy'}\n"
        "print(named, sorted(heavy & set(sys.modules)))\n"
    )
    found = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[] []"


def test_what_runs_a_file_is_described_by_its_version() -> None:
    assert backend_of(DEFAULT_BACKEND).describe()["ai-edge-litert"].startswith("2.")
    assert backend_of(REFERENCE_BACKEND).describe().keys() == {"torch"}


def test_a_part_is_found_and_made_once(folder: Path) -> None:
    module = """
        class Made:
            def size(self): return 3
            def weight(self): return 4
        PART = Made()
    """
    make_distribution(folder, "made", {"made.parts": "one = made_part_one:PART"}, {"made_part_one.py": module})
    parts = registry()
    assert parts.names() == ("one",)
    assert parts.get("one").size() == 3
    assert parts.get("one") is parts.get("one")


def test_an_unknown_part_names_those_that_there_are(folder: Path) -> None:
    make_distribution(folder, "made", {"made.parts": "one = made_unknown:PART"}, {})
    with pytest.raises(RegistryError, match=r"no installed package provides the part 'two'; known: one; install"):
        registry().get("two")


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ("import no_such_package", "ModuleNotFoundError: No module named 'no_such_package'"),
        ("1 / 0", "ZeroDivisionError: division by zero"),
        ("", "AttributeError: module 'made_broken' has no attribute 'PART'"),
    ],
)
def test_a_part_that_cannot_be_loaded_names_its_package(
    folder: Path, monkeypatch: pytest.MonkeyPatch, source: str, reason: str
) -> None:
    monkeypatch.delitem(sys.modules, "made_broken", raising=False)
    make_distribution(folder, "made", {"made.parts": "one = made_broken:PART"}, {"made_broken.py": source})
    with pytest.raises(RegistryError) as caught:
        registry().get("one")
    assert str(caught.value) == (
        f"the part 'one' of the package made 1.2 cannot be loaded ({reason}); "
        "install a version of made 1.2 that fits this one of sealbench, or uninstall it"
    )
    sys.modules.pop("made_broken", None)


def test_a_part_without_all_members_is_refused(folder: Path) -> None:
    module = {"made_half.py": "class Half:\n    def size(self): return 1\nPART = Half()"}
    make_distribution(folder, "made", {"made.parts": "one = made_half:PART"}, module)
    with pytest.raises(RegistryError, match=r"the part 'one' of the package made 1\.2 has no weight; install"):
        registry().get("one")


def test_a_name_that_two_packages_provide_is_refused(folder: Path) -> None:
    for name in ("made", "other"):
        make_distribution(folder, name, {"made.parts": "one = made_twice:PART"}, {})
    with pytest.raises(RegistryError, match=r"'one' is provided by made 1\.2 and by other 1\.2; uninstall all but one"):
        registry().get("one")
