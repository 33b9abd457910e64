"""The options of `pytest bench`, read into one frozen value; `sealbench.bench.arguments` declares them.

Everything here is checked before anything is measured; it imports no torch and no LiteRT.
"""

import math
import sys
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from importlib.util import find_spec
from pathlib import Path

import pytest

from sealbench.bench.arguments import DEFAULT_PRECISIONS, DEFAULT_SAMPLES, DEFAULT_THREADS, DEFAULT_VARIANTS
from sealbench.bench.backends.names import DEFAULT_BACKEND, REFERENCE_BACKEND, file_backends
from sealbench.bench.backends.registry import backend_of
from sealbench.bench.errors import OptionError
from sealbench.bench.targets import dataset_name
from sealbench.bench.tasks.given import add_given, file_pair
from sealbench.bench.tasks.reference_file import engine_of
from sealbench.bench.tasks.registry import task_of
from sealbench.converters.cards.card import Card
from sealbench.converters.cards.image_size import ImageSize
from sealbench.converters.checkpoints.weights import Weights
from sealbench.converters.export.precisions import Precision
from sealbench.converters.families import family_of
from sealbench.converters.families.registry import card_names, get_card
from sealbench.converters.families.weight_sources import find_weights
from sealbench.converters.rewrites import choose_rewrites
from sealbench.converters.shared_options import listed, names_of, precisions_of, sources_of
from sealbench.datasets.attacks import attacks_named
from sealbench.datasets.errors import DatasetError
from sealbench.datasets.preprocess import PREPROCESSES, UPSTREAM
from sealbench.datasets.video import SUFFIXES
from sealbench.reports.run.baselines import check_name, find_run


@dataclass(frozen=True)
class Options:
    """What to measure.

    Attributes:
        variants, precisions: the matrix, in the order given.
        image_sizes: sizes of the images; empty for the size each variant was trained at.
        mode: `simple`, or `resize` if the files resize images inside to the size their variant was trained at.
        rewrites: choices of exact rewrites before the export, as `sealbench.converters.rewrites.choose_rewrites` takes
            them.
        preprocesses: how pictures are brought to the model's input, upstream's resize first, as
            `sealbench.datasets.preprocess` names them.
        datasets: names that the tasks know, or paths of folders and videos; empty for what each task has by default.
        attacks: what is done to watermarked images, as `sealbench.datasets.attacks` spells it; they are measured
            without as well.
        rate: frames that are taken of a second of a video.
        backends: names of those that run the files.
        weights: for each variant's name where its weights come from.
        artifact: a file made elsewhere that is measured as the one variant and precision, or None.
        threads: for every runner; of several numbers all but latency is measured with the first alone.
        samples: for each variant's name how many images of each dataset.
        run_dir: where the results go, or None for a new folder of their own.
        runs: where that new folder is made.
        resume: whether an interrupted run in `run_dir` is resumed.
        gates: the file of gates, or None to judge nothing.
        save_baseline: the name under which the run is kept as a baseline, or None.
        against: folder of the run that this one is compared with, or None.
    """

    variants: tuple[Card, ...]
    precisions: tuple[Precision, ...]
    image_sizes: tuple[ImageSize, ...]
    mode: str
    rewrites: tuple[str, ...]
    preprocesses: tuple[str, ...]
    datasets: tuple[str, ...]
    attacks: tuple[str, ...]
    rate: float
    backends: tuple[str, ...]
    weights: Mapping[str, Weights]
    artifact: Path | None
    threads: tuple[int, ...]
    samples: Mapping[str, int]
    run_dir: Path | None
    runs: Path
    resume: bool
    gates: Path | None
    save_baseline: str | None
    against: Path | None

    def sizes_of(self, variant: Card) -> tuple[ImageSize, ...]:
        """The image sizes at which a variant is measured."""
        return self.image_sizes or (family_of(variant).default_size(variant),)

    def datasets_of(self, variant: Card) -> tuple[str, ...]:
        """The datasets on which a variant is measured."""
        return self.datasets or task_of(variant).default_datasets(variant)


def read_options(config: pytest.Config) -> Options:
    """Read and check the options.

    Raises:
        OptionError, ConverterError, ReportError: an option is wrong; the message says what is known or expected.
    """
    variants, precisions = _file_pair(config) or _matrix(config)
    sizes = tuple(ImageSize.parse(text) for text in _listed(config, "--image-size"))
    datasets = _datasets(variants, _listed(config, "--dataset"))
    options = Options(
        variants=variants,
        precisions=precisions,
        image_sizes=sizes,
        mode="resize" if config.getoption("--no-simple") else "simple",
        rewrites=_listed(config, "--rewrite") or ("auto",),
        preprocesses=_preprocesses(variants, _listed(config, "--preprocess"), datasets),
        datasets=datasets,
        attacks=_attacks(variants, _listed(config, "--attacks")),
        rate=_rate(config),
        backends=_backends(_listed(config, "--backend") or (DEFAULT_BACKEND,)),
        weights={},
        artifact=config.getoption("--file") or config.getoption("--artifact"),
        threads=_threads(_listed(config, "--threads")),
        samples=_samples(variants, _listed(config, "--samples")),
        run_dir=config.getoption("run_dir"),
        runs=config.getoption("--runs"),
        resume=config.getoption("--resume"),
        gates=None if config.getoption("--no-gate") else config.getoption("--gates"),
        save_baseline=_baseline_name(config),
        against=_against(config),
    )
    for variant in variants:
        for size in options.sizes_of(variant):
            family_of(variant).check_size(variant, size, options.mode)
        for choice in options.rewrites:
            choose_rewrites(choice, variant)  # refuses a choice that there is not
    if options.resume and options.run_dir is None:
        raise OptionError("--resume: say which run, with --run-dir DIR")
    sources = sources_of(variants, config.getoption("--weights") or (), card_names())
    if config.getoption("--artifact") is not None:
        _check_artifact(config, options, sources)
    if config.option.help or config.option.collectonly:
        sources = {name: source for name, source in sources.items() if source != "official"}
    # Last, because it may download: every other mistake is reported before.
    with _uncaptured(config):
        weights = {variant.name: find_weights(variant, sources.get(variant.name)) for variant in variants}
    return replace(options, weights=weights)


def _file_pair(config: pytest.Config) -> tuple[tuple[Card, ...], tuple[Precision, ...]] | None:
    """The one card of a file and its reference, and the file's precision; None where no such pair is named."""
    file, reference, python = (config.getoption(name) for name in ("--file", "--reference", "--reference-python"))
    if file is None and reference is None and python is None:
        return None
    if file is None or reference is None:
        raise OptionError("--file FILE --reference FILE: give both; --reference-python is where the second runs")
    for option in ("--variant", "--precision", "--model", "--card", "--artifact", "--weights"):
        if config.getoption(option):
            raise OptionError(f"--file {file}: is measured against --reference {reference} alone; leave {option} out")
    card, precision = file_pair(file, reference, python or "", engine_of(python or sys.executable))
    return (card,), (precision,)


def _matrix(config: pytest.Config) -> tuple[tuple[Card, ...], tuple[Precision, ...]]:
    """Variants that are named, and those that files are given of (the default ones for neither), and precisions."""
    given = add_given(config.getoption("--model") or (), config.getoption("--card") or ())
    names = names_of(config.getoption("--variant"), card_names()) or (() if given else DEFAULT_VARIANTS)
    variants = tuple(dict.fromkeys((*map(get_card, names), *given)))
    return variants, precisions_of(config.getoption("--precision") or DEFAULT_PRECISIONS)


def _uncaptured(config: pytest.Config) -> AbstractContextManager[None]:
    """Lets the progress of a download through to the terminal."""
    manager = config.pluginmanager.getplugin("capturemanager")
    return nullcontext() if manager is None else manager.global_and_fixture_disabled()


def _listed(config: pytest.Config, option: str) -> tuple[str, ...]:
    """Values of an option of which there may be several."""
    return listed(config.getoption(option))


def _datasets(variants: Sequence[Card], names: Sequence[str]) -> tuple[str, ...]:
    for name in names:
        for variant in variants:
            if expected := task_of(variant).check_dataset(name):
                raise OptionError(f"--dataset {name}: cannot be used for {variant.name}: {expected}")
        if Path(name).suffix.lower() in SUFFIXES and Path(name).is_file() and find_spec("av") is None:
            raise OptionError(
                f"--dataset {name}: a video needs PyAV, which is not installed; pip install 'sealbench[video]'"
            )
    places: dict[str, str] = {}
    for name in names:
        if (other := places.setdefault(dataset_name(name), name)) != name:
            raise OptionError(
                f"--dataset {other},{name}: both are called {dataset_name(name)} in the tables; rename one of the two"
            )
    return tuple(names)


def _preprocesses(variants: Sequence[Card], names: Sequence[str], datasets: Sequence[str]) -> tuple[str, ...]:
    """Upstream's resize, and what is measured beside it."""
    others = [name for name in names if name != UPSTREAM]
    for name in others:
        if name not in PREPROCESSES:
            raise OptionError(f"--preprocess {name}: unknown; known: {', '.join(PREPROCESSES)}")
        if install := PREPROCESSES[name].missing():
            raise OptionError(f"--preprocess {name}: its library is not installed; {install}")
        for variant in variants:
            if not task_of(variant).takes_preprocess:
                raise OptionError(
                    f"--preprocess {name}: cannot be used for {variant.name}, which takes {UPSTREAM} alone: its inputs "
                    "have one size before anything is measured; measure it without --preprocess"
                )
    if others and not any(Path(dataset).is_dir() for dataset in datasets):
        raise OptionError(
            f"--preprocess {','.join(others)}: would change nothing, as the pictures of "
            f"{', '.join(datasets) or 'the default dataset'} have the model's size already; give --dataset FOLDER of "
            "larger ones"
        )
    return (UPSTREAM, *others)


def _attacks(variants: Sequence[Card], names: Sequence[str]) -> tuple[str, ...]:
    """The attacks that the names stand for, each once."""
    attacks: dict[str, None] = {}
    for name in names:
        try:
            attacks |= dict.fromkeys(attacks_named(name))
        except DatasetError as error:
            raise OptionError(f"--attacks {name}: {error}") from error
    for variant in variants:
        if attacks and not task_of(variant).takes_attacks:
            raise OptionError(
                f"--attacks {','.join(names)}: cannot be used for {variant.name}: only watermarks are attacked; "
                "measure it without --attacks"
            )
    return tuple(attacks)


def _rate(config: pytest.Config) -> float:
    rate: float = config.getoption("--rate")
    if not 0 < rate < math.inf:  # so written that NaN is refused
        raise OptionError(f"--rate {rate}: expected a number of frames a second above 0")
    return rate


def _backends(names: Sequence[str]) -> tuple[str, ...]:
    known = file_backends()
    for name in names:
        if name == REFERENCE_BACKEND:
            raise OptionError(
                f"--backend {name}: is the reference, which every run measures; known for files: {', '.join(known)}"
            )
        if name not in known:
            raise OptionError(f"--backend {name}: unknown; known: {', '.join(known)}")
        if remedy := backend_of(name).missing():
            raise OptionError(f"--backend {name}: not installed; {remedy}")
    return tuple(names)


def _samples(variants: Sequence[Card], values: Sequence[str]) -> dict[str, int]:
    """Numbers of images by variant: `VARIANT=N` for one, `N` for all."""
    counts = {variant.name: DEFAULT_SAMPLES for variant in variants}
    # Those of one variant last: `chunkyseal=3,24` means the same as `24,chunkyseal=3`.
    for value in sorted(values, key=lambda value: "=" in value):
        name, _, number = value.rpartition("=")
        if name and name not in counts:
            raise OptionError(f"--samples {value}: {name} is not measured; measured: {', '.join(counts)}")
        if not number.isdecimal() or int(number) < 1:
            raise OptionError(f"--samples {value}: expected a number of at least 1, or VARIANT=NUMBER")
        counts |= dict.fromkeys([name] if name else counts, int(number))
    return counts


def _threads(values: Sequence[str]) -> tuple[int, ...]:
    for value in values:
        if not value.isdecimal() or int(value) < 1:
            raise OptionError(f"--threads {value}: expected at least 1")
    return tuple(int(value) for value in values) or (DEFAULT_THREADS,)


def _baseline_name(config: pytest.Config) -> str | None:
    name: str | None = config.getoption("--save-baseline")
    return None if name is None else check_name(name)


def _against(config: pytest.Config) -> Path | None:
    """The run that is meant; one that this run would write over is refused."""
    text: str | None = config.getoption("--against")
    if text is None:
        return None
    # Resolved now: sealbench-runs/latest will point at this run once it has begun.
    found, run_dir = find_run(text).resolve(), config.getoption("run_dir")
    if run_dir is not None and found == run_dir.resolve():
        raise OptionError(
            f"--against {text}: is the --run-dir of this run, which writes over it; give another --run-dir"
        )
    return found


def _check_artifact(config: pytest.Config, options: Options, sources: Mapping[str, str | None]) -> None:
    """An artifact is one file, so it needs exactly one variant, precision and size to stand for, and its weights."""
    for option, values in (("--variant", options.variants), ("--precision", options.precisions)):
        if len(values) != 1 or not config.getoption(option):
            raise OptionError(f"--artifact {options.artifact}: say as what it is measured, with exactly one {option}")
    if len(options.image_sizes) > 1:
        raise OptionError(f"--artifact {options.artifact}: it takes images of one size; give one --image-size")
    if len(options.rewrites) > 1:
        raise OptionError(f"--artifact {options.artifact}: it was made with one set of rewrites; give one --rewrite")
    (variant,) = options.variants
    if sources[variant.name] is None and variant.bundled_weights is None:
        raise OptionError(
            f"--artifact {options.artifact}: say with --weights which weights it was made of, as none are bundled for "
            f"{variant.name}: the path of the checkpoint, official or seeded; it is compared with PyTorch of the same"
        )
