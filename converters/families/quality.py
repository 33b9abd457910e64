"""UVQ 1.5, a video quality model: a frame in, features or a score out."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sealbench.converters.cards.card import Card, QualityVariant
from sealbench.converters.cards.image_size import ImageSize
from sealbench.converters.errors import ImageSizeError, WeightsError
from sealbench.converters.export.precisions import SPLIT_DEPTHWISE, Precision, Rule
from sealbench.converters.families import Model
from sealbench.converters.tflite.model_file import ModelFile, check_signature

if TYPE_CHECKING:
    import numpy as np
    from torch import nn

    from sealbench.converters.checkpoints.weights import Weights
    from sealbench.converters.models.uvq.networks import ContentNet, DistortionNet
    from sealbench.datasets.sample import Sample

PARTS = ("content", "distortion", "aggregation")
SUFFIXES = (".pth", ".safetensors")
CALIBRATION_FRAMES = 8
# No depthwise convolution here has more than 25 taps, so the rules are those for graphs in which they have been split:
# XNNPACK runs the file in one part. By the others it is 17, and the error of the features is 1.26 times as large.
DEPTHWISE_IS_SMALL = (SPLIT_DEPTHWISE,)


class UvqModel:
    """The networks of a card with its weights, loaded when they are asked for.

    Args:
        card: which of them.
        weights: where their values come from.
    """

    def __init__(self, card: QualityVariant, weights: "Weights"):
        self.card = card
        self._weights = weights

    @cached_property
    def network(self) -> "nn.Module":
        """One of the three networks, or their chain.

        Raises:
            WeightsError: a checkpoint cannot be read, or does not fit its network exactly.
        """
        from sealbench.converters.models.uvq.loading import load_chain, load_network

        found = self._found()
        if self.card.parts == PARTS:
            return load_chain(found or None)
        (part,) = self.card.parts
        return load_network(part, found.get(part))

    def check(self) -> None:
        """Load the networks."""
        _ = self.network

    def inputs(self, frame: "np.ndarray") -> "tuple[np.ndarray, ...]":
        """What the file takes of a frame (1080, 1920, 3) uint8: tensors in its order, float32.

        Of AggregationNet it is what the other two networks see: those of its folder of checkpoints, else seeded ones.
        """
        from sealbench.converters.models.uvq.inputs import content_input, distortion_input, features, signed

        match self.card.parts:
            case ("content",):
                return (content_input(frame),)
            case ("distortion",):
                return (distortion_input(frame),)
            case ("aggregation",):
                return features(frame, *self._trunks)
        return (signed(frame),)

    @cached_property
    def _trunks(self) -> "tuple[ContentNet, DistortionNet]":
        from sealbench.converters.models.uvq.loading import load_network
        from sealbench.converters.models.uvq.networks import ContentNet, DistortionNet

        found = self._found()
        content, distortion = (load_network(part, found.get(part)) for part in PARTS[:2])
        assert isinstance(content, ContentNet)
        assert isinstance(distortion, DistortionNet)
        return content, distortion

    def _found(self) -> dict[str, Path]:
        """Checkpoints by the name of their network; none for seeded values."""
        path = self._weights.path
        return {} if path is None else _checkpoints(self.card, path)


@dataclass(frozen=True)
class QualityFamily:
    """See `sealbench.converters.families.Family`."""

    image_scale: float = 1.0

    @property
    def seeding(self) -> Mapping[str, Any]:
        """What the values of a seed depend on besides: the pictures, and a version.

        Raise that when `models/uvq/seeding.py` or the seeds of `loading.py` give other values.
        """
        return {"uvq": 1, "pictures": _settling_fingerprint()}

    def default_size(self, card: Card) -> ImageSize:
        """The one size that there is."""
        return ImageSize.parse(as_quality(card).image_size)

    def check_size(self, card: Card, size: ImageSize, mode: str) -> None:
        """Frames are brought to the one size before, as upstream does; the graph is made for it.

        Raises:
            ImageSizeError: it is another size, or the file is to resize inside.
        """
        own = self.default_size(card)
        if size != own or mode != "simple":
            raise ImageSizeError(
                f"{card.name} cannot take images of {size}{'' if mode == 'simple' else ' and resize inside'}: it looks "
                f"at {own} alone; leave --image-size and --no-simple out"
            )

    def file_stem(self, card: Card) -> str:
        """The card's name."""
        return card.name

    def check_file(self, file: ModelFile, card: Card, size: ImageSize) -> None:
        """Shapes of the tensors as published."""
        from sealbench.converters.models.uvq.exporting import OUTPUT_SHAPES

        quality = as_quality(card)
        check_signature(file, f"the network {card.name}", input_shapes(quality), OUTPUT_SHAPES[_kind(quality)])

    def checkpoints(self, card: Card, path: Path) -> Sequence[Path]:
        """A file of one network, or a folder with those of all that are needed, under their published names."""
        return tuple(_checkpoints(as_quality(card), path).values())

    def model(self, card: Card, weights: "Weights") -> Model:
        """See `UvqModel`."""
        return UvqModel(as_quality(card), weights)

    def recipe(self, precision: Precision, rewrites: tuple[str, ...]) -> tuple[Rule, ...]:
        """That for graphs with small depthwise convolutions alone; there are no rewrites."""
        return precision.recipe_for(DEPTHWISE_IS_SMALL)

    def export(self, network: "nn.Module", card: Card, size: ImageSize, mode: str, path: Path) -> None:
        """See `sealbench.converters.models.uvq.exporting.export_uvq_float32`."""
        from sealbench.converters.models.uvq.exporting import export_uvq_float32

        export_uvq_float32(network, path)

    def calibration(self, model: Model, card: Card, size: ImageSize) -> "list[tuple[np.ndarray, ...]]":
        """What the file takes, in the shapes of `input_shapes`, of distorted photographs kept for calibration."""
        assert isinstance(model, UvqModel)
        return [model.inputs(sample.image) for sample in _calibration_frames()]

    def calibration_fingerprint(self, card: Card, size: ImageSize) -> str:
        """Of the frames, which are the same for all networks."""
        return _frames_fingerprint()

    def source_state(self, network: "nn.Module") -> "Mapping[str, np.ndarray]":
        """See `sealbench.converters.models.uvq.folding.folded_state`."""
        from sealbench.converters.models.uvq.folding import folded_state

        return folded_state(network)


def as_quality(card: Card) -> QualityVariant:
    """A card of this family as what it is."""
    assert isinstance(card, QualityVariant)
    return card


def input_shapes(card: QualityVariant) -> tuple[tuple[int, ...], ...]:
    """Of the tensors that a card's file takes, in order."""
    from sealbench.converters.models.uvq.exporting import INPUT_SHAPES

    return INPUT_SHAPES[_kind(card)]


def _kind(card: QualityVariant) -> "type[nn.Module]":
    from sealbench.converters.models.uvq.loading import NETWORKS
    from sealbench.converters.models.uvq.networks import UvqChain

    return UvqChain if len(card.parts) > 1 else NETWORKS[card.parts[0]]


def frame_size() -> tuple[int, int]:
    """Height and width in pixels of the frames that every network's input is made of."""
    from sealbench.converters.models.uvq.networks import FRAME

    return FRAME


def _calibration_frames() -> "list[Sample]":
    """Of as many photographs, at steps from none to the strongest: ranges of sharp frames alone would be too narrow."""
    from sealbench.datasets.distortions import mixed_samples

    return mixed_samples("calibration", frame_size(), CALIBRATION_FRAMES)


@cache
def _frames_fingerprint() -> str:
    from sealbench.datasets.sample import fingerprint

    return fingerprint(_calibration_frames())


@cache
def _settling_fingerprint() -> str:
    """Of the pictures that seeded batch norms are settled on: with others the seeded values are others."""
    from sealbench.converters.models.uvq import settling

    return hashlib.sha256(b"".join(picture.tobytes() for picture in settling.settling_pictures())).hexdigest()


def _checkpoints(card: QualityVariant, path: Path) -> dict[str, Path]:
    """Files by the name of their network. ContentNet's and DistortionNet's fit each other: names tell them apart."""
    if path.is_file() and len(card.parts) == 1:
        return {card.parts[0]: path}
    # AggregationNet reads what the other two give: a folder holds them as well.
    needed = PARTS if "aggregation" in card.parts else card.parts
    expected = ", ".join(f"{part}_net.pth" for part in needed)
    if not path.is_dir():
        found = "a file" if path.exists() else "no such file or folder"
        raise WeightsError(f"{path}: {found}; expected for {card.name} a folder with {expected}")
    files = {part: [path / f"{part}_net{suffix}" for suffix in SUFFIXES] for part in needed}
    present = {part: next((file for file in some if file.is_file()), None) for part, some in files.items()}
    if missing := [f"{part}_net.pth" for part, file in present.items() if file is None]:
        raise WeightsError(f"{path}: no {', '.join(missing)} in this folder; expected for {card.name}: {expected}")
    return {part: file for part, file in present.items() if file is not None}


FAMILY = QualityFamily()
