"""Fingerprints change with what they are of, and with nothing else."""

from dataclasses import replace

import numpy as np
import pytest

from sealbench.bench.session.environment import describe_environment
from sealbench.bench.session.fingerprints import preprocessing_fingerprint, recipe_fingerprint
from sealbench.converters.cards.image_size import ImageSize
from sealbench.converters.checkpoints.weights import Weights
from sealbench.converters.export.precisions import get_precision
from sealbench.converters.families.registry import get_card
from sealbench.converters.families.watermark import get_variant
from sealbench.converters.store import ArtifactSpec
from sealbench.datasets import preprocess_functions
from tests.bench.tiny import TINY

WEIGHTS = Weights("seeded", None, "a" * 64)
SPEC = ArtifactSpec(TINY, WEIGHTS, get_precision("int8"), ImageSize(32, 32))


def test_a_recipe_is_of_the_way_a_file_is_made_not_of_the_model() -> None:
    mine = recipe_fingerprint(SPEC)
    assert len(mine) == 64
    assert recipe_fingerprint(replace(SPEC, weights=Weights("file", None, "b" * 64))) == mine
    assert recipe_fingerprint(replace(SPEC, size=ImageSize(64, 64))) == mine
    assert recipe_fingerprint(replace(SPEC, precision=get_precision("int4"))) != mine
    assert recipe_fingerprint(replace(SPEC, rewrites=("split_depthwise",))) != mine


def test_preprocessing_changes_with_pixels_messages_and_blending(monkeypatch: pytest.MonkeyPatch) -> None:
    nano = get_variant("videoseal_nano")
    mine = preprocessing_fingerprint(nano)
    assert preprocessing_fingerprint(replace(nano, bundled_weights=None)) == mine
    stronger = replace(nano, blending=replace(nano.blending, scaling_w=2 * nano.blending.scaling_w))
    assert preprocessing_fingerprint(stronger) != mine
    with monkeypatch.context() as patch:
        patch.setattr("sealbench.bench.tasks.image_set.MESSAGE_SEED", 99)
        assert preprocessing_fingerprint(nano) != mine
    with monkeypatch.context() as patch:
        patch.setattr(
            "sealbench.datasets.preprocess_functions.to_unit_range", lambda pixels: np.float32(pixels) / 127.5 - 1
        )
        assert preprocessing_fingerprint(nano) != mine
    with monkeypatch.context() as patch:
        patch.setattr("sealbench.datasets.preprocess_functions._triangle", preprocess_functions._two_taps)
        assert preprocessing_fingerprint(nano) != mine


def test_a_model_without_messages_has_a_fingerprint_of_its_pixels() -> None:
    assert len(preprocessing_fingerprint(get_card("uvq1p5"))) == 64


def test_the_environment_says_when_and_on_what() -> None:
    found = describe_environment()
    assert found["time"].endswith("+00:00")
    assert {"cpu", "cpu_model", "cores", "machine", "packages"} <= set(found)
