"""Resuming a run that was interrupted: what of it is kept, and what is measured again."""

import json
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from sealbench.bench.errors import OptionError
from sealbench.reports.run.comparability import MACHINE
from sealbench.reports.run.directory import RunDirectory
from sealbench.reports.run.reader import ENVIRONMENT, is_run, load_results
from sealbench.reports.schema.columns import Cells, Table
from sealbench.reports.schema.records import NO_ATTACK, REFERENCES, Expectation, Measurement
from sealbench.reports.schema.tables import BITS, LATENCY, OUTPUTS, SAMPLE_CASE_COLUMNS, SCORES

# What must be the same for the old rows and the new ones to be of one run.
SAME = (
    "weights",
    "data",
    "attacks",
    "samples",
    "threads",
    "artifacts",
    "preprocessing",
    "packages",
    "backends",
    *MACHINE,
)
# What a run was measured with that was recorded before there was such an entry. Its backends are in `packages`.
BEFORE: Mapping[str, object] = {"attacks": []}
ONCE_UNRECORDED = ("backends",)
# Recorded of the images alone: it says nothing of whether the outputs of its case are there.
IMAGE_METRICS = ("psnr_db",)


@dataclass(frozen=True)
class PlannedTest:
    """One test of the bench with what it will record.

    Attributes:
        test: its node ID.
        timed: whether its suite times calls, see `sealbench.bench.session.suite_modules.Suite`.
        group: of its target, as text.
        expectations: what it will record; none for a test that is only reported.
    """

    test: str
    timed: bool
    group: str
    expectations: tuple[Expectation, ...]


def finished_tests(planned: Sequence[PlannedTest], measurements: Iterable[Measurement]) -> set[str]:
    """The tests that need not run again.

    A test is finished when everything that was expected of it is recorded. The latencies of a group are measured in
    common rounds, so they are finished together or not at all; a timed test without expectations goes with the
    latencies of its group.
    """
    recorded = {row.expectation for row in measurements}

    def is_recorded(test: PlannedTest) -> bool:
        return all(expectation in recorded for expectation in test.expectations)

    incomplete = {test.group for test in planned if test.timed and not is_recorded(test)}
    return {test.test for test in planned if is_recorded(test) and not (test.timed and test.group in incomplete)}


def resume(run_dir: Path, planned: Sequence[PlannedTest], environment: Mapping[str, object]) -> RunDirectory:
    """Open an interrupted run and drop from it what will be measured again.

    Args:
        run_dir: its folder.
        planned: all tests of this run, the finished ones too.
        environment: what would be written of a new run.

    Raises:
        OptionError: the run was of other weights, images or settings, on another machine or with other packages, or has
            measured what is not asked for now.
        ReportError: the folder holds no run, or its record is damaged.
    """
    before = _read_environment(run_dir)
    for name in SAME:
        if name in ONCE_UNRECORDED and name not in before:
            continue
        now = json.loads(json.dumps(environment[name]))
        then = before.get(name, BEFORE.get(name))
        if then != now:
            found, other = _differing(then, now)
            raise OptionError(
                f"--resume: {run_dir} was measured with other {name} (found {found}, now {other}); "
                "resume with the same options, packages and machine, or give another --run-dir"
            )
    measured = load_results(run_dir)
    asked = {expectation for test in planned for expectation in test.expectations}
    lost = [row for row in measured if row.expectation not in asked]
    if lost:
        raise OptionError(
            f"--resume: {run_dir} has {len(lost)} values that are not asked for now, {lost[0].metric} of "
            f"{lost[0].case.precision} among them, and would lose them; "
            "ask for all that was asked for then (-k, -m), or give another --run-dir"
        )
    finished = finished_tests(planned, measured)
    kept = {expectation for test in planned if test.test in finished for expectation in test.expectations}
    timed = {
        (case.variant, case.image_size)
        for test in planned
        if test.test in finished and test.timed
        for case in (expectation.case for expectation in test.expectations)
    }
    run = RunDirectory.resume(run_dir)
    run.keep_measurements(lambda row: row.expectation in kept)
    run.keep_samples(LATENCY, lambda number, row: (row["variant"], row["image_size"]) in timed)
    _keep_outputs(run, BITS, lambda row: row["attack"], asked, kept)
    _keep_outputs(run, SCORES, lambda row: NO_ATTACK, asked, kept)  # `attack` is a step of its frames there
    _keep_outputs(run, OUTPUTS, lambda row: NO_ATTACK, asked, kept)
    return run


def _keep_outputs(
    run: RunDirectory,
    table: Table,
    attack_of: Callable[[Cells], str],
    asked: Collection[Expectation],
    finished: Collection[Expectation],
) -> None:
    """Keep the raw rows of what is asked for, whichever part of the pictures they are of.

    Rows of one case are written together, a part of the pictures at a time, so that only those at the end of the table
    may be half of what was to be written: they are dropped, unless all that rests on them is recorded.
    """

    def place(row: Cells) -> tuple[str, ...]:
        return (*(row[name] for name in SAMPLE_CASE_COLUMNS), row["sample"].partition("/")[0], attack_of(row))

    def pictures(row: Cells) -> tuple[str, ...]:
        return (row["variant"], row["image_size"], row["sample"].partition("/")[0], attack_of(row))

    last: tuple[str, ...] = ()
    begins = 0
    for number, row in table.read(run.path):
        if (found := place(row)) != last:
            last, begins = found, number
    whole = last in set(map(_place, finished))
    wanted = set(map(_place, asked))
    # Every file is compared with the reference, whether or not a test measures the reference itself.
    shown = {(one.case.variant, one.case.image_size, one.dataset, one.attack) for one in asked}
    run.keep_samples(
        table,
        lambda number, row: (
            (whole or number < begins)
            and (place(row) in wanted or (row["backend"] in REFERENCES and pictures(row) in shown))
        ),
    )


def _place(expectation: Expectation) -> tuple[str, ...]:
    """Case, dataset and attack as the columns of raw rows have them; nothing of it for what rests on no outputs."""
    if expectation.metric in IMAGE_METRICS:
        return ()
    case = expectation.case
    return (*(str(getattr(case, name)) for name in SAMPLE_CASE_COLUMNS), expectation.dataset, expectation.attack)


def _differing(then: object, now: object) -> tuple[object, object]:
    """Of two mappings the entries in which they differ; all else as it is."""
    if not isinstance(then, dict) or not isinstance(now, dict):
        return then, now
    return (
        {key: value for key, value in then.items() if now.get(key) != value},
        {key: value for key, value in now.items() if then.get(key) != value},
    )


def commits(run_dir: Path, now: str | None) -> str | None:
    """The commits that a resumed run was measured with, the earliest first, separated by commas.

    Args:
        run_dir: its folder.
        now: the commit that it is resumed with, or None outside a checkout.

    Raises:
        OptionError: the run's environment cannot be read.
    """
    then = str(_read_environment(run_dir).get("git_commit") or "").split(", ")
    return ", ".join(dict.fromkeys(filter(None, [*then, now]))) or None


def can_resume(run_dir: Path) -> bool:
    """Whether the folder holds a run that got as far as measuring."""
    return is_run(run_dir) and (run_dir / ENVIRONMENT).is_file()


def _read_environment(run_dir: Path) -> dict[str, object]:
    path = run_dir / ENVIRONMENT
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise OptionError(f"--resume: {path} cannot be read ({error}); begin anew without --resume") from error
    return found if isinstance(found, dict) else {}
