"""The artifact store: every conversion is made once, by one process, and appears whole or not at all."""

import functools
import hashlib
import importlib.metadata
import json
import multiprocessing
import shutil
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from filelock import FileLock

from sealbench.converters.cache_folder import cache_folder
from sealbench.converters.cards.card import Card, card_facts
from sealbench.converters.cards.image_size import ImageSize
from sealbench.converters.checkpoints.file_hashes import remembered_sha256
from sealbench.converters.checkpoints.weights import Weights
from sealbench.converters.errors import StoreError
from sealbench.converters.export.precisions import Precision, Rule, get_precision
from sealbench.converters.export.quantize import quantize
from sealbench.converters.families import Family, Model, family_of

TOOLS = ("ai-edge-litert", "litert-converter", "litert-quantizer", "litert-torch", "torch")
PROVENANCE = "provenance.json"
# Raise this when the code gives another file for the same weights and recipe: stored artifacts are then made anew.
EXPORT_VERSION = 3


@dataclass(frozen=True)
class ArtifactSpec:
    """What an artifact is made from; two equal specs are the same artifact.

    Attributes:
        variant: the card.
        weights: where its values come from.
        precision: how they are stored.
        size: of the images it takes.
        mode: `simple`, or `resize` if images are resized inside the model.
        rewrites: names of the exact rewrites that are made before the export; see `sealbench.converters.rewrites`.
    """

    variant: Card
    weights: Weights
    precision: Precision
    size: ImageSize
    mode: str = "simple"
    rewrites: tuple[str, ...] = ()

    @property
    def file_name(self) -> str:
        """For example `videoseal_detector_{model_name}_{image_size}{suffix}.tflite`."""
        resize = "_resize" if self.mode == "resize" else ""
        return f"{self.family.file_stem(self.variant)}_{self.size}{resize}{self.precision.suffix}.tflite"

    @property
    def family(self) -> Family:
        """How models of its task are made into files."""
        return family_of(self.variant)

    @property
    def recipe(self) -> tuple[Rule, ...]:
        """The rules that make it from the float32 file; none for that file itself."""
        return self.family.recipe(self.precision, self.rewrites)

    def provenance(self) -> dict[str, Any]:
        """All that may change the file's bytes, as plain data."""
        return {
            "card": card_facts(self.variant),
            "weights_fingerprint": self.weights.fingerprint,
            "precision": self.precision.name,
            "recipe": list(self.recipe),
            "calibration": self._calibration_fingerprint(),
            "rewrites": list(self.rewrites),
            "image_size": str(self.size),
            "mode": self.mode,
            "export_version": EXPORT_VERSION,
            "tools": tool_versions(),
        }

    def _calibration_fingerprint(self) -> str | None:
        if not self.precision.needs_calibration:
            return None
        return self.family.calibration_fingerprint(self.variant, self.size)

    @property
    def key(self) -> str:
        """Hexadecimal digest of the provenance; the name of the artifact's folder."""
        text = json.dumps(self.provenance(), sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:24]


@dataclass(frozen=True)
class Artifact:
    """A converted file.

    Attributes:
        path: the `.tflite` file.
        size_bytes: its size.
        sha256: hexadecimal digest of its content.
        convert_s: seconds that the conversion took when it was made, without the float32 file it starts from.
        reused: whether it was in the store already.
    """

    path: Path
    size_bytes: int
    sha256: str
    convert_s: float
    reused: bool


@functools.cache
def tool_versions() -> dict[str, str]:
    """Versions of the packages that shape an artifact's bytes."""
    return {name: importlib.metadata.version(name) for name in TOOLS}


class ArtifactStore:
    """Converts on demand and keeps what was converted.

    A conversion runs in a temporary folder beside the final one and is renamed into place when it is whole, so that a
    killed one leaves nothing that could be mistaken for a model. A lock for each key makes a second process wait
    for the first instead of converting the same thing.

    Args:
        root: the store's folder, by default `artifacts` in the cache; made when missing.

    Raises:
        StoreError: the folder cannot be made or written.
    """

    def __init__(self, root: Path | None = None):
        self.root = root or cache_folder("artifacts")
        try:
            self.root.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryFile(dir=self.root):
                pass
        except OSError as error:
            raise StoreError(
                f"{self.root}: the artifact store cannot be written ({error.strerror}); "
                "set XDG_CACHE_HOME to a folder that can"
            ) from error

    def get(self, spec: ArtifactSpec, model: Model) -> Artifact:
        """The artifact of `spec`, converted if it is not there yet.

        Args:
            spec: what to make.
            model: the PyTorch model; asked for its networks only for a float32 export and for calibration images.

        Raises:
            ImageSizeError: the variant cannot take images of that size.
            StoreError: the artifact that was written does not read back.
        """
        spec.family.check_size(spec.variant, spec.size, spec.mode)
        folder = self.root / spec.key
        if (artifact := self._load(folder, spec)) is not None:
            return artifact
        source = None
        if spec.recipe:
            source = self.get(replace(spec, precision=get_precision("float32")), model).path
        with FileLock(f"{folder}.lock"):
            if (artifact := self._load(folder, spec)) is not None:  # another process made it while we waited
                return artifact
            self._make(folder, spec, source, model)
        made = self._load(folder, spec)
        if made is None:
            raise StoreError(f"{folder}: the artifact that was just written does not read back; is the disk full?")
        return Artifact(made.path, made.size_bytes, made.sha256, made.convert_s, reused=False)

    def _make(self, folder: Path, spec: ArtifactSpec, source: Path | None, model: Model) -> None:
        unfinished = folder.with_name(f"{folder.name}.converting")
        for remains in (folder, unfinished):  # what did not read back, and what a killed conversion left
            shutil.rmtree(remains, ignore_errors=True)
        unfinished.mkdir()
        path = unfinished / spec.file_name
        try:
            start = time.perf_counter()
            if source is None:
                model.export(spec.rewrites, spec.size, spec.mode, path)
            else:
                calibrates = spec.precision.needs_calibration
                images = model.calibration(spec.size) if calibrates else None
                quantize(source, spec.recipe, path, images)
            provenance = spec.provenance() | {
                "convert_s": round(time.perf_counter() - start, 3),
                "size_bytes": path.stat().st_size,
                "sha256": remembered_sha256(path),
            }
            (unfinished / PROVENANCE).write_text(json.dumps(provenance, indent=1), encoding="utf-8")
            unfinished.rename(folder)
        except BaseException:
            shutil.rmtree(unfinished, ignore_errors=True)
            raise

    def _load(self, folder: Path, spec: ArtifactSpec) -> Artifact | None:
        """The artifact in `folder` if it is there and its bytes are those that were written."""
        path = folder / spec.file_name
        try:
            provenance = json.loads((folder / PROVENANCE).read_text(encoding="utf-8"))
            found = Artifact(path, provenance["size_bytes"], provenance["sha256"], provenance["convert_s"], reused=True)
            return found if remembered_sha256(path) == found.sha256 else None
        except (OSError, ValueError, KeyError, TypeError):
            return None


def sha256_again(spec: ArtifactSpec) -> str:
    """SHA-256 of an artifact that is converted once more from the weights, by a process of its own, and not kept.

    Another process has other addresses and another order of sets: what a conversion takes from either shows.

    Args:
        spec: what to make; its card, weights and precision go to the process as they are.

    Raises:
        Exception: whatever the converter raises.
    """
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        return pool.submit(_converted_sha256, spec).result()


def _converted_sha256(spec: ArtifactSpec) -> str:
    with tempfile.TemporaryDirectory() as folder:
        return ArtifactStore(Path(folder)).get(spec, spec.family.model(spec.variant, spec.weights)).sha256
