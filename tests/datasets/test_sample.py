"""Sample refuses what it does not describe; the fingerprint sees every change."""

import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest

from sealbench.datasets.errors import DatasetError
from sealbench.datasets.sample import Sample, check_message_length, fingerprint

IMAGE = np.arange(48, dtype=np.uint8).reshape(4, 4, 3)
BITS = np.array([0, 1, 1, 0], np.uint8)
SAMPLE = Sample("a", IMAGE, BITS, "evaluation", "a", generated=False)


@pytest.mark.parametrize(
    "changes",
    [
        {"image": IMAGE[..., 0]},
        {"image": IMAGE.astype(np.float32)},
        {"image": IMAGE[:0]},
        {"image": np.zeros((4, 4, 4), np.uint8)},
        {"message": BITS.astype(bool)},
        {"message": BITS + 1},
        {"message": BITS[:0]},
        {"message": BITS[None]},
        {"role": "training"},
        {"message": None, "watermarked": True},
    ],
)
def test_wrong_field_is_refused(changes: dict[str, object]) -> None:
    with pytest.raises(DatasetError):
        replace(SAMPLE, **changes)  # type: ignore[arg-type]


def test_message_length_names_sample_found_and_expected() -> None:
    check_message_length(SAMPLE, 4)
    check_message_length(replace(SAMPLE, message=None), 5)
    with pytest.raises(DatasetError, match=r"^a: .* 4 bits, expected 5"):
        check_message_length(SAMPLE, 5)


def test_fingerprint_sees_every_change() -> None:
    pixel = IMAGE.copy()
    pixel[3, 3, 2] ^= 1
    changed = [
        replace(SAMPLE, image=pixel),
        replace(SAMPLE, image=IMAGE.reshape(2, 8, 3)),
        replace(SAMPLE, message=1 - BITS),
        replace(SAMPLE, message=None),
        replace(SAMPLE, id="b"),
        replace(SAMPLE, watermarked=True),
    ]
    prints = {fingerprint([sample]) for sample in [SAMPLE, *changed]} | {fingerprint([SAMPLE, SAMPLE])}
    assert len(prints) == len(changed) + 2
    assert fingerprint([replace(SAMPLE, image=IMAGE.copy())]) == fingerprint([SAMPLE])


def test_import_of_the_whole_package_is_cheap() -> None:
    modules = ["sample", "images", "photographs", "folder", "dead_leaves", "messages", "attacks"]
    heavy = "{'torch', 'skimage', 'scipy', 'matplotlib', 'pandas', 'converters', 'bench', 'reports'}"
    code = f"import sys, {', '.join(f'sealbench.datasets.{m}' for m in modules)}; print({heavy} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
