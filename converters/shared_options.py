"""The options that commands share, each declared once, and how their values are read. Imports neither NumPy nor torch.

Every function that declares one takes the method that adds an option to a parser: `add_argument` of argparse or
`addoption` of pytest, which have one signature.
"""

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from sealbench.converters.cards.card import Card
from sealbench.converters.errors import WeightsError
from sealbench.converters.export.precisions import PRECISIONS, Precision, get_precision
from sealbench.converters.rewrites import REWRITES

Add = Callable[..., object]

ALL = "all"
_SOURCES = (
    "bundled, official (the publisher's checkpoint, downloaded once and kept), seeded (untrained, deterministic), "
    "or a .safetensors or .pth file (default: bundled where there are any, else seeded)"
)
_REWRITES = (
    "exact rewrites before the export: auto (what was measured to pay for the architecture), none, or one of: "
    + ", ".join(f"{rewrite.name} ({rewrite.description})" for rewrite in REWRITES.values())
)
_ANY_VARIANT = ("bundled", "official", "seeded")


def add_variant(add: Add, known: Sequence[str], default: str | None = None) -> None:
    """`--variant`, one of the known; required where there is no default."""
    _add_one(add, "--variant", f"one of: {', '.join(known)}", default)


def add_variants(add: Add, known: Sequence[str], default: Sequence[str] = ()) -> None:
    """`--variant`, of which there may be several; required where there is no default."""
    _add_several(add, "--variant", f"known: {', '.join(known)}; or {ALL}", default)


def add_precision(add: Add, default: str | None = None) -> None:
    """`--precision`, one of those that there are; required where there is no default."""
    _add_one(add, "--precision", f"one of: {', '.join(PRECISIONS)}", default)


def add_precisions(add: Add, default: Sequence[str] = (), known: Sequence[str] = tuple(PRECISIONS)) -> None:
    """`--precision`, of which there may be several; required where there is no default."""
    _add_several(add, "--precision", f"known: {', '.join(known)}; or {ALL}", default)


def add_weights(add: Add, of: str = "") -> None:
    """`--weights`, of one variant; `of` says whose, where that is not plain."""
    add("--weights", metavar="SOURCE", help=f"{of and f'of {of}: '}{_SOURCES}")


def add_weights_of_several(add: Add) -> None:
    """`--weights`, of one variant or of all; `sources_of` reads it."""
    add("--weights", action="append", metavar="[VARIANT=]SOURCE", help=_SOURCES)


def add_image_size(add: Add) -> None:
    """`--image-size`, one."""
    add("--image-size", metavar="SIZE", help="side in pixels, or HEIGHTxWIDTH (default: as the variant was trained)")


def add_rewrite(add: Add) -> None:
    """`--rewrite`, one choice."""
    add("--rewrite", default="auto", metavar="CHOICE", help=f"{_REWRITES} (default: auto)")


def add_rewrites(add: Add, several: str) -> None:
    """`--rewrite`, of which there may be several; `several` says what that means."""
    add("--rewrite", action="append", metavar="CHOICE", help=f"{_REWRITES}; {several} (default: auto)")


def add_no_simple(add: Add) -> None:
    """`--no-simple`: a file of the mode `resize`."""
    add(
        "--no-simple",
        action="store_true",
        help="files that take images of --image-size and resize them inside to the size the variant was trained at",
    )


def add_threads(add: Add, default: int, of: str = "of every runner") -> None:
    """`--threads`, one number."""
    add("--threads", type=int, default=default, metavar="N", help=f"threads {of} (default: {default})")


def add_samples(add: Add, default: int, what: str = "images") -> None:
    """`--samples`, one number of pictures."""
    add("--samples", type=int, default=default, metavar="N", help=f"number of {what} (default: {default})")


def add_out(add: Add, what: str, metavar: str = "DIR", default: Path | None = None, required: bool = False) -> None:
    """`--out`, a folder or a file that is written."""
    shown = "" if default is None else f" (default: ./{default})"
    add("--out", type=Path, default=default, required=required, metavar=metavar, help=f"{what}{shown}")


def add_message(add: Add, what: str) -> None:
    """`--message`, bits, or a file that holds them; `sealbench.datasets.messages.message_from_argument` reads it."""
    add(
        "--message",
        metavar="BITS_OR_FILE",
        help=f"0101..., 0x and hexadecimal digits, or a text file with either: {what}",
    )


def add_seed(add: Add, what: str) -> None:
    """`--seed`, one number."""
    add("--seed", type=int, default=0, metavar="N", help=f"{what}, 0 or more (default: 0)")


def add_json(add: Add) -> None:
    """`--json`."""
    add("--json", action="store_true", help="print JSON, for programs")


def listed(values: Iterable[str] | None) -> tuple[str, ...]:
    """Values of an option of which there may be several, split at commas, without repetitions."""
    parts = [part.strip() for value in values or () for part in value.split(",")]
    return tuple(dict.fromkeys(part for part in parts if part))


def names_of(values: Iterable[str] | None, known: Iterable[str]) -> tuple[str, ...]:
    """What `listed` gives, or every known name where the value is `all`; unknown ones are not refused here."""
    names = listed(values)
    return tuple(known) if names == (ALL,) else names


def precisions_of(values: Iterable[str] | None) -> tuple[Precision, ...]:
    """The precisions that an option names.

    Raises:
        UnknownNameError: one is unknown.
    """
    return tuple(get_precision(name) for name in names_of(values, PRECISIONS))


def sources_of(variants: Sequence[Card], values: Sequence[str], known: Sequence[str]) -> dict[str, str | None]:
    """Sources of weights by variant: of `VARIANT=SOURCE` for one, of `SOURCE` for all, a file only where there is one.

    Args:
        variants: that are asked for.
        values: of `--weights`.
        known: names of all variants: what begins with another name and `=` is a path.

    Raises:
        WeightsError: a source is of a variant that is not asked for, or could be of several.
    """
    sources: dict[str, str | None] = {variant.name: None for variant in variants}
    for value in values:
        name, equals, source = value.partition("=")
        if equals and name in known:
            if name not in sources:
                raise WeightsError(f"--weights {value}: {name} is none of those asked for: {', '.join(sources)}")
            sources[name] = source
        elif value in _ANY_VARIANT or len(variants) == 1:
            sources = dict.fromkeys(sources, value)
        else:
            raise WeightsError(
                f"--weights {value}: say whose they are, as VARIANT={value}; asked for: {', '.join(sources)}"
            )
    return sources


def _add_one(add: Add, option: str, known: str, default: str | None) -> None:
    shown = "" if default is None else f" (default: {default})"
    add(option, default=default, required=default is None, metavar="NAME", help=f"{known}{shown}")


def _add_several(add: Add, option: str, known: str, default: Sequence[str]) -> None:
    shown = f"; default: {', '.join(default)}" if default else ""
    help_text = f"{known} (repeat the option, or separate by commas{shown})"
    add(option, action="append", required=not default, metavar="NAME", help=help_text)
