"""The pytest plugin: options, the matrix, the record of a run, and its exit code.

It imports no torch and no LiteRT, so that `--help` and unit tests start at once.
"""

import os
import time
from collections import Counter
from collections.abc import Generator, Sequence
from dataclasses import astuple
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from sealbench.bench.arguments import TITLE, add_options
from sealbench.bench.errors import INPUT_ERRORS
from sealbench.bench.matrix import (
    attacked_targets,
    conversion_targets,
    datasets_of,
    expand,
    rewritten_targets,
    second_targets,
    upstream_targets,
)
from sealbench.bench.measuring.workbench import GroupBench, Workbench
from sealbench.bench.options import read_options
from sealbench.bench.session.baseline import conclude
from sealbench.bench.session.bench_tests import (
    DATASETS,
    attack_of,
    dataset_of,
    expectations_of,
    has_matrix,
    is_bench,
    planned_test,
    shown_of,
    step_of,
    target_of,
)
from sealbench.bench.session.console import RunConsole, file_line
from sealbench.bench.session.progress import Progress, last_of_each
from sealbench.bench.session.recorder import Recorder
from sealbench.bench.session.resume import finished_tests
from sealbench.bench.session.start import open_run
from sealbench.bench.session.state import BenchRun
from sealbench.bench.session.step_summary import append_step_summary
from sealbench.bench.session.suite_modules import FOLDER, ONE_PROCESS, PACKAGE, suite_modules, suite_name, suite_of
from sealbench.bench.targets import Target, dataset_name, short_name
from sealbench.bench.tasks.registry import task_of
from sealbench.datasets.attacks import attack_seed
from sealbench.reports.errors import ReportError
from sealbench.reports.gates.judge import judge, load_gates
from sealbench.reports.run.reader import load_results
from sealbench.reports.schema.records import NO_ATTACK
from sealbench.reports.schema.tables import DURATIONS

pytest.register_assert_rewrite(PACKAGE)
STATE = pytest.StashKey[BenchRun]()
# How long PyTorch's idle threads spin before they sleep, in iterations of GNU OpenMP's loop, read when torch is loaded.
# By default it is milliseconds: where both threads land on one core, a call of 120 ms was seen to take 2.9 s, nine
# rounds in a row, and what runs after PyTorch is slowed as well. At this count PyTorch alone is as fast as by default
# (21.6 against 20.5 ms a call, median of 30, the bundled model); asleep at once, it would need 45.8.
SPIN_COUNT = "20000"


def pytest_addoption(parser: pytest.Parser) -> None:
    """Declare the options of `pytest bench`."""
    add_options(parser.getgroup("sealbench", TITLE).addoption)


def pytest_configure(config: pytest.Config) -> None:
    """Read the options; a wrong one ends the run before anything is collected."""
    os.environ.setdefault("GOMP_SPINCOUNT", SPIN_COUNT)
    config.addinivalue_line("markers", "measures(*metrics): the metrics that a test of the bench will record")
    config.addinivalue_line("markers", "suite(order, outputs, gated, timed): when a suite runs, and on which models")
    try:
        options = read_options(config)
        state = config.stash[STATE] = BenchRun(
            options,
            expand(options),
            suite_modules(options.variants),
            load_gates(options.gates) if options.gates is not None else (),
        )
    except INPUT_ERRORS as error:
        raise pytest.UsageError(str(error)) from error
    foreign = {path: name for path, name in state.suites.items() if path.parent != FOLDER}
    if foreign:
        pytest.register_assert_rewrite(*foreign.values())
        if any(FOLDER.is_relative_to((config.invocation_params.dir / arg).resolve()) for arg in config.args):
            config.args += map(str, foreign)


class SuiteModule(pytest.Module):
    """A suite, imported by its one name: pytest would make another of the path, and another module with it."""

    def _getobj(self) -> ModuleType:
        return import_module(self.config.stash[STATE].suites[self.path])


def pytest_collect_directory(path: Path, parent: pytest.Collector) -> pytest.Collector | None:
    """Folders of suites are walked through, not imported under the names that their paths suggest."""
    folders = {suite.parent for suite in parent.config.stash[STATE].suites}
    ours = path in folders or path.is_relative_to(FOLDER.parent)
    return pytest.Dir.from_parent(parent, path=path) if ours else None


def pytest_pycollect_makemodule(module_path: Path, parent: pytest.Collector) -> pytest.Module | None:
    """See `SuiteModule`."""
    suites = parent.config.stash[STATE].suites
    return SuiteModule.from_parent(parent, path=module_path) if module_path in suites else None


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Expand the matrix: `target` is every file and reference, `file_target` the files only."""
    measures = metafunc.definition.get_closest_marker("measures")
    if measures is None:
        return
    state = metafunc.config.stash[STATE]
    suite = suite_of(metafunc.definition)
    asked = not suite.gated or any(gate.metric in measures.args for gate in state.gates)
    targets = [t for t in state.targets if not suite.outputs or task_of(t.variant).gives(t.variant) in suite.outputs]
    if not suite.timed:  # the outputs of a model do not depend on its threads
        targets = [t for t in targets if t.threads == state.options.threads[0]]
    if not {*DATASETS, "attack"} & set(metafunc.fixturenames):  # no picture is resized
        targets = upstream_targets(targets)
    files = [t for t in targets if not t.is_reference]
    choices = {
        "target": lambda: targets,
        "reference_target": lambda: [t for t in targets if t.is_reference],
        "file_target": lambda: files,
        "quantized_target": lambda: [t for t in files if t.precision.weight_bits < 32],
        "rewritten_target": lambda: rewritten_targets(targets),
        "second_target": lambda: second_targets(targets),
        "conversion_target": lambda: conversion_targets(state.options, state.targets),
    }
    (name,) = (name for name in choices if name in metafunc.fixturenames)
    chosen: Sequence[Target] = choices[name]() if asked else ()
    if "attack" in metafunc.fixturenames:
        attacked = attacked_targets(state.options, chosen)
        ids = [f"{t}-{dataset_name(dataset)}-{attack}" for t, dataset, attack in attacked]
        metafunc.parametrize((name, "dataset", "attack"), attacked, ids=ids)
        return
    for images in DATASETS:
        if images in metafunc.fixturenames:  # the datasets of one target need not be those of another
            pairs = [(t, dataset) for t in chosen for dataset in datasets_of(state.options, t, images)]
            ids = [f"{t}-{dataset_name(dataset)}" for t, dataset in pairs]
            metafunc.parametrize((name, images), pairs, ids=ids)
            return
    metafunc.parametrize(name, chosen, ids=str)


@pytest.hookimpl(trylast=True)  # after -k and -m: what they leave out is not expected
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Sort the bench group by group and, within one, suite by suite; other tests keep their places.

    The suite of attacks is sorted attack by attack; what is measured over several attacks comes last.

    A test with nothing to measure (the conversion of a file that was given, plain images where all are watermarked)
    is deselected: pytest would make a skipped test of its empty matrix.
    """
    empty = [item for item in items if is_bench(item) and not has_matrix(item)]
    if empty:
        config.hook.pytest_deselected(items=empty)
        items[:] = [item for item in items if item not in empty]
    state = config.stash[STATE]
    groups = list(dict.fromkeys(target.group for target in state.targets))

    order = (*state.options.attacks, NO_ATTACK)

    def place(item: pytest.Item) -> tuple[int, int, str, int]:
        group, attack = groups.index(target_of(item).group), order.index(attack_of(item))
        return group, suite_of(item).order, suite_name(item), attack

    bench = sorted((item for item in items if is_bench(item)), key=place)
    state.planned = [planned_test(item) for item in bench]
    items[:] = [item for item in items if not is_bench(item)] + bench
    if state.resumed:
        assert state.options.run_dir is not None
        try:
            finished = finished_tests(state.planned, load_results(state.options.run_dir))
        except ReportError as error:
            raise pytest.UsageError(str(error)) from error
        done = [item for item in bench if item.nodeid in finished]
        config.hook.pytest_deselected(items=done)
        items[:] = [item for item in items if item not in done]
        bench = [item for item in bench if item not in done]
    ends = last_of_each(str(place(item)[:3]) for item in bench)
    state.milestones = {bench[index].nodeid for index in ends}
    state.ends = set({target_of(item).case: item.nodeid for item in bench}.values())
    attacks = state.options.attacks
    state.shown = tuple(dict.fromkeys(one for item in bench for one in shown_of(item, attacks)))
    state.progress = Progress([step_of(item, state.options) for item in bench])


def pytest_collection_finish(session: pytest.Session) -> None:
    """Check all inputs and open the run directory, before the first measurement."""
    state = session.config.stash[STATE]
    if not state.planned or session.config.option.collectonly or hasattr(session.config, "workerinput"):
        return
    try:
        open_run(state)
    except INPUT_ERRORS as error:
        raise pytest.UsageError(str(error)) from error


@pytest.hookimpl(optionalhook=True)  # of pytest-xdist
def pytest_xdist_node_collection_finished(node: Any, ids: Sequence[str]) -> None:
    """Refuse to measure in several processes; a process has collected `ids`, and none has begun a test."""
    config: pytest.Config = node.config
    suites = config.stash[STATE].suites
    # A file outside of the root folder is named from the argument that it was found by.
    started = config.invocation_params.dir
    bases = (config.rootpath, *(started / argument.partition("::")[0] for argument in config.args))
    files = {nodeid.partition("::")[0] for nodeid in ids}
    if any((base / file).resolve() in suites for base in bases for file in files):
        raise pytest.UsageError(ONE_PROCESS)


@pytest.fixture(scope="session")
def workbench(request: pytest.FixtureRequest) -> Workbench:
    """What all tests share; see `sealbench.bench.measuring.pictures` for the one pass over the pictures."""
    context = request.config.stash[STATE].context
    assert context is not None
    return Workbench(context)


@pytest.fixture
def group(request: pytest.FixtureRequest, workbench: Workbench) -> GroupBench:
    """What the targets of this test's group share."""
    return workbench.group(target_of(request.node).group)


@pytest.fixture
def record(request: pytest.FixtureRequest) -> Recorder:
    """Records what this test measures."""
    recorder: Recorder = request.node.stash[RECORDER]
    return recorder


RECORDER = pytest.StashKey[Recorder]()


@pytest.hookimpl(wrapper=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> Generator[None, object, object]:
    """Judge what a test of the bench measured: a gate that fails fails the test."""
    try:
        result = yield
    finally:
        if is_bench(pyfuncitem):  # for --junitxml; what was measured before an error, too
            pyfuncitem.user_properties += pyfuncitem.stash[RECORDER].properties()
    if is_bench(pyfuncitem):
        failures = pyfuncitem.stash[RECORDER].failures()
        if failures:
            lines = [f"{failure.gate.metric}: {failure.explanation}. {failure.gate.reason}" for failure in failures]
            pytest.fail("\n".join(f"gate failed: {line}" for line in lines), pytrace=False)
    return result


@pytest.hookimpl(wrapper=True)
def pytest_runtestloop(session: pytest.Session) -> Generator[None, object, object]:
    """Show how far the run is, and remove the bar however the run ends."""
    config = session.config
    console = RunConsole(config.pluginmanager.getplugin("terminalreporter"), config)
    config.stash[STATE].console = console
    try:
        return (yield)
    finally:
        console.end()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    """Write down how long a test took, and print how far the run is and what was found of a file."""
    if not is_bench(item):
        return (yield)
    state = item.config.stash[STATE]
    assert state.run is not None
    assert state.console is not None
    target = target_of(item)
    name = f"{short_name(target)} {suite_name(item)}"
    state.console.show(name, state.progress)
    started = time.perf_counter()
    result = yield
    seconds = time.perf_counter() - started
    step = step_of(item, state.options)
    state.run.append_rows(DURATIONS, [(*astuple(step), round(seconds, 3))])
    state.progress.finished(step, seconds)
    if item.nodeid in state.ends and not target.is_reference:
        rows = [row for row in load_results(state.run.path) if row.case == target.case]  # those before a --resume, too
        expected = [one for one in state.expectations if one.case == target.case]
        state.console.say(file_line(short_name(target), rows, judge(state.gates, rows, expected)))
    state.console.show(name, state.progress)
    if item.nodeid in state.milestones:
        state.console.milestone(f"{target.group} {suite_name(item)}: {state.progress}")
    return result


@pytest.hookimpl(wrapper=True)
def pytest_report_teststatus(
    report: pytest.TestReport, config: pytest.Config
) -> Generator[None, tuple[str, str, str], tuple[str, str, str]]:
    """Where a bar is drawn, pytest's letters would spoil it; what failed is printed by name."""
    category, letter, word = yield
    console = config.stash[STATE].console
    if console is None or not console.drawn:
        return category, letter, word
    if report.failed:
        console.say(f"{category.upper()} {report.nodeid}")
    return category, "", ""


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Give every test of the bench its recorder."""
    if not is_bench(item):
        return
    state = item.config.stash[STATE]
    assert state.run is not None
    item.stash[RECORDER] = Recorder(
        state.run, state.gates, target_of(item).case, dataset_of(item), attack_of(item), expectations_of(item)
    )


@pytest.hookimpl(tryfirst=True)
def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    """Write the tables and plots of whatever was measured, and set the exit code of a gated run."""
    state = session.config.stash.get(STATE, None)
    if state is None or state.run is None:
        return
    from sealbench.reports.render.run import render
    from sealbench.reports.render.tables import console_summary

    state.run.finish(attack_seed)
    rendered = render(state.run.path, state.gates)
    state.summary = [*console_summary(rendered.frame).splitlines(), *(f"note: {note}" for note in rendered.notes)]
    counts = Counter(str(result.verdict) for result in rendered.results)
    state.summary.append("gates: " + (", ".join(f"{count} {name}" for name, count in counts.items()) or "none judged"))
    if exitstatus in (pytest.ExitCode.OK, pytest.ExitCode.NO_TESTS_COLLECTED):
        session.exitstatus = rendered.exit_code
    options = state.options
    lines, session.exitstatus = conclude(
        state.run.path, options.against, options.save_baseline, state.gates, int(session.exitstatus)
    )
    state.summary += lines
    pages = [state.run.path / name for name in ("summary.md", *(("compare.md",) if options.against else ()))]
    if note := append_step_summary(pages, os.environ):
        state.summary.append(f"note: {note}")


@pytest.hookimpl(trylast=True)
def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Show the table, the verdicts and where the files are."""
    state = config.stash.get(STATE, None)
    if state is None or state.run is None:
        return
    terminalreporter.section("sealbench")
    for line in state.summary:
        terminalreporter.write_line(line)
    seconds = time.perf_counter() - state.started
    terminalreporter.write_line(f"report: {state.run.path / 'report.html'} ({seconds:.0f} s)")
