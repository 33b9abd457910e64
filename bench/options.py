"""The options of `pytest bench`: their help texts, and reading them into one frozen value.

Everything here is checked before anything is measured; it imports no torch and no LiteRT.
"""

import math
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from importlib.util import find_spec
from pathlib import Path

import pytest

from sealbench.bench.backends.registry import DEFAULT_BACKEND, REFERENCE_BACKEND, backend_of, file_backends
from sealbench.bench.errors import OptionError
from sealbench.bench.targets import dataset_name
from sealbench.bench.tasks.given import add_given
from sealbench.bench.tasks.registry import task_of
from sealbench.converters.cards.card import Card
from sealbench.converters.cards.image_size import ImageSize
from sealbench.converters.checkpoints.weights import Weights
from sealbench.converters.export.precisions import PRECISIONS, Precision, get_precision
from sealbench.converters.families import family_of
from sealbench.converters.families.registry import card_names, get_card
from sealbench.converters.families.weight_sources import SOURCES_HELP, find_weights
from sealbench.converters.rewrites import REWRITES, choose_rewrites
from sealbench.datasets.attacks import ATTACK_SETS, attacks_named, known_attacks
from sealbench.datasets.errors import DatasetError
from sealbench.datasets.video import SUFFIXES
from sealbench.reports.gates.judge import DEFAULT_GATES
from sealbench.reports.run.baselines import check_name, find_run
from sealbench.reports.run.directory import DEFAULT_ROOT

DEFAULT_VARIANTS = ("videoseal_nano", "videoseal")
# Those of at least 8 bits whose files need no calibration images.
DEFAULT_PRECISIONS = tuple(
    name for name, precision in PRECISIONS.items() if precision.weight_bits >= 8 and not precision.needs_calibration
)
ALL = "all"
DEFAULT_SAMPLES = 24
DEFAULT_THREADS = 2
DEFAULT_RATE = 1.0


@dataclass(frozen=True)
class Options:
    """What to measure.

    Attributes:
        variants, precisions: the matrix, in the order given.
        image_sizes: sizes of the images; empty for the size each variant was trained at.
        mode: `simple`, or `resize` if the files resize images inside to the size their variant was trained at.
        rewrites: choices of exact rewrites before the export, as `sealbench.converters.rewrites.choose_rewrites` takes
            them.
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


def add_options(parser: pytest.Parser) -> None:
    """Declare the options; a repeatable one may also be given as a list with commas."""
    group = parser.getgroup("sealbench", "sealbench: what to measure (repeat an option, or separate by commas)")
    group.addoption(
        "--variant",
        action="append",
        metavar="NAME",
        help=f"known: {', '.join(card_names())}; or {ALL} (default: {', '.join(DEFAULT_VARIANTS)})",
    )
    group.addoption(
        "--model",
        action="append",
        metavar="FILE.py:FACTORY",
        help="measure a module of your own: a function without parameters that returns (module, example input), "
        "and optionally a dataset and a task; the file is run. The model is called as the function is",
    )
    group.addoption(
        "--card",
        action="append",
        metavar="FILE.toml",
        help="measure a variant of your own of a known family: a file with the keys of those in converters/cards; the "
        "variant is called as the file is",
    )
    group.addoption(
        "--precision",
        action="append",
        metavar="NAME",
        help=f"known: {', '.join(PRECISIONS)}; or {ALL} (default: {', '.join(DEFAULT_PRECISIONS)})",
    )
    group.addoption(
        "--image-size",
        action="append",
        metavar="SIZE",
        help="side in pixels, or HEIGHTxWIDTH (default: what the variant was trained at)",
    )
    group.addoption(
        "--no-simple",
        "--no_simple",
        action="store_true",
        help="files that take images of --image-size and resize them inside to the size the variant was trained at",
    )
    described = "; ".join(f"{rewrite.name}: {rewrite.description}" for rewrite in REWRITES.values())
    group.addoption(
        "--rewrite",
        action="append",
        metavar="CHOICE",
        help="exact rewrites before the export: auto (what was measured to pay for the architecture), "
        f"none, or one by name; with none,auto both are measured side by side (default: auto). {described}",
    )
    group.addoption(
        "--dataset",
        action="append",
        metavar="NAME|FOLDER|VIDEO",
        help="photographs (bundled), dead-leaves (generated), or a folder of PNG, JPEG or WebP images; with a "
        "manifest.csv of file,message its images are taken as watermarked already (default: photographs). For quality "
        "models distorted-photographs (default), a folder, or a video file, which needs the extra of that name. For a "
        "--model factory (its own), random, a folder, or an .npz file (default: its own, else random)",
    )
    group.addoption(
        "--attacks",
        action="append",
        metavar="SET|NAME:STRENGTH",
        help="attacks on watermarked images, under which every precision is measured as well: a set "
        f"({', '.join(ATTACK_SETS)}), or single ones (default: none). Known: {', '.join(known_attacks())}; joined by + "
        "they follow each other: jpeg:60+resize:0.7",
    )
    group.addoption(
        "--rate",
        type=float,
        default=DEFAULT_RATE,
        metavar="N",
        help=f"frames that are taken of a second of a video (default: {DEFAULT_RATE:g})",
    )
    group.addoption(
        "--weights",
        action="append",
        metavar="[VARIANT=]SOURCE",
        help=SOURCES_HELP,
    )
    group.addoption(
        "--artifact",
        type=Path,
        metavar="FILE",
        help="measure this .tflite file, as the one --variant and --precision, instead of converting; --weights says "
        "which weights it was made of, where none are bundled",
    )
    group.addoption(
        "--backend",
        action="append",
        metavar="NAME",
        help=f"where the files run: {', '.join(file_backends())} (default: {DEFAULT_BACKEND}; tensorflow needs the "
        "extra of that name)",
    )
    group.addoption(
        "--threads",
        action="append",
        metavar="N",
        help="threads of every runner; of several the first is used, and latency is measured with each "
        f"(default: {DEFAULT_THREADS})",
    )
    group.addoption(
        "--samples",
        action="append",
        metavar="[VARIANT=]N",
        help=f"images of each dataset, of one variant or of all (default: {DEFAULT_SAMPLES})",
    )
    group.addoption(
        "--run-dir", type=Path, metavar="DIR", help="where the results go (default: a new folder in that of --runs)"
    )
    group.addoption(
        "--runs",
        type=Path,
        default=DEFAULT_ROOT,
        metavar="DIR",
        help=f"the folder of all runs, in which `latest` is the last one (default: ./{DEFAULT_ROOT})",
    )
    group.addoption(
        "--resume",
        action="store_true",
        help="resume the run in --run-dir if it was interrupted: what it has measured is not measured again",
    )
    group.addoption(
        "--gates",
        type=Path,
        default=DEFAULT_GATES,
        metavar="FILE",
        help="gates in TOML (default: reports/gates/gates.toml)",
    )
    group.addoption("--no-gate", action="store_true", help="measure and report, judge nothing")
    group.addoption(
        "--save-baseline",
        metavar="NAME",
        help="keep the finished run in ./sealbench-baselines/NAME, replacing one of that name",
    )
    group.addoption(
        "--against",
        metavar="NAME|RUN_DIR",
        help="say what changed against a baseline or another run; a value that a gate judges and that is worse than "
        "there fails the run",
    )


def read_options(config: pytest.Config) -> Options:
    """Read and check the options.

    Raises:
        OptionError, ConverterError, ReportError: an option is wrong; the message says what is known or expected.
    """
    variants = _variants(config)
    names = _listed(config, "--precision") or DEFAULT_PRECISIONS
    precisions = tuple(get_precision(name) for name in (PRECISIONS if names == (ALL,) else names))
    sizes = tuple(ImageSize.asked(text) for text in _listed(config, "--image-size"))
    options = Options(
        variants=variants,
        precisions=precisions,
        image_sizes=sizes,
        mode="resize" if config.getoption("--no-simple") else "simple",
        rewrites=_listed(config, "--rewrite") or ("auto",),
        datasets=_datasets(variants, _listed(config, "--dataset")),
        attacks=_attacks(variants, _listed(config, "--attacks")),
        rate=_rate(config),
        backends=_backends(_listed(config, "--backend") or (DEFAULT_BACKEND,)),
        weights={},
        artifact=config.getoption("--artifact"),
        threads=_threads(_listed(config, "--threads")),
        samples=_samples(variants, _listed(config, "--samples")),
        run_dir=config.getoption("--run-dir"),
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
    sources = _sources(variants, config.getoption("--weights") or ())
    if options.artifact is not None:
        _check_artifact(config, options, sources)
    if config.option.help or config.option.collectonly:
        sources = {name: source for name, source in sources.items() if source != "official"}
    # Last, because it may download: every other mistake is reported before.
    with _uncaptured(config):
        weights = {variant.name: find_weights(variant, sources.get(variant.name)) for variant in variants}
    return replace(options, weights=weights)


def _variants(config: pytest.Config) -> tuple[Card, ...]:
    """Those that are named, and those that files are given of; the default ones where there is neither."""
    given = add_given(config.getoption("--model") or (), config.getoption("--card") or ())
    names = _listed(config, "--variant") or (() if given else DEFAULT_VARIANTS)
    named = (get_card(name) for name in (card_names() if names == (ALL,) else names))
    return tuple(dict.fromkeys((*named, *given)))


def _uncaptured(config: pytest.Config) -> AbstractContextManager[None]:
    """Lets the progress of a download through to the terminal."""
    manager = config.pluginmanager.getplugin("capturemanager")
    return nullcontext() if manager is None else manager.global_and_fixture_disabled()


def _listed(config: pytest.Config, option: str) -> tuple[str, ...]:
    """Values of a repeatable option, split at commas, without repetitions."""
    values = [part.strip() for value in config.getoption(option) or () for part in value.split(",")]
    return tuple(dict.fromkeys(value for value in values if value))


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


def _sources(variants: Sequence[Card], values: Sequence[str]) -> dict[str, str | None]:
    """Sources by variant: `VARIANT=SOURCE` for one, `SOURCE` for all (a file only where there is just one)."""
    sources: dict[str, str | None] = {variant.name: None for variant in variants}
    for value in values:
        name, equals, source = value.partition("=")
        if equals and name in card_names():
            if name not in sources:
                raise OptionError(f"--weights {value}: {name} is not measured; measured: {', '.join(sources)}")
            sources[name] = source
        elif value in ("bundled", "official", "seeded") or len(variants) == 1:
            sources = dict.fromkeys(sources, value)
        else:
            raise OptionError(
                f"--weights {value}: say whose they are, as VARIANT={value}; measured: {', '.join(sources)}"
            )
    return sources


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
    found, run_dir = find_run(text).resolve(), config.getoption("--run-dir")
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
