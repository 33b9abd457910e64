"""Every command in the documents runs: the short ones for real, the long ones as far as their options are read.

Where a test here fails on a new command, it belongs in one of the tables below: RUN if it takes seconds, PARSED if not.
"""

import argparse
import ast
import contextlib
import importlib
import importlib.util
import re
import shlex
import shutil
import subprocess
import sys
import tomllib
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, NoReturn

import pytest

from sealbench.bench import options as bench_options
from sealbench.bench.backends import tensorflow_lite
from sealbench.bench.commands import commands
from sealbench.converters.cards import card as variants
from sealbench.converters.cards.quality import PARTS
from sealbench.converters.cards.watermark import watermark_cards
from sealbench.converters.families import registry
from sealbench.converters.families.registry import card_names, get_card
from sealbench.converters.families.weight_sources import find_weights
from sealbench.converters.rewrites import choose_rewrites
from sealbench.converters.shared_options import listed, names_of, precisions_of, sources_of
from sealbench.datasets.images import write_png
from sealbench.datasets.photographs import photo_samples
from sealbench.reports.gates.judge import EXIT_FAIL, EXIT_INCONCLUSIVE, EXIT_PASS, load_gates
from sealbench.reports.run.directory import RunDirectory
from sealbench.reports.schema.tables import BITS
from tests.documents import PAGES, ROOT, Code, Command, Link, anchors_of, code_of, commands_of, links_of
from tests.reports.synthetic import RUN_ID, bit_rows, healthy_rows, plan_of

CONVERT = "sealbench.converters.convert_detector_to_tflite"
# At the sizes and in the mode that the fixture `nano` converts as well: it takes seconds once.
CONVERTS_NANO = "sealbench convert --variant videoseal_nano --precision"
# Commands that take seconds and are run as they stand, by what they begin with: the function behind each.
RUN = {
    "sealbench report": "sealbench.bench.commands.report",
    "python -m sealbench.reports.render.metric_table": "sealbench.reports.render.metric_table",
    "python -m sealbench.converters.training.examples": "sealbench.converters.training.examples",
    CONVERTS_NANO: "sealbench.bench.commands.convert",
    "sealbench inspect": "sealbench.bench.commands.inspect",
    "python bench/compare_pytorch_tflite.py": "sealbench.bench.compare_pytorch_tflite",
}
# Commands that take longer: their own parser reads the options, and the names among these are looked up.
PARSED = {
    "python converters/convert_detector_to_tflite.py": CONVERT,
    "python converters/convert_embedder_to_tflite.py": "sealbench.converters.convert_embedder_to_tflite",
    "python converters/convert_to_tflite_int8.py": "sealbench.converters.convert_to_tflite_int8",
    "python -m venv": "venv",
    "python -m sealbench": "sealbench.bench.commands",
    "sealbench --help": "sealbench.bench.commands",
    **{f"sealbench {name}": f"sealbench.bench.commands.{name.replace('-', '_')}" for name in commands()},
    "python -m sealbench.converters.training.curves": "sealbench.converters.training.curves",
}
# Words that stand for something of the reader's, and what stands for them here.
PLACEHOLDERS = {
    "COMMAND": "convert",
    "VARIANT": "videoseal_nano",
    "PRECISION": "int8",
    "SOURCE": "seeded",
    "N": "2",
    "FILE": "model.tflite",
}
# What a word that names nothing else may be: a program that is spoken of, without what it takes.
PROGRAMS = {"sealbench", "make", "git", "python", "pip"}
# Messages of other projects, and words that are no messages.
OTHERS = {
    "import ai_edge_torch",
    "batch_matmul.cc",
    "input operand has more dimensions than allowed by the axis remapping",
}
VIEWED = {"kotlin", "swift", "groovy", "ruby", "text", "json", "csv", "yaml"}


READS_A_FILE = ("model.tflite", "mine.tflite", "old.tflite", " FILE ", "models/videoseal_detector", f" {CONVERTS_NANO}")


def mark_of(text: str) -> str:
    """Of a command or code: it converts the bundled model or reads its file, is the main job, is long, or nothing."""
    if any(word in f"{text} " for word in READS_A_FILE) and "--artifact" not in text:
        return "convert"
    if " make bench" in text or " make test" in text:
        return "main_job"
    return "long" if "training.examples" in text else ""


def by_page(entries: Iterable[Any], of: Callable[[Any], tuple[Path, str]]) -> list[Any]:
    """One case for each page and mark, with all its entries; `of` gives an entry's page and text."""
    cases: dict[tuple[Path, str], list[Any]] = defaultdict(list)
    for entry in entries:
        page, text = of(entry)
        cases[page, mark_of(text)].append(entry)
    return [
        pytest.param(
            found, id=f"{page.relative_to(ROOT)} {mark}".strip(), marks=[getattr(pytest.mark, mark)] if mark else []
        )
        for (page, mark), found in cases.items()
    ]


class Findings:
    """What is wrong with several things, so that one test reports all of it."""

    def __init__(self) -> None:
        self.found: list[str] = []

    @contextlib.contextmanager
    def of(self, what: object) -> Iterator[None]:
        """Keep the error that is raised inside, with what it is about."""
        try:
            yield
        except Exception as error:
            self.found.append(f"{what}: {type(error).__name__}: {error}")

    def report(self) -> None:
        """Fail where anything was found."""
        assert not self.found, "\n".join(self.found)


FOLDERS = ("bench", "converters", "datasets", "reports")
# Each once, under the name of the last place where it stands.
COMMANDS = list({command.words: command for page in PAGES for command in commands_of(page)}.values())
LINKS = [link for page in PAGES for link in links_of(page) if "://" not in link.target]
BLOCKS = [code for page in PAGES for code in code_of(page) if not code.inline and code.language]
FILES_NAMED = re.compile(r"(?:bench|converters|datasets|docs|reports|tests)/[\w./-]+\.(?:py|md|toml|csv|json|png)")


class ParsedError(Exception):
    """The command line was read; nothing is done about it."""

    def __init__(self, options: argparse.Namespace):
        super().__init__()
        self.options = options


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which everything lies that the commands of the documents speak of."""
    folder = tmp_path_factory.mktemp("desk")
    (photo,) = photo_samples("evaluation", (256, 256), 1)
    for place in ("FOLDER", "OUT", "DIR", "docs/results", "docs/images", "models"):
        (folder / place).mkdir(parents=True)
    for name in ("photo.jpg", "FOLDER/photo.png"):
        write_png(folder / name, photo.image)
    for name in ("clip.mp4", "y_256b_img.pth", "model.tflite", *(f"FOLDER/{part}_net.pth" for part in PARTS)):
        (folder / name).write_bytes(b"content")
    shutil.copy(ROOT / "reports" / "gates" / "gates.toml", folder / "my_gates.toml")
    shutil.copy(ROOT / "examples" / "tiny_seal.toml", folder / "my_variant.toml")
    factory = (ROOT / "examples" / "small_classifier.py").read_text(encoding="utf-8")
    other = folder / "other" / "bin" / "python"
    other.parent.mkdir(parents=True)
    other.write_text(f'#!/bin/sh\nexec "{sys.executable}" "$@"\n', encoding="utf-8")
    other.chmod(0o755)
    (folder / "my_models.py").write_text(factory.replace("def small_classifier", "def my_network"), encoding="utf-8")
    shutil.copy(ROOT / "docs" / "data-contract.md", folder / "docs")
    for name in ("DIR/weights.safetensors", "FILE.safetensors"):
        shutil.copy(ROOT / "converters" / "weights" / "videoseal_nano.safetensors", folder / name)
    for name in ("RUN", "RUN_A", "RUN_B", "RUN_DIR", "main", "reports/out/latest"):  # `main` is a baseline there
        run = RunDirectory.open(RUN_ID, run_dir=folder / name)
        run.write_plan(plan_of(healthy_rows()))
        run.append(healthy_rows())
        run.append_rows(BITS, bit_rows(images=2))
    return folder


@pytest.fixture(scope="module")
def nano(desk: Path) -> None:
    """Converts the bundled model, as the documents do, to the files that commands speak of."""
    with contextlib.chdir(desk):
        for precision in ("float32", "int8"):
            arguments = ["--model_name", "videoseal_nano", "--quantize", precision, "--output_dir", "models"]
            assert importlib.import_module(CONVERT).main(arguments) == EXIT_PASS
        for copy in ("model.tflite", "mine.tflite", "new.tflite", "old.tflite"):
            shutil.copy("models/videoseal_detector_videoseal_nano_256_int8.tflite", copy)


@pytest.fixture(autouse=True)
def at_the_desk(desk: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> None:
    """Commands run in that folder, as if the optional packages were there."""
    if request.node.get_closest_marker("convert"):
        request.getfixturevalue("nano")
    monkeypatch.chdir(desk)
    monkeypatch.setattr(registry, "_ADDED", {})
    for module in (bench_options, tensorflow_lite):
        monkeypatch.setattr(module, "find_spec", lambda name: name)


@pytest.mark.parametrize("commands", by_page(COMMANDS, lambda command: (command.code.page, str(command))))
def test_commands(commands: list[Command], desk: Path) -> None:
    findings = Findings()
    for command in commands:
        with findings.of(command), pytest.MonkeyPatch.context() as patch, contextlib.chdir(desk):
            perform(command.words, command.code.page.parent, patch)
    findings.report()


def perform(words: tuple[str, ...], folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Run a command or read its options; an AssertionError says what is wrong with it, or that it is unknown."""
    program = Path(words[0]).name.removesuffix("3")
    words = (program, *(PLACEHOLDERS.get(word, word) for word in words[1:]))
    if len(words) == 1 and program in PROGRAMS:
        return
    if program == "make":
        for line in made(words):
            perform(line, folder, monkeypatch)
    elif words[:2] == ("sealbench", "bench"):
        collect(("bench", *words[2:]))
    elif program == "pytest" or words[:3] == ("python", "-m", "pytest"):
        collect(words[1:] if program == "pytest" else words[3:])
    elif program == "pip":
        check_pip(words)
    elif program == "run":
        assert (ROOT / ".ci" / "run").stat().st_mode & 0o100
    elif len(words) == 2 and (folder / words[1]).suffix == ".py" and (folder / words[1]).is_file():
        check_script(folder / words[1])
    else:
        perform_python(words, monkeypatch)


def perform_python(words: tuple[str, ...], monkeypatch: pytest.MonkeyPatch) -> None:
    """Run one of RUN, or read the options of one of PARSED."""
    table, begun = _longest(words)
    module = importlib.import_module({**PARSED, **RUN}[begun])
    arguments = list(words[len(begun.split()) :]) if begun != CONVERTS_NANO else list(words[2:])
    if not arguments:
        arguments.append("--help")  # the program is spoken of: it must be there
    # `sealbench report RUN_DIR` takes seconds; its commands on several runs do not.
    short = table is RUN and "--help" not in arguments and (begun != "sealbench report" or Path(arguments[0]).is_dir())
    if short:
        assert module.main(arguments) in {EXIT_PASS, EXIT_FAIL, EXIT_INCONCLUSIVE}
        return
    monkeypatch.setattr(argparse.ArgumentParser, "parse_args", _stop_after(argparse.ArgumentParser.parse_args))
    try:
        code = module.main(arguments)
    except ParsedError as parsed:
        check_names(parsed.options)
    except SystemExit as end:
        assert end.code == 0, f"the options are not understood: {shlex.join(words)}"
    else:
        assert code == 0, f"no such command: {shlex.join(words)}"


def _longest(words: tuple[str, ...]) -> tuple[dict[str, str], str]:
    """The table and the entry that say most of how a command begins."""
    text = shlex.join(words) + " "
    entries = [(table, begun) for table in (RUN, PARSED) for begun in table if text.startswith(f"{begun} ")]
    assert entries, f"no test knows {text}: put it in RUN or PARSED of tests/test_documentation.py"
    return max(entries, key=lambda entry: len(entry[1]))


def _stop_after(parse: Callable[..., argparse.Namespace]) -> Callable[..., NoReturn]:
    def parse_args(self: argparse.ArgumentParser, arguments: object = None, namespace: object = None) -> NoReturn:
        raise ParsedError(parse(self, arguments, namespace))

    return parse_args


def made(words: tuple[str, ...]) -> list[tuple[str, ...]]:
    """The commands of ours that `make` would run, without installing first."""
    filled = [word.replace("...", "") for word in words]
    done = subprocess.run(
        [*filled, "-n", "-o", ".venv/installed"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    lines = [tuple(shlex.split(line)) for line in done.stdout.splitlines()]
    return [line for line in lines if line[1:3] == ("-m", "pytest") or Path(line[0]).name == "sealbench"]


def collect(arguments: tuple[str, ...]) -> None:
    """Let pytest read the options and select tests, without running any; of the project's own tests only a few."""
    where = [str(ROOT / "bench")] if "bench" in arguments else [str(ROOT / "tests" / "datasets")]
    given = [argument for argument in arguments if argument != "bench"]
    settings = ["-c", str(ROOT / "pyproject.toml"), "--rootdir", str(ROOT), "-p", "no:cacheprovider"]
    settings += ["-p", "no:unraisableexception"]  # it collects garbage ten times, slow where torch is loaded
    assert pytest.main([*where, *settings, "--collect-only", "-q", *given]) == pytest.ExitCode.OK


def check_pip(words: tuple[str, ...]) -> None:
    """Of `pip install` that there are such extras and files; of other uses nothing is known but this one."""
    if words[1:] == ("freeze", "--exclude-editable"):
        return
    assert words[1] == "install", f"no test knows {shlex.join(words)}"
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    for word in words[2:]:
        extra = re.fullmatch(r"sealbench\[(\w+)\]", word)
        if extra:
            assert extra[1] in project["optional-dependencies"]
        else:
            assert word.startswith("-") or (ROOT / word).exists(), f"no test knows {word} in {shlex.join(words)}"


def check_script(path: Path) -> None:
    """A script that shows a fault of another project converts for minutes: it must be Python, and find its imports."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import | ast.ImportFrom):
            names = [node.module] if isinstance(node, ast.ImportFrom) else [alias.name for alias in node.names]
            for name in names:
                assert importlib.util.find_spec(str(name).split(".", maxsplit=1)[0]), f"{path} imports {name}"


def check_names(options: argparse.Namespace) -> None:
    """Look up what the options name: variants, precisions, rewrites, weights."""
    values = vars(options)
    several = {name: [value] if isinstance(value, str) else value for name, value in values.items() if value}
    names = names_of(several.get("variant", several.get("model_name", ["videoseal_nano"])), card_names())
    cards = [get_card(name) for name in names]
    precisions_of(several.get("precision", several.get("quantize", [])))
    for choice in listed(several.get("rewrite", ["auto"])):
        for card in cards:
            choose_rewrites(choice, card)
    for name, source in sources_of(cards, several.get("weights", []), card_names()).items():
        if source != "official":
            find_weights(get_card(name), source)


def test_all_kinds_of_commands_are_found() -> None:
    begun = {command.words[0] for command in COMMANDS}
    assert {"make", "python", ".venv/bin/python", "pip"} <= begun
    assert len(COMMANDS) > 40


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("make bench BENCH='--precision int9'", "assert <ExitCode.USAGE_ERROR"),
        ("make bench BENCH='--no-such-option'", "assert <ExitCode.USAGE_ERROR"),
        ("make bench BENCH='-k nothing_is_called_so'", "assert <ExitCode.NO_TESTS"),
        ("make bnech", "No rule to make target"),
        ("sealbench profile --variant videoseal", "the options are not understood"),
        ("sealbench proflie --variant videoseal", "no test knows sealbench proflie"),
        ("sealbench train --outt DIR", "the options are not understood"),
        (
            "python -m sealbench.converters.checkpoints.weights",
            "no test knows python -m sealbench.converters.checkpoints.weights",
        ),
        ("pip install 'sealbench[torchvision]'", "assert 'torchvision' in"),
        ("git push", "no test knows git push"),
    ],
)
def test_wrong_commands_are_refused(text: str, message: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A test of commands that never fails would be none."""
    with pytest.raises(AssertionError, match=re.escape(message)):
        perform(tuple(shlex.split(text)), ROOT, monkeypatch)


def test_wrong_names_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    from sealbench.converters.errors import UnknownNameError

    with pytest.raises(UnknownNameError, match="unknown precision 'int9'"):
        perform(("sealbench", "profile", "--variant", "videoseal", "--precision", "int9"), ROOT, monkeypatch)


def test_links_lead_somewhere() -> None:
    assert LINKS
    findings = Findings()
    for link in LINKS:
        with findings.of(link):
            check_link(link)
    findings.report()


def check_link(link: Link) -> None:
    """An AssertionError says that a link leads nowhere."""
    path, _, anchor = link.target.partition("#")
    target = link.page if not path else link.page.parent / path
    assert target.exists(), "no such file"
    assert ROOT in target.resolve().parents, "outside the checkout"
    assert not anchor or anchor in anchors_of(target), f"no such heading; there are {sorted(anchors_of(target))}"


def test_wrong_links_are_refused() -> None:
    page = ROOT / "README.md"
    for target, message in (("none.md", "no such file"), ("#none", "no such heading"), ("..", "outside the checkout")):
        with pytest.raises(AssertionError, match=message):
            check_link(Link(page, 1, target))


def test_files_that_are_named_exist() -> None:
    named = {
        (str(page.relative_to(ROOT)), match)
        for page in PAGES
        for code in code_of(page)
        if code.inline
        for match in FILES_NAMED.findall(code.text)
    }
    assert named
    missing = [(page, name) for page, name in named if not (ROOT / name).exists()]
    assert [(page, name) for page, name in missing if not name.startswith("reports/out/")] == []


def message_templates() -> list[str]:
    """Every string in the code, adjacent literals joined, with a NUL for each value that is put in."""
    templates = []
    for path in (file for folder in FOLDERS for file in (ROOT / folder).rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.JoinedStr):
                parts = [str(part.value) if isinstance(part, ast.Constant) else "\0" for part in node.values]
                templates.append("".join(parts))
            elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                templates.append(node.value)
    return templates


def test_messages_of_troubleshooting_are_printed() -> None:
    """What the page quotes in its bold symptoms stands in the code, or is known to be another project's."""
    text = (ROOT / "docs" / "troubleshooting.md").read_text(encoding="utf-8")
    symptoms = " ".join(" ".join(found.split()) for found in re.findall(r"\*\*(.+?)\*\*", text, re.DOTALL))
    quoted = [part.strip(" ;:.") for code in re.findall(r"`([^`]+)`", symptoms) for part in code.split("...")]
    parts = [part for part in quoted if len(part) > 12 and part not in OTHERS]
    assert len(parts) > 15
    templates = message_templates()
    assert not [part for part in parts if not any(part in template for template in templates)]


def test_every_page_can_be_reached() -> None:
    """From the README, by links alone."""
    reached, new = set(), {ROOT / "README.md"}
    while new:
        reached |= new
        targets = {(page.parent / link.target.partition("#")[0]).resolve() for page in new for link in links_of(page)}
        new = {target for target in targets if target.suffix == ".md" and target.is_file()} - reached
    assert set(PAGES) <= reached


@pytest.mark.parametrize("blocks", by_page(BLOCKS, lambda code: (code.page, code.text)))
def test_blocks_of_code(blocks: list[Code], desk: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    findings = Findings()
    for code in blocks:
        with findings.of(code), pytest.MonkeyPatch.context() as patch, contextlib.chdir(desk):
            run_block(code, patch, tmp_path_factory.mktemp("block"))
    findings.report()


def run_block(code: Code, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Python works in the module that its first line names, TOML is a card or a file of gates; shells see above."""
    first, _, _ = code.text.partition("\n")
    if code.language == "python":
        run_python(code.text, first)
    elif code.language == "toml" and first.startswith("# converters/cards/"):
        monkeypatch.setattr(variants, "CARDS", tmp_path)
        (tmp_path / "example.toml").write_text(code.text, encoding="utf-8")
        assert watermark_cards()["example"].name == "example"
    elif code.language == "toml":
        (tmp_path / "gates.toml").write_text(code.text, encoding="utf-8")
        assert load_gates(tmp_path / "gates.toml")
    else:
        assert code.language in {*VIEWED, "sh"}, f"{code}: no test knows code in {code.language}"


def run_python(text: str, first: str) -> None:
    """Run Python in a copy of the module that its first line names as a comment; entries of tables are values there."""
    named = re.fullmatch(r"# ([\w/]+)\.py.*", first)
    if named is None:
        exec(compile(text, "document", "exec"), {"__name__": "document"})
        return
    module = importlib.import_module("sealbench." + named[1].replace("/", "."))
    try:
        tree = compile(text, "document", "exec")
    except SyntaxError:  # "name": value, as it stands in a dictionary
        tree = compile(f"dict = {{\n{text}\n}}", "document", "exec")
    # Tables are copied too: an entry that is put into one must not be there for the tests that follow.
    exec(tree, {name: value.copy() if type(value) is dict else value for name, value in vars(module).items()})
