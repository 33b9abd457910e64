"""The options of the main job, declared for pytest's parser and for argparse alike: their help needs no pytest.

Imports neither NumPy, pytest nor torch. `sealbench.bench.options` reads what was given.
"""

from pathlib import Path

from sealbench.bench.backends.names import DEFAULT_BACKEND, file_backends
from sealbench.converters.export.precisions import PRECISIONS
from sealbench.converters.families.registry import card_names
from sealbench.converters.shared_options import (
    Add,
    add_no_simple,
    add_precisions,
    add_rewrites,
    add_variants,
    add_weights_of_several,
)
from sealbench.datasets.attacks import ATTACK_SETS, known_attacks
from sealbench.datasets.preprocess import PREPROCESSES, UPSTREAM
from sealbench.reports.gates.judge import DEFAULT_GATES
from sealbench.reports.run.directory import DEFAULT_ROOT

DEFAULT_VARIANTS = ("videoseal_nano", "videoseal")
# Those of at least 8 bits whose files need no calibration images.
DEFAULT_PRECISIONS = tuple(
    name for name, precision in PRECISIONS.items() if precision.weight_bits >= 8 and not precision.needs_calibration
)
DEFAULT_SAMPLES = 24
DEFAULT_THREADS = 2
DEFAULT_RATE = 1.0
TITLE = "sealbench: what to measure (repeat an option, or separate by commas)"


def add_options(add: Add) -> None:
    """Declare the options; one of which there may be several may also be given as a list with commas.

    Args:
        add: `addoption` of a group of pytest's parser, or `add_argument` of one of argparse.

    Raises:
        RegistryError: a family of models that is installed cannot be loaded.
    """
    add_variants(add, card_names(), DEFAULT_VARIANTS)
    add(
        "--model",
        action="append",
        metavar="FILE.py:FACTORY",
        help="measure a module of your own: a function without parameters that returns (module, example input), "
        "and optionally a dataset and a task; the file is run. The model is called as the function is",
    )
    add(
        "--card",
        action="append",
        metavar="FILE.toml",
        help="measure a variant of your own of a known family: a file with the keys of those in converters/cards; the "
        "variant is called as the file is",
    )
    add_precisions(add, DEFAULT_PRECISIONS)
    add(
        "--image-size",
        action="append",
        metavar="SIZE",
        help="side in pixels, or HEIGHTxWIDTH (default: what the variant was trained at)",
    )
    add_no_simple(add)
    add_rewrites(add, "with none,auto both are measured side by side")
    add(
        "--dataset",
        action="append",
        metavar="NAME|FOLDER|VIDEO",
        help="photographs (bundled), dead-leaves (generated), or a folder of PNG, JPEG or WebP images; with a "
        "manifest.csv of file,message its images are taken as watermarked already (default: photographs). For quality "
        "models distorted-photographs (default), a folder, or a video file, which needs the extra of that name. For a "
        "module of your own, or a file, factory (the inputs that it brings), random, a folder, or an .npz file "
        "(default: factory, else random)",
    )
    add(
        "--attacks",
        action="append",
        metavar="SET|NAME:STRENGTH",
        help="attacks on watermarked images, under which every precision is measured as well: a set "
        f"({', '.join(ATTACK_SETS)}), or single ones (default: none). Known: {', '.join(known_attacks())}; joined by + "
        "they follow each other: jpeg:60+resize:0.7",
    )
    add(
        "--preprocess",
        action="append",
        metavar="NAME",
        help="other ways to resize a picture to the model's input, measured beside upstream's: "
        f"{', '.join(PREPROCESSES)} (default: {UPSTREAM} alone; opencv and tensorflow need the extras of these names)",
    )
    add(
        "--rate",
        type=float,
        default=DEFAULT_RATE,
        metavar="N",
        help=f"frames that are taken of a second of a video (default: {DEFAULT_RATE:g})",
    )
    add_weights_of_several(add)
    add(
        "--artifact",
        type=Path,
        metavar="FILE",
        help="measure this .tflite file, as the one --variant and --precision, instead of converting; --weights says "
        "which weights it was made of, where none are bundled",
    )
    add(
        "--file",
        type=Path,
        metavar="FILE",
        help="measure this .tflite file against --reference, another file of the same inputs and outputs; PyTorch is "
        "not needed",
    )
    add("--reference", type=Path, metavar="FILE", help="what --file is compared with")
    add(
        "--reference-python",
        metavar="PYTHON",
        help="run --reference by this interpreter, of an environment with numpy and another ai-edge-litert",
    )
    add(
        "--backend",
        action="append",
        metavar="NAME",
        help=f"where the files run: {', '.join(file_backends())} (default: {DEFAULT_BACKEND}; tensorflow needs the "
        "extra of that name)",
    )
    add(
        "--threads",
        action="append",
        metavar="N",
        help="threads of every runner; of several the first is used, and latency is measured with each "
        f"(default: {DEFAULT_THREADS})",
    )
    add(
        "--samples",
        action="append",
        metavar="[VARIANT=]N",
        help=f"images of each dataset, of one variant or of all (default: {DEFAULT_SAMPLES})",
    )
    add(
        "--out",
        "--run-dir",
        dest="run_dir",
        type=Path,
        metavar="DIR",
        help="where the results go (default: a new folder in that of --runs)",
    )
    add(
        "--runs",
        type=Path,
        default=DEFAULT_ROOT,
        metavar="DIR",
        help=f"the folder of all runs, in which `latest` is the last one (default: ./{DEFAULT_ROOT})",
    )
    add(
        "--resume",
        action="store_true",
        help="resume the run in --run-dir if it was interrupted: what it has measured is not measured again",
    )
    add(
        "--gates",
        type=Path,
        default=DEFAULT_GATES,
        metavar="FILE",
        help="gates in TOML (default: reports/gates/gates.toml)",
    )
    add("--no-gate", action="store_true", help="measure and report, judge nothing")
    add(
        "--save-baseline",
        metavar="NAME",
        help="keep the finished run in ./sealbench-baselines/NAME, replacing one of that name",
    )
    add(
        "--against",
        metavar="NAME|RUN_DIR",
        help="say what changed against a baseline or another run; a value that a gate judges and that is worse than "
        "there fails the run",
    )
