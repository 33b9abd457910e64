"""Starts a run: checks its inputs, takes their fingerprints, and makes its folder."""

import os

from sealbench.bench.backends.names import REFERENCE_BACKEND, REFERENCE_FILE
from sealbench.bench.matrix import upstream_targets
from sealbench.bench.measuring.context import RunContext
from sealbench.bench.session.baseline import check_baseline
from sealbench.bench.session.environment import describe_environment
from sealbench.bench.session.fingerprints import preprocessing_fingerprint, recipe_fingerprint
from sealbench.bench.session.resume import commits, resume
from sealbench.bench.session.state import BenchRun
from sealbench.bench.targets import dataset_name
from sealbench.bench.tasks.given import check_given_file
from sealbench.bench.tasks.reference_file import described
from sealbench.bench.tasks.registry import task_of
from sealbench.converters.cards.file import FileCard
from sealbench.converters.checkpoints.file_hashes import remembered_sha256
from sealbench.converters.families import family_of
from sealbench.converters.store import ArtifactStore
from sealbench.datasets.sample import fingerprint
from sealbench.reports.run.directory import RunDirectory


def open_run(state: BenchRun) -> None:
    """Check all inputs, and open the run directory, before the first measurement.

    Args:
        state: options, targets, gates and planned tests are there; the run and the context are set.

    Raises:
        OptionError, ConverterError, DatasetError, ReportError: an input is wrong; the message says which.
    """
    options = state.options
    for variant in options.variants:
        weights = options.weights[variant.name]
        if weights.path is not None:
            # A checkpoint of another variant is refused now, not by every suite.
            family_of(variant).model(variant, weights).check()
    groups = dict.fromkeys(target.group for target in state.targets)
    if options.artifact is not None:
        (group,) = groups
        check_given_file(options.artifact, group.variant, group.size)
    data: dict[str, str] = {}
    pictures: dict[tuple[str, str], str] = {}
    for group in groups:
        for dataset in options.datasets_of(group.variant):
            read = task_of(group.variant).read(dataset, group, options.samples[group.variant.name], options.rate)
            data[f"{dataset_name(dataset)} for {group.variant.name} at {group.size}"] = fingerprint(read)
            pictures |= {(dataset_name(dataset), sample.id): sample.source for sample in read}
    store = ArtifactStore()
    files = [target for target in upstream_targets(state.targets) if not target.is_reference]
    first = options.variants[0]
    references = {REFERENCE_FILE: described(first)} if isinstance(first, FileCard) else {}
    backends = options.backends if references else (REFERENCE_BACKEND, *options.backends)
    environment = describe_environment(backends, references) | {
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
        check_baseline(options.against, environment, state.expectations)
    resumed = options.run_dir if state.resumed else None
    if resumed is not None:
        environment["git_commit"] = commits(resumed, environment["git_commit"])
        state.run = resume(resumed, state.planned, environment)
    else:
        state.run = RunDirectory.open(run_dir=options.run_dir, root=options.runs)
    if options.gates is not None:
        state.run.keep_gates(options.gates)
    state.run.write_plan(state.expectations)
    state.run.write_environment(environment)
    state.run.write_images((*image, picture) for image, picture in pictures.items())
    state.context = RunContext(
        targets=state.targets,
        shown=state.shown,
        samples=options.samples,
        run=state.run,
        store=store,
        artifact=options.artifact,
        resumed=resumed,
        rate=options.rate,
        gates=state.gates,
        attacks=options.attacks,
    )
