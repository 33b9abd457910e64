"""Which targets a run has, which of them a test of the bench is repeated for, and on which images."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from sealbench.bench.backends.registry import DEFAULT_BACKEND
from sealbench.bench.options import Options
from sealbench.bench.targets import Group, Target, reference_of
from sealbench.bench.tasks.registry import task_of
from sealbench.converters.store import ArtifactSpec
from sealbench.datasets.attacks import CURVE_POINTS, jpeg_qualities
from sealbench.reports.schema.records import UPSTREAM


def expand(options: Options) -> tuple[Target, ...]:
    """All targets of a run, group by group and threads by threads, the reference first.

    Where two choices of rewrites come to the same file it is measured once. What another resize changes does not depend
    on the threads: it is measured with the first number of them.
    """
    targets: dict[str, Target] = {}
    for variant in options.variants:
        for size in options.sizes_of(variant):
            group = Group(variant, options.weights[variant.name], size, options.mode)
            for threads in options.threads:
                reference = reference_of(group, threads)
                files = (
                    Target(group, precision, backend, threads, rewrite)
                    for precision in options.precisions
                    for rewrite in options.rewrites
                    for backend in options.backends
                )
                paths = options.preprocesses if threads == options.threads[0] else (UPSTREAM,)
                for target in (reference, *files):
                    for path in paths:
                        found = replace(target, preprocess=path)
                        targets.setdefault(str(found), found)
    return tuple(targets.values())


def upstream_targets(targets: Sequence[Target]) -> list[Target]:
    """Those that are measured where no picture is resized: size, file contents, conversion, latency."""
    return [target for target in targets if target.preprocess == UPSTREAM]


def rewritten_targets(targets: Sequence[Target]) -> list[Target]:
    """Files that are measured without their rewrites as well."""
    names = {str(target) for target in targets}
    return [target for target in upstream_targets(targets) if target.rewrites and str(target.plain) in names]


def second_targets(targets: Sequence[Target]) -> list[Target]:
    """Files on another backend than the default one, where the default one runs them as well."""
    files = [t for t in upstream_targets(targets) if not t.is_reference and t.backend != DEFAULT_BACKEND]
    return [target for target in files if replace(target, backend=DEFAULT_BACKEND) in targets]


def conversion_targets(options: Options, targets: Sequence[Target]) -> list[Target]:
    """Files that are converted here: none if one was given."""
    if options.artifact is not None:
        return []
    conversions: dict[ArtifactSpec, Target] = {}
    for target in upstream_targets(targets):
        if not target.is_reference:
            conversions.setdefault(target.spec, target)
    return list(conversions.values())


def datasets_of(options: Options, target: Target, images: str) -> list[str]:
    """Datasets that a target is measured on.

    Those of which there are images without a watermark for `plain_dataset`; for `jpeg_dataset` only where a curve over
    JPEG's quality is measured. With another resize than upstream's folders alone: the pictures of a named dataset are
    made at the model's size.
    """
    if images == "jpeg_dataset" and len(jpeg_qualities(options.attacks)) < CURVE_POINTS:
        return []
    task = task_of(target.variant)
    datasets = options.datasets_of(target.variant)
    if target.preprocess != UPSTREAM:
        datasets = tuple(dataset for dataset in datasets if Path(dataset).is_dir())
    return [dataset for dataset in datasets if task.has_plain(dataset) or images != "plain_dataset"]


def attacked_targets(options: Options, targets: Sequence[Target]) -> list[tuple[Target, str, str]]:
    """Targets with each of their datasets under each attack, dataset by dataset."""
    found = [
        (t, dataset, attack)
        for t in targets
        for dataset in datasets_of(options, t, "dataset")
        for attack in options.attacks
    ]
    return sorted(found, key=lambda item: item[1])
