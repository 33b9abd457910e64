"""Reading checkpoints: never by unpickling, and mapped from the disk, so that only what is used takes memory."""

import shutil
import zipfile
from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from sealbench.converters.errors import WeightsError

NETWORKS = ("embedder.", "detector.")
# Upstream's checkpoints hold these constants too; ours are computed, so what a file says of them is not needed.
CONSTANT_PREFIXES = ("attenuation.", "rgb2yuv.", "blender.")
_TWIN, _ORIGINAL = "embedder.msg_processor.", "embedder.unet.msg_processor."
_ZIP_MAGIC = b"PK\x03\x04"


def read_tensors(path: Path) -> dict[str, Tensor]:
    """Tensors of a checkpoint by name, whatever they are called, in the shapes of the file.

    A `.safetensors` file holds tensors only. Any other file is read by PyTorch with `weights_only`, which builds
    tensors and plain containers and refuses everything else; the tensors may stand under the key `model`, as in
    upstream's releases, beside an optimizer's state of any size. The tensors are mapped from the file and copied when
    written to; they need it unchanged, and take no memory before they are used. Only a `.pth` of PyTorch before 1.6,
    which is not a zip archive, is read as a whole.

    Raises:
        WeightsError: the file is truncated, no checkpoint, or a TorchScript archive.
    """
    return _read_safetensors(path) if path.suffix == ".safetensors" else _read_pth(path)


def read_state(path: Path) -> dict[str, Tensor]:
    """Tensors of a watermark model's checkpoint by name: the embedder's and the detector's, without constants.

    They are read as by `read_tensors`, in the shapes of the file.

    Raises:
        WeightsError: see `read_tensors`; also where there are other prefixes.
    """
    state = {key: value for key, value in read_tensors(path).items() if not key.startswith(CONSTANT_PREFIXES)}
    foreign = [key for key in state if not key.startswith(NETWORKS)]
    if foreign or not state:
        found = ", ".join(foreign[:3]) or "no tensors"
        raise WeightsError(f"{path}: expected tensors named embedder.* and detector.*; found {found}")
    # The message processor is registered twice, so upstream saves it twice; safetensors keeps either of the two.
    for here, there in ((_ORIGINAL, _TWIN), (_TWIN, _ORIGINAL)):
        for key in [key for key in state if key.startswith(here)]:
            state.setdefault(key.replace(here, there, 1), state[key])
    return state


def check_fit(
    path: Path, what: str, expected: Mapping[str, Tensor], found: Mapping[str, Tensor], prefix: str = ""
) -> None:
    """Refuse tensors that do not fit a network exactly.

    Args:
        path: the checkpoint, for the message.
        what: the network they are for, for the message.
        expected: the network's own tensors by name.
        found: the checkpoint's.
        prefix: before each name in the checkpoint.

    Raises:
        WeightsError: some are missing, unexpected or of another shape; names the first of each.
    """
    missing = [prefix + key for key in expected if key not in found]
    unexpected = [prefix + key for key in found if key not in expected]
    reshaped = [
        f"{prefix}{key} {tuple(found[key].shape)} instead of {tuple(value.shape)}"
        for key, value in expected.items()
        if key in found and found[key].shape != value.shape
    ]
    faults = (("missing", missing), ("unexpected", unexpected), ("of another shape", reshaped))
    if differences := [f"{len(keys)} {fault}: {', '.join(keys[:3])}" for fault, keys in faults if keys]:
        raise WeightsError(f"{path}: does not fit {what}; {'; '.join(differences)}")


def extract(checkpoint: Path, path: Path, metadata: Mapping[str, str]) -> None:
    """Write the networks' tensors of a checkpoint, and nothing else of it, as `.safetensors`, and read them back.

    The tensors go from one mapped file to the other; no copy of them is held in memory.

    Args:
        checkpoint: see `read_state`.
        path: appears when every value in it was found equal to the checkpoint's.
        metadata: for the file's header.

    Raises:
        WeightsError: the checkpoint cannot be read.
        OSError: the file cannot be written, or another was read back.
    """
    state = {key: value.contiguous() for key, value in read_state(checkpoint).items() if not key.startswith(_TWIN)}
    needed_bytes, free_bytes = sum(value.nbytes for value in state.values()), shutil.disk_usage(path.parent).free
    if needed_bytes > free_bytes:
        raise OSError(f"{needed_bytes} bytes are needed beside the checkpoint, {free_bytes} are free")
    partial = path.with_name(path.name + ".partial.safetensors")
    try:
        save_file(state, partial, metadata=dict(metadata))
        written = _read_safetensors(partial)
        if written.keys() != state.keys() or not all(_same(value, written[key]) for key, value in state.items()):
            raise OSError("it reads back otherwise than it was written")
        partial.replace(path)
    except SafetensorError as error:
        raise OSError(str(error)) from error
    finally:
        partial.unlink(missing_ok=True)


def _same(left: Tensor, right: Tensor) -> bool:
    """Whether two contiguous tensors are equal bit for bit: NaNs too, and zeros of either sign are two values."""
    return (left.dtype, left.shape) == (right.dtype, right.shape) and torch.equal(
        left.reshape(-1).view(torch.uint8), right.reshape(-1).view(torch.uint8)
    )


def _read_safetensors(path: Path) -> dict[str, Tensor]:
    try:
        with safe_open(path, framework="pt") as file:
            return {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118 (not a dictionary)
    except (SafetensorError, OSError) as error:
        raise WeightsError(
            f"{path}: not a complete .safetensors file ({error}); was the download interrupted?"
        ) from error


def _read_pth(path: Path) -> dict[str, Tensor]:
    if _is_torchscript(path):
        raise WeightsError(
            f"{path}: this is a TorchScript archive, and loading one runs the program in it. Where you trust it, "
            "take its tensors: torch.save(torch.jit.load(FILE).state_dict(), 'state.pth'), then pass state.pth"
        )
    try:
        state = torch.load(path, map_location="cpu", weights_only=True, mmap=_is_zip(path))
    except Exception as error:  # damaged bytes raise anything, from AssertionError to struct.error
        first_line = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise WeightsError(
            f"{path}: not a checkpoint of tensors only ({first_line}); expected what torch.save wrote of a "
            "state dict, whole, or a .safetensors file"
        ) from error
    if isinstance(state, dict) and isinstance(state.get("model"), dict):
        state = state["model"]
    if not isinstance(state, dict) or not all(isinstance(key, str) and _is_plain(state[key]) for key in state):
        raise WeightsError(f"{path}: expected a state dict, alone or under the key 'model'; found other objects")
    return {key: value.detach() for key, value in state.items()}


def _is_plain(value: object) -> bool:
    """Whether an object is a tensor that holds its values: not sparse, quantized or without storage (meta)."""
    return (
        isinstance(value, Tensor)
        and value.layout is torch.strided
        and value.device.type == "cpu"
        and not value.is_quantized
    )


def _is_zip(path: Path) -> bool:
    """Whether the file begins as PyTorch's archives since 1.6 do, which are the ones it can map."""
    with path.open("rb") as file:
        return file.read(len(_ZIP_MAGIC)) == _ZIP_MAGIC


def _is_torchscript(path: Path) -> bool:
    """Whether the file is a zip archive with code beside its tensors."""
    try:
        with zipfile.ZipFile(path) as archive:
            return any("/code/" in name or name.endswith("constants.pkl") for name in archive.namelist())
    except Exception:  # not a zip archive or a damaged one: PyTorch, which reads it next, says so
        return False
