"""Where a variant's weights come from, and how they are loaded: strictly, and never by unpickling.

A source is named as on the command line: `bundled` (trained, shipped here), `seeded` (deterministic and untrained) or
the path of a checkpoint. Only `load_watermarker` and `read_state` import torch.
"""

import hashlib
import json
import zipfile
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from converters.errors import WeightsError
from converters.variants import Variant

if TYPE_CHECKING:
    from torch import Tensor

    from converters.models.watermarker import Watermarker

BUNDLED = Path(__file__).parent / "weights"
SEED = 0
# Raise this when `models/seeding.py` gives other values for the same seed: stored artifacts are then made anew.
SEEDING_VERSION = 1
# Upstream's checkpoints hold these constants too; ours are computed, so what a file says of them is not needed.
CONSTANT_PREFIXES = ("attenuation.", "rgb2yuv.", "blender.")
_TWIN, _ORIGINAL = "embedder.msg_processor.", "embedder.unet.msg_processor."


@dataclass(frozen=True)
class Weights:
    """A variant's weights by reference; nothing is read yet beyond the file's hash.

    Attributes:
        kind: `bundled`, `file` or `seeded`, as in the column `weights` of every table.
        path: the checkpoint, or None for `seeded`.
        fingerprint: sha256 that changes whenever the values may change.
    """

    kind: str
    path: Path | None
    fingerprint: str


def find_weights(variant: Variant, source: str | None = None) -> Weights:
    """Resolve a source of weights.

    Args:
        variant: whose weights.
        source: `bundled`, `seeded`, the path of a checkpoint, or None for the best there is without asking the user:
            bundled if the variant ships with weights, seeded otherwise.

    Raises:
        WeightsError: nothing is bundled for this variant, or there is no such file, or it cannot be read.
    """
    if source is None:
        source = "bundled" if variant.bundled_weights else "seeded"
    if source == "seeded":
        recipe = {"seed": SEED, "version": SEEDING_VERSION, "card": asdict(variant)}
        return Weights("seeded", None, hashlib.sha256(json.dumps(recipe, sort_keys=True).encode()).hexdigest())
    if source == "bundled":
        if variant.bundled_weights is None:
            raise WeightsError(f"{variant.name}: no weights are bundled; use seeded, or the path of a checkpoint")
        path = BUNDLED / variant.bundled_weights
    else:
        path = Path(source)
    try:
        if not path.is_file():
            raise WeightsError(f"{path}: no such file; expected a .safetensors or .pth checkpoint of {variant.name}")
        fingerprint = file_sha256(path)
    except OSError as error:
        raise WeightsError(f"{path}: cannot be read ({error.strerror})") from error
    return Weights("bundled" if source == "bundled" else "file", path, fingerprint)


def file_sha256(path: Path) -> str:
    """Hexadecimal sha256 of a file.

    Raises:
        OSError: it cannot be read.
    """
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def load_watermarker(variant: Variant, weights: Weights) -> "Watermarker":
    """Build embedder and detector of a variant and fill them, in evaluation mode.

    Raises:
        WeightsError: the checkpoint cannot be read, or does not fit the variant exactly.
    """
    from converters.models.build import build_watermarker
    from converters.models.seeding import initialize

    watermarker = build_watermarker(variant)
    if weights.path is None:
        initialize(watermarker.embedder, SEED)
        initialize(watermarker.detector, SEED + 1)
        return watermarker
    state = read_state(weights.path)
    for part in ("embedder", "detector"):
        module = watermarker.get_submodule(part)
        prefix = f"{part}."
        part_state = {key.removeprefix(prefix): value for key, value in state.items() if key.startswith(prefix)}
        _check_fit(weights.path, variant, prefix, module.state_dict(), part_state)
        module.load_state_dict(part_state, strict=True)
    return watermarker


def read_state(path: Path) -> "dict[str, Tensor]":
    """Tensors of a checkpoint by name: the embedder's and the detector's, without upstream's constants.

    A `.safetensors` file holds tensors only. Any other file is read by PyTorch with `weights_only`, which builds
    tensors and plain containers and refuses everything else; the tensors may stand under the key `model`, as in
    upstream's releases.

    Raises:
        WeightsError: the file is truncated, no checkpoint, a TorchScript archive, or holds other prefixes.
    """
    state = _read_safetensors(path) if path.suffix == ".safetensors" else _read_pth(path)
    state = {key: value for key, value in state.items() if not key.startswith(CONSTANT_PREFIXES)}
    foreign = [key for key in state if not key.startswith(("embedder.", "detector."))]
    if foreign or not state:
        found = ", ".join(foreign[:3]) or "no tensors"
        raise WeightsError(f"{path}: expected tensors named embedder.* and detector.*; found {found}")
    # The message processor is registered twice, so upstream saves it twice; safetensors keeps either of the two.
    for here, there in ((_ORIGINAL, _TWIN), (_TWIN, _ORIGINAL)):
        for key in [key for key in state if key.startswith(here)]:
            state.setdefault(key.replace(here, there, 1), state[key])
    return state


def _read_safetensors(path: Path) -> "dict[str, Tensor]":
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        return load_file(path)
    except (SafetensorError, OSError) as error:
        raise WeightsError(
            f"{path}: not a complete .safetensors file ({error}); was the download interrupted?"
        ) from error


def _read_pth(path: Path) -> "dict[str, Tensor]":
    import torch

    if _is_torchscript(path):
        raise WeightsError(
            f"{path}: this is a TorchScript archive, and loading one runs the program in it. Where you trust it, "
            "take its tensors: torch.save(torch.jit.load(FILE).state_dict(), 'state.pth'), then pass state.pth"
        )
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # damaged bytes raise anything, from AssertionError to struct.error
        first_line = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise WeightsError(
            f"{path}: not a checkpoint of tensors only ({first_line}); expected what torch.save wrote of a "
            "state dict, whole, or a .safetensors file"
        ) from error
    if isinstance(state, dict) and isinstance(state.get("model"), dict):
        state = state["model"]
    if not isinstance(state, dict) or not all(
        isinstance(key, str) and isinstance(value, torch.Tensor) for key, value in state.items()
    ):
        raise WeightsError(f"{path}: expected a state dict, alone or under the key 'model'; found other objects")
    return state


def _is_torchscript(path: Path) -> bool:
    """Whether the file is a zip archive with code beside its tensors."""
    try:
        with zipfile.ZipFile(path) as archive:
            return any("/code/" in name or name.endswith("constants.pkl") for name in archive.namelist())
    except Exception:  # not a zip archive or a damaged one: PyTorch, which reads it next, says so
        return False


def _check_fit(
    path: Path, variant: Variant, prefix: str, expected: "dict[str, Tensor]", found: "dict[str, Tensor]"
) -> None:
    """Raise WeightsError with the first keys that are missing, unexpected or of another shape."""
    missing = [prefix + key for key in expected if key not in found]
    unexpected = [prefix + key for key in found if key not in expected]
    reshaped = [
        f"{prefix}{key} {tuple(found[key].shape)} instead of {tuple(value.shape)}"
        for key, value in expected.items()
        if key in found and found[key].shape != value.shape
    ]
    faults = (("missing", missing), ("unexpected", unexpected), ("of another shape", reshaped))
    told = [f"{len(keys)} {what}: {', '.join(keys[:3])}" for what, keys in faults if keys]
    if told:
        raise WeightsError(f"{path}: does not fit the variant {variant.name}; {'; '.join(told)}")
