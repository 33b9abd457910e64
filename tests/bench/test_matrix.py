"""Targets on several picture paths: what they are called, which there are, and what each is measured on."""

from pathlib import Path

from sealbench.bench import matrix
from sealbench.bench.options import Options
from sealbench.bench.targets import Group, Target, short_name
from sealbench.converters.cards.image_size import ImageSize
from sealbench.converters.export.precisions import get_precision
from sealbench.converters.families.registry import get_card
from sealbench.converters.families.weight_sources import find_weights
from sealbench.datasets.preprocess import UPSTREAM as PICTURES_DEFAULT
from sealbench.reports.schema.records import UPSTREAM

NANO = get_card("videoseal_nano")
WEIGHTS = find_weights(NANO, None)
GROUP = Group(NANO, WEIGHTS, ImageSize(256, 256))


def options(preprocesses: tuple[str, ...], datasets: tuple[str, ...] = (), threads: tuple[int, ...] = (2,)) -> Options:
    return Options(
        variants=(NANO,),
        precisions=(get_precision("float32"), get_precision("int8")),
        image_sizes=(),
        mode="simple",
        rewrites=("auto",),
        preprocesses=preprocesses,
        datasets=datasets,
        attacks=(),
        rate=1.0,
        backends=("litert", "tensorflow"),
        weights={NANO.name: WEIGHTS},
        artifact=None,
        threads=threads,
        samples={NANO.name: 2},
        run_dir=None,
        runs=Path("runs"),
        resume=False,
        gates=None,
        save_baseline=None,
        against=None,
    )


def test_both_folders_call_the_default_alike() -> None:
    """Neither may import the other."""
    assert PICTURES_DEFAULT == UPSTREAM


def test_a_path_is_in_the_name_only_where_it_is_not_upstreams() -> None:
    int8 = Target(GROUP, get_precision("int8"), "litert", 2)
    other = Target(GROUP, get_precision("int8"), "litert", 2, preprocess="opencv")
    assert str(int8) == "videoseal_nano-256-int8-litert-t2"
    assert str(other) == "videoseal_nano-256-int8-litert-t2-opencv"
    assert short_name(other) == "videoseal_nano 256 int8, opencv"
    assert (int8.case.preprocess, other.case.preprocess) == (UPSTREAM, "opencv")
    assert other.spec == int8.spec


def test_pytorch_after_another_resize_is_measured_against_the_reference() -> None:
    targets = matrix.expand(options((UPSTREAM, "app", "pillow")))
    torch = [target for target in targets if target.backend == "torch"]
    assert [target.preprocess for target in torch] == [UPSTREAM, "app", "pillow"]
    assert [target.is_reference for target in torch] == [True, False, False]
    assert targets[0].is_reference
    assert len(targets) == len(set(map(str, targets))) == 3 * (1 + 2 * 2)


def test_without_the_option_nothing_changes() -> None:
    targets = matrix.expand(options((UPSTREAM,)))
    assert len(targets) == 1 + 2 * 2
    assert matrix.upstream_targets(targets) == list(targets)


def test_another_resize_is_measured_with_the_first_number_of_threads() -> None:
    targets = matrix.expand(options((UPSTREAM, "app"), threads=(1, 2)))
    assert {(target.threads, target.preprocess) for target in targets} == {(1, UPSTREAM), (1, "app"), (2, UPSTREAM)}


def test_what_depends_on_no_picture_is_measured_once() -> None:
    asked = options((UPSTREAM, "app"))
    targets = matrix.expand(asked)
    for chosen in (matrix.conversion_targets(asked, targets), matrix.second_targets(targets)):
        assert len(chosen) == 2
        assert {target.preprocess for target in chosen} == {UPSTREAM}
    assert not matrix.rewritten_targets(targets)


def test_a_named_dataset_is_measured_with_upstreams_resize_alone(tmp_path: Path) -> None:
    """Its pictures are made at the model's size: no resize changes them."""
    asked = options((UPSTREAM, "app"), datasets=("photographs", str(tmp_path)))
    upstream, other, *_ = matrix.expand(asked)
    assert matrix.datasets_of(asked, upstream, "dataset") == ["photographs", str(tmp_path)]
    assert matrix.datasets_of(asked, other, "dataset") == [str(tmp_path)]
