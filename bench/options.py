"""The options of `pytest bench`: their help texts, and reading them into one frozen value.

Everything here is checked before anything is measured; it imports no torch and no LiteRT.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import pytest

from converters.image_size import ImageSize, check_image_size
from converters.precisions import PRECISIONS, Precision, get_precision
from converters.variants import Variant, get_variant, variant_names
from converters.weights import Weights, find_weights
from reports.gates import DEFAULT_GATES

DEFAULT_VARIANTS = ("videoseal_nano", "videoseal")
GENERATED_DATASETS = ("photographs", "dead-leaves")
BACKENDS = ("litert", "tensorflow")
DEFAULT_SAMPLES = 24
DEFAULT_THREADS = 2


class OptionError(ValueError):
    """An option of the command line that cannot be meant; the message lists what can."""


@dataclass(frozen=True)
class Options:
    """What to measure.

    Attributes:
        variants, precisions: the matrix, in the order given.
        image_sizes: sizes of the images; empty for the size each variant was trained at.
        datasets: `photographs`, `dead-leaves` or paths of folders.
        backends: interpreters that run the files.
        weights: for each variant's name where its weights come from.
        artifact: a file made elsewhere that is measured as the one variant and precision, or None.
        threads: for every runner.
        samples: images of each dataset.
        run_dir: where the results go, or None for a new folder of their own.
        gates: the file of gates, or None to judge nothing.
    """

    variants: tuple[Variant, ...]
    precisions: tuple[Precision, ...]
    image_sizes: tuple[ImageSize, ...]
    datasets: tuple[str, ...]
    backends: tuple[str, ...]
    weights: Mapping[str, Weights]
    artifact: Path | None
    threads: int
    samples: int
    run_dir: Path | None
    gates: Path | None

    def sizes_of(self, variant: Variant) -> tuple[ImageSize, ...]:
        """The image sizes at which a variant is measured."""
        return self.image_sizes or (ImageSize(variant.image_size, variant.image_size),)


def dataset_name(dataset: str) -> str:
    """The name of a dataset in tables: a folder goes by its own name, not by its place on this machine."""
    return Path(dataset).resolve().name if Path(dataset).is_dir() else dataset


def add_options(parser: pytest.Parser) -> None:
    """Declare the options; a repeatable one may also be given as a list with commas."""
    group = parser.getgroup("sealbench", "sealbench: what to measure (repeat an option, or separate by commas)")
    group.addoption(
        "--variant",
        action="append",
        metavar="NAME",
        help=f"known: {', '.join(variant_names())} (default: {', '.join(DEFAULT_VARIANTS)})",
    )
    group.addoption(
        "--precision", action="append", metavar="NAME", help=f"known: {', '.join(PRECISIONS)} (default: all)"
    )
    group.addoption(
        "--image-size",
        action="append",
        metavar="SIZE",
        help="side in pixels, or HEIGHTxWIDTH (default: what the variant was trained at)",
    )
    group.addoption(
        "--dataset",
        action="append",
        metavar="NAME|FOLDER",
        help="photographs (bundled), dead-leaves (generated), or a folder of PNG, JPEG or WebP images; with a "
        "manifest.csv of file,message its images are taken as watermarked already (default: photographs)",
    )
    group.addoption(
        "--weights",
        action="append",
        metavar="[VARIANT=]SOURCE",
        help="bundled, seeded (untrained), or a .safetensors or .pth file (default: bundled where there are any)",
    )
    group.addoption(
        "--artifact",
        type=Path,
        metavar="FILE",
        help="measure this .tflite file, as the one --variant and --precision, instead of converting",
    )
    group.addoption(
        "--backend",
        action="append",
        metavar="NAME",
        help=f"interpreters: {', '.join(BACKENDS)} (default: litert; tensorflow needs the extra of that name)",
    )
    group.addoption("--threads", type=int, default=DEFAULT_THREADS, metavar="N", help=f"default: {DEFAULT_THREADS}")
    group.addoption(
        "--samples", type=int, default=DEFAULT_SAMPLES, metavar="N", help=f"images, default: {DEFAULT_SAMPLES}"
    )
    group.addoption(
        "--run-dir", type=Path, metavar="DIR", help="where the results go (default: a new folder in reports/out)"
    )
    group.addoption(
        "--gates", type=Path, default=DEFAULT_GATES, metavar="FILE", help="gates in TOML (default: reports/gates.toml)"
    )
    group.addoption("--no-gate", action="store_true", help="measure and report, judge nothing")


def read_options(config: pytest.Config) -> Options:
    """Read and check the options.

    Raises:
        OptionError, ConverterError: an option is wrong; the message says what is known or expected.
    """
    variants = tuple(get_variant(name) for name in _listed(config, "--variant") or DEFAULT_VARIANTS)
    precisions = tuple(get_precision(name) for name in _listed(config, "--precision") or PRECISIONS)
    sizes = tuple(ImageSize.parse(text) for text in _listed(config, "--image-size"))
    options = Options(
        variants=variants,
        precisions=precisions,
        image_sizes=sizes,
        datasets=_datasets(_listed(config, "--dataset") or ("photographs",)),
        backends=_backends(_listed(config, "--backend") or ("litert",)),
        weights=_weights(variants, config.getoption("--weights") or ()),
        artifact=config.getoption("--artifact"),
        threads=_at_least_one(config, "--threads"),
        samples=_at_least_one(config, "--samples"),
        run_dir=config.getoption("--run-dir"),
        gates=None if config.getoption("--no-gate") else config.getoption("--gates"),
    )
    for variant in variants:
        for size in options.sizes_of(variant):
            check_image_size(variant, size, "simple")
    if options.artifact is not None:
        _check_artifact(config, options)
    return options


def _listed(config: pytest.Config, option: str) -> tuple[str, ...]:
    """Values of a repeatable option, split at commas, without repetitions."""
    values = [part.strip() for value in config.getoption(option) or () for part in value.split(",")]
    return tuple(dict.fromkeys(value for value in values if value))


def _datasets(names: Sequence[str]) -> tuple[str, ...]:
    for name in names:
        if name not in GENERATED_DATASETS and not Path(name).is_dir():
            raise OptionError(
                f"--dataset {name}: neither a folder nor a known dataset; known: {', '.join(GENERATED_DATASETS)}"
            )
    return tuple(names)


def _backends(names: Sequence[str]) -> tuple[str, ...]:
    for name in names:
        if name not in BACKENDS:
            raise OptionError(f"--backend {name}: unknown; known: {', '.join(BACKENDS)}")
    if "tensorflow" in names and find_spec("tensorflow") is None:
        raise OptionError("--backend tensorflow: not installed; pip install 'sealbench[tensorflow]'")
    return tuple(names)


def _weights(variants: Sequence[Variant], values: Sequence[str]) -> dict[str, Weights]:
    """Sources by variant: `VARIANT=SOURCE` for one, `SOURCE` for all (a file only where there is just one)."""
    sources: dict[str, str | None] = {variant.name: None for variant in variants}
    for value in values:
        name, equals, source = value.partition("=")
        if equals and name in variant_names():
            if name not in sources:
                raise OptionError(f"--weights {value}: {name} is not measured; measured: {', '.join(sources)}")
            sources[name] = source
        elif value in ("bundled", "seeded") or len(variants) == 1:
            sources = dict.fromkeys(sources, value)
        else:
            raise OptionError(
                f"--weights {value}: say whose they are, as VARIANT={value}; measured: {', '.join(sources)}"
            )
    return {variant.name: find_weights(variant, sources[variant.name]) for variant in variants}


def _at_least_one(config: pytest.Config, option: str) -> int:
    value: int = config.getoption(option)
    if value < 1:
        raise OptionError(f"{option} {value}: expected at least 1")
    return value


def _check_artifact(config: pytest.Config, options: Options) -> None:
    """An artifact is one file, so it needs exactly one variant, precision and size to stand for."""
    for option, values in (("--variant", options.variants), ("--precision", options.precisions)):
        if len(values) != 1 or not config.getoption(option):
            raise OptionError(f"--artifact {options.artifact}: say as what it is measured, with exactly one {option}")
    if len(options.image_sizes) > 1:
        raise OptionError(f"--artifact {options.artifact}: it takes images of one size; give one --image-size")
