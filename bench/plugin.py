"""The pytest plugin: options, the matrix, the record of a run, and its exit code.

It imports no torch and no LiteRT, so that `--help` and unit tests start at once.
"""

from __future__ import annotations

import os
import time
from collections import Counter
from collections.abc import Generator, Sequence
from dataclasses import astuple, dataclass, field, replace
from typing import TYPE_CHECKING

import pytest

from bench.against import check_baseline, conclude
from bench.environment import describe_environment
from bench.fingerprints import preprocessing_fingerprint, recipe_fingerprint
from bench.options import OptionError, Options, add_options, dataset_name, read_options
from bench.progress import Progress, Step, last_of_each, measured_durations
from bench.recorder import NO_DATASET, Recorder
from bench.resume import LATENCY_SUITE, Promise, can_resume, finished_tests, resume
from bench.step_summary import append_step_summary
from bench.suites import ORDER, ROBUSTNESS
from bench.targets import Target, expand
from bench.tasks import task_of
from converters.errors import ConverterError
from converters.families import family_of
from converters.file_hashes import remembered_sha256
from converters.store import ArtifactSpec, ArtifactStore
from converters.tflite_file import read_model_file
from datasets.attacks import CURVE_POINTS, attack_seed, jpeg_qualities
from datasets.sample import DatasetError, fingerprint
from reports.errors import ReportError
from reports.gates import Gate, load_gates
from reports.records import NO_ATTACK, Expectation
from reports.run_directory import RunDirectory
from reports.run_reader import load_results

if TYPE_CHECKING:
    from bench.workbench import GroupBench, Workbench

INPUT_ERRORS = (OptionError, ConverterError, DatasetError, ReportError)


@dataclass
class BenchRun:
    """The state of a run between pytest's hooks.

    Attributes:
        options: what to measure.
        targets: the matrix.
        gates: what is judged; empty with --no-gate.
        run: the open run directory, once there is something to measure.
        workbench: what the suites share.
        started: clock reading at the start, in seconds.
        promises: what every test of the bench promises, the finished ones of a resumed run too.
        progress: how far it is.
        milestones: tests after which that is told: the last of each suite of a group.
        summary: lines for the terminal at the end.
    """

    options: Options
    targets: tuple[Target, ...]
    gates: Sequence[Gate] = ()
    run: RunDirectory | None = None
    workbench: Workbench | None = None
    started: float = field(default_factory=time.perf_counter)
    promises: list[Promise] = field(default_factory=list)
    progress: Progress = field(default_factory=lambda: Progress((), {}))
    milestones: set[str] = field(default_factory=set)
    summary: list[str] = field(default_factory=list)

    @property
    def resumed(self) -> bool:
        """Whether an earlier run is gone on with."""
        return self.options.resume and self.options.run_dir is not None and can_resume(self.options.run_dir)


STATE = pytest.StashKey[BenchRun]()
# How long PyTorch's idle threads spin before they sleep, in turns of GNU OpenMP's loop, read when torch is loaded. By
# default it is milliseconds: where both threads land on one core, a call of 120 ms was seen to take 2.9 s, nine
# rounds in a row, and what runs after PyTorch is slowed as well. At this count PyTorch alone is as fast as by default
# (21.6 against 20.5 ms a call, median of 30, the bundled model); asleep at once, it would need 45.8.
SPIN_COUNT = "20000"


def pytest_addoption(parser: pytest.Parser) -> None:
    """Declare the options of `pytest bench`."""
    add_options(parser)


def pytest_configure(config: pytest.Config) -> None:
    """Read the options; a wrong one ends the run before anything is collected."""
    os.environ.setdefault("GOMP_SPINCOUNT", SPIN_COUNT)
    config.addinivalue_line("markers", "measures(*metrics): the metrics that a test of the bench promises to record")
    config.addinivalue_line("markers", "gives(*outputs): a suite that runs on models of such outputs alone")
    try:
        options = read_options(config)
        config.stash[STATE] = BenchRun(
            options, expand(options), load_gates(options.gates) if options.gates is not None else ()
        )
    except INPUT_ERRORS as error:
        raise pytest.UsageError(str(error)) from error


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Expand the matrix: `target` is every file and reference, `file_target` the files only."""
    if metafunc.definition.get_closest_marker("measures") is None:
        return
    state = metafunc.config.stash[STATE]
    marker = metafunc.definition.get_closest_marker("gives")
    targets = [t for t in state.targets if marker is None or task_of(t.variant).gives(t.variant) in marker.args]
    if _suite(metafunc.definition) != LATENCY_SUITE:  # what a model says does not depend on its threads
        targets = [t for t in targets if t.threads == state.options.threads[0]]
    files = [t for t in targets if not t.is_reference]
    choices = {
        "target": lambda: targets,
        "reference_target": lambda: [t for t in targets if t.is_reference],
        "file_target": lambda: files,
        "quantized_target": lambda: [t for t in files if t.precision.weight_bits < 32],
        "rewritten_target": lambda: _rewritten(targets),
        "second_target": lambda: _second(targets),
        "conversion_target": lambda: _conversions(state),
    }
    (name,) = (name for name in choices if name in metafunc.fixturenames)
    chosen: Sequence[Target] = choices[name]()
    if "attack" in metafunc.fixturenames:
        attacked = _attacked(state, chosen)
        ids = [f"{t}-{dataset_name(dataset)}-{attack}" for t, dataset, attack in attacked]
        metafunc.parametrize((name, "dataset", "attack"), attacked, ids=ids)
        return
    for images in ("dataset", "plain_dataset", "jpeg_dataset"):
        if images in metafunc.fixturenames:  # the datasets of one target need not be those of another
            pairs = [(t, dataset) for t in chosen for dataset in _datasets(state, t, images)]
            ids = [f"{t}-{dataset_name(dataset)}" for t, dataset in pairs]
            metafunc.parametrize((name, images), pairs, ids=ids)
            return
    metafunc.parametrize(name, chosen, ids=str)


@pytest.hookimpl(trylast=True)  # after -k and -m: what they leave out is not promised
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Sort the bench group by group and, within one, suite by suite; other tests keep their places.

    The suite of attacks is sorted attack by attack, so that attacked images are made once, and what a run that broke
    off has measured of an attack is whole; what is measured over several attacks comes last.

    A test with nothing to measure (the conversion of a file that was given, plain images where all are watermarked)
    is deselected: pytest would make a skipped test of its empty matrix.
    """
    empty = [item for item in items if _is_bench(item) and not _has_matrix(item)]
    if empty:
        config.hook.pytest_deselected(items=empty)
        items[:] = [item for item in items if item not in empty]
    state = config.stash[STATE]
    groups = list(dict.fromkeys(target.group for target in state.targets))

    attacks = (*state.options.attacks, NO_ATTACK)

    def place(item: pytest.Item) -> tuple[int, int, int]:
        return groups.index(item_target(item).group), ORDER.index(_suite(item)), attacks.index(_attack(item))

    bench = sorted((item for item in items if _is_bench(item)), key=place)
    state.promises = [_promise(item) for item in bench]
    items[:] = [item for item in items if not _is_bench(item)] + bench
    if state.resumed:
        assert state.options.run_dir is not None
        finished = finished_tests(state.promises, load_results(state.options.run_dir))
        done = [item for item in bench if item.nodeid in finished]
        config.hook.pytest_deselected(items=done)
        items[:] = [item for item in items if item not in done]
        bench = [item for item in bench if item not in done]
    ends = last_of_each(str(place(item)[:2]) for item in bench)
    state.milestones = {bench[index].nodeid for index in ends}
    state.progress = Progress([_step(item, state.options) for item in bench], measured_durations())


def pytest_collection_finish(session: pytest.Session) -> None:
    """Check all inputs and open the run directory, before the first measurement."""
    state = session.config.stash[STATE]
    if not state.promises or session.config.option.collectonly:
        return
    try:
        _begin(state)
    except INPUT_ERRORS as error:
        raise pytest.UsageError(str(error)) from error


def _begin(state: BenchRun) -> None:
    options = state.options
    for variant in options.variants:
        weights = options.weights[variant.name]
        if weights.path is not None:
            # A checkpoint of another variant is refused now, not by every suite.
            family_of(variant).model(variant, weights).check()
    groups = dict.fromkeys(target.group for target in state.targets)
    if options.artifact is not None:
        (group,) = groups
        model = read_model_file(options.artifact)
        family_of(group.variant).check_file(model, group.variant, group.size)
    # The suites need torch, which is not loaded before there is something to measure.
    from bench.workbench import Workbench

    data: dict[str, str] = {}
    pictures: dict[tuple[str, str], str] = {}
    for group in groups:
        for dataset in options.datasets_of(group.variant):
            read = task_of(group.variant).read(dataset, group, options.samples[group.variant.name], options.rate)
            data[f"{dataset_name(dataset)} for {group.variant.name} at {group.size}"] = fingerprint(read)
            pictures |= {(dataset_name(dataset), sample.id): sample.source for sample in read}
    store = ArtifactStore()
    files = [target for target in state.targets if not target.is_reference]
    environment = describe_environment() | {
        "threads": options.threads,
        "GOMP_SPINCOUNT": os.environ["GOMP_SPINCOUNT"],
        "samples": dict(options.samples),
        "weights": {
            name: {"kind": weights.kind, "fingerprint": weights.fingerprint}
            for name, weights in options.weights.items()
        },
        "data": data,
        "attacks": list(options.attacks),
        "preprocessing": {variant.name: preprocessing_fingerprint(variant) for variant in options.variants},
        "artifacts": {
            str(target): target.spec.key if options.artifact is None else remembered_sha256(options.artifact)
            for target in files
        },
        "recipes": {} if options.artifact is not None else {str(t): recipe_fingerprint(t.spec) for t in files},
    }
    if options.against is not None:
        promised = [expectation for promise in state.promises for expectation in promise.expectations]
        check_baseline(options.against, environment, promised)
    resumed = options.run_dir if state.resumed else None
    if resumed is not None:
        state.run = resume(resumed, state.promises, environment)
    else:
        state.run = RunDirectory.open(run_dir=options.run_dir)
    if options.gates is not None:
        state.run.keep_gates(options.gates)
    state.run.write_plan([expectation for promise in state.promises for expectation in promise.expectations])
    state.run.write_environment(environment)
    state.run.write_images((*image, picture) for image, picture in pictures.items())
    state.workbench = Workbench(
        state.targets,
        options.samples,
        state.run,
        store,
        options.artifact,
        resumed,
        options.rate,
        state.gates,
        options.attacks,
    )


@pytest.fixture
def group(request: pytest.FixtureRequest) -> GroupBench:
    """What the targets of this test's group share."""
    workbench = request.config.stash[STATE].workbench
    assert workbench is not None
    return workbench.group(item_target(request.node).group)


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
        if _is_bench(pyfuncitem):  # for --junitxml; what was measured before an error, too
            pyfuncitem.user_properties += pyfuncitem.stash[RECORDER].properties()
    if _is_bench(pyfuncitem):
        failures = pyfuncitem.stash[RECORDER].failures()
        if failures:
            told = [f"{failure.gate.metric}: {failure.explanation}. {failure.gate.reason}" for failure in failures]
            pytest.fail("gate failed: " + "\ngate failed: ".join(told), pytrace=False)
    return result


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    """Write down how long a test took; after the last one of a suite and group, say how long the rest will take."""
    started = time.perf_counter()
    result = yield
    if _is_bench(item):
        state = item.config.stash[STATE]
        assert state.run is not None
        seconds = time.perf_counter() - started
        step = _step(item, state.options)
        state.run.append_duration((*astuple(step), round(seconds, 3)))
        state.progress.finished(step, seconds)
        terminal = item.config.pluginmanager.getplugin("terminalreporter")
        if terminal is not None and item.nodeid in state.milestones:
            terminal.ensure_newline()
            terminal.write_line(f"{item_target(item).group} {_suite(item)}: {state.progress}")
    return result


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Give every test of the bench its recorder."""
    if not _is_bench(item):
        return
    state = item.config.stash[STATE]
    assert state.run is not None
    item.stash[RECORDER] = Recorder(
        state.run, state.gates, item_target(item).case, _dataset(item), _attack(item), _promises(item)
    )


@pytest.hookimpl(tryfirst=True)
def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    """Write the tables and plots of whatever was measured, and set the exit code of a gated run."""
    state = session.config.stash.get(STATE, None)
    if state is None or state.run is None:
        return
    from reports.render import render
    from reports.tables import console_summary

    state.run.finish(attack_seed)
    rendered = render(state.run.path, state.gates)
    state.summary = [*console_summary(rendered.frame).splitlines(), *(f"note: {note}" for note in rendered.notes)]
    counts = Counter(str(result.verdict) for result in rendered.results)
    state.summary.append("gates: " + (", ".join(f"{count} {name}" for name, count in counts.items()) or "none judged"))
    if exitstatus in (pytest.ExitCode.OK, pytest.ExitCode.NO_TESTS_COLLECTED):
        session.exitstatus = rendered.exit_code
    options = state.options
    told, session.exitstatus = conclude(
        state.run.path, options.against, options.save_baseline, state.gates, int(session.exitstatus)
    )
    state.summary += told
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


def item_target(item: pytest.Item) -> Target:
    """The target of a test of the bench, under whichever name the test takes it."""
    parameters = item.callspec.params  # type: ignore[attr-defined]
    return next(value for value in parameters.values() if isinstance(value, Target))


def _is_bench(item: pytest.Item) -> bool:
    return item.get_closest_marker("measures") is not None


def _has_matrix(item: pytest.Item) -> bool:
    """Whether every parameter of a test has a value; pytest puts a marker of its own for an empty set."""
    values = item.callspec.params.values()  # type: ignore[attr-defined]
    return all(isinstance(value, Target | str) for value in values)


def _promises(item: pytest.Item) -> list[Expectation]:
    """What a test of the bench promises to measure."""
    marker = item.get_closest_marker("measures")
    assert marker is not None
    case, dataset, attack = item_target(item).case, _dataset(item), _attack(item)
    return [Expectation(case, dataset, attack, metric) for metric in marker.args]


def _dataset(item: pytest.Item) -> str:
    """The name of the images that a test measures on; empty for a property of the file."""
    parameters = item.callspec.params  # type: ignore[attr-defined]
    names = ("dataset", "plain_dataset", "jpeg_dataset")
    dataset = next((parameters[name] for name in names if name in parameters), None)
    return NO_DATASET if dataset is None else dataset_name(dataset)


def _attack(item: pytest.Item) -> str:
    """What is done to the images that a test measures on."""
    attack: str = item.callspec.params.get("attack", NO_ATTACK)  # type: ignore[attr-defined]
    return attack


def _promise(item: pytest.Item) -> Promise:
    return Promise(item.nodeid, _suite(item), str(item_target(item).group), tuple(_promises(item)))


def _step(item: pytest.Item, options: Options) -> Step:
    target = item_target(item)
    variant = target.group.variant.name
    precision = "PyTorch" if target.is_reference else target.precision.name
    samples = options.samples[variant] if _dataset(item) else 0
    if _suite(item) == ROBUSTNESS:  # all tests of a step together run on so many
        samples *= len(options.attacks)
    return Step(variant, _suite(item), precision, samples)


def _suite(item: pytest.Item) -> str:
    return item.path.stem.removeprefix("test_")


def _rewritten(targets: Sequence[Target]) -> list[Target]:
    """Files that are measured without their rewrites as well."""
    names = {str(target) for target in targets}
    return [target for target in targets if target.rewrites and str(target.plain) in names]


def _second(targets: Sequence[Target]) -> list[Target]:
    """Files that another interpreter than LiteRT runs, where LiteRT runs them as well."""
    return [
        target for target in targets if target.backend == "tensorflow" and replace(target, backend="litert") in targets
    ]


def _conversions(state: BenchRun) -> list[Target]:
    """Files that are converted here: none if one was given."""
    if state.options.artifact is not None:
        return []
    conversions: dict[ArtifactSpec, Target] = {}
    for target in state.targets:
        if not target.is_reference:
            conversions.setdefault(target.spec, target)
    return list(conversions.values())


def _datasets(state: BenchRun, target: Target, images: str) -> list[str]:
    """Datasets that a target is measured on.

    Those of which there are images without a watermark for `plain_dataset`; for `jpeg_dataset` only where a curve over
    JPEG's quality is measured.
    """
    if images == "jpeg_dataset" and len(jpeg_qualities(state.options.attacks)) < CURVE_POINTS:
        return []
    task = task_of(target.variant)
    datasets = state.options.datasets_of(target.variant)
    return [dataset for dataset in datasets if task.has_plain(dataset) or images != "plain_dataset"]


def _attacked(state: BenchRun, targets: Sequence[Target]) -> list[tuple[Target, str, str]]:
    """Targets with each of their datasets under each attack, dataset by dataset."""
    found = [
        (t, dataset, attack)
        for t in targets
        for dataset in _datasets(state, t, "dataset")
        for attack in state.options.attacks
    ]
    return sorted(found, key=lambda item: item[1])
