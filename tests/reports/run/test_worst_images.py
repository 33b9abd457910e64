"""The worst images come first, and a NaN is as bad as it gets."""

import csv
import math
from pathlib import Path

import pandas as pd
import pytest

from sealbench.reports.run.directory import RunDirectory
from sealbench.reports.run.worst_images import MOST_IMAGES, worst_images
from sealbench.reports.schema.tables import BITS, WORST_IMAGES
from tests.reports.synthetic import RUN_ID, bit_rows

MESSAGE = (1, 0, 1)


def rows(
    sample: str, logits: tuple[float, ...], precision: str = "int8", attack: str = "none"
) -> list[tuple[object, ...]]:
    """An image of three bits, the last of which the reference reads wrong."""
    head = ("v", precision, "litert", attack, sample)
    bits = zip(MESSAGE, (2.0, -2.0, -0.5), logits, strict=True)
    confidence = (*head, -1, None, 9.0, -9.0, "256", "none", "upstream")
    return [confidence] + [(*head, bit, *values, "256", "none", "upstream") for bit, values in enumerate(bits)]


def frame(*images: list[tuple[object, ...]]) -> pd.DataFrame:
    table = pd.DataFrame([row for image in images for row in image], columns=list(BITS.names))
    return table.assign(message=table["message"].astype(float))


def test_worst_first_with_what_it_takes_to_see_it_again() -> None:
    worst = worst_images(
        frame(
            rows("fine", (2.0, -2.0, -0.5)),
            rows("weak", (1.0, -1.0, -0.5)),
            rows("gained", (2.0, -2.0, 0.5)),
            rows("lost", (-2.0, -2.0, -0.5)),
            rows("undecided", (math.nan, -2.0, -0.5)),
        )
    )
    assert tuple(worst.columns) == WORST_IMAGES.names
    assert worst["sample"].tolist() == ["undecided", "lost", "gained", "weak", "fine"]
    assert worst["rank"].tolist() == [1, 2, 3, 4, 5]
    assert worst["flips"].tolist() == [1, 1, 1, 0, 0]
    assert worst["negative_flips"].tolist() == [1, 1, 0, 0, 0]
    assert worst["wrong_bits"].tolist() == [2, 2, 0, 1, 1]
    assert worst["logits_rmse"].tolist() == pytest.approx(
        [math.inf, math.sqrt(16 / 3), math.sqrt(1 / 3), math.sqrt(2 / 3), 0.0]
    )
    assert set(worst["message"]) == {"101"}


def test_ten_of_each_file_and_none_of_the_reference_or_without_a_message() -> None:
    images = [rows(f"photo{number}", (2.0, -2.0, -0.5 - number / 100)) for number in range(15)]
    other = rows("photo0", (2.0, -2.0, -0.5), precision="int4")
    plain = frame(rows("photo0/plain", (-9.0, 9.0, 9.0))).assign(message=math.nan)
    reference = frame(rows("photo0", (2.0, -2.0, -0.5))).assign(backend="torch")
    worst = worst_images(pd.concat([frame(*images, other), plain, reference]))
    assert worst["precision"].tolist() == ["int4"] + ["int8"] * MOST_IMAGES
    assert worst["sample"].tolist() == ["photo0"] + [f"photo{number}" for number in range(14, 4, -1)]


def test_an_attacked_image_is_named_with_its_seed() -> None:
    logits = (2.0, -2.0, -0.5)
    images = [rows("photos/a/b.png", logits, attack=attack) for attack in ("none", "jpeg:50")]
    worst = worst_images(frame(*images), lambda name: {"a/b.png": 7}[name])
    assert list(zip(worst["attack"], worst["attack_seed"], strict=True)) == [("jpeg:50", "7"), ("none", "")]
    assert worst["rank"].tolist() == [1, 1]
    assert set(worst_images(frame(*images))["attack_seed"]) == {""}  # it is unknown


def test_a_run_leaves_the_table_even_where_nothing_was_measured(tmp_path: Path) -> None:
    run = RunDirectory.open(RUN_ID, tmp_path / "run")
    run.finish()
    table = run.path / "samples" / "worst_images.csv"
    assert table.read_text() == ",".join(WORST_IMAGES.names) + "\n"
    run.append_rows(BITS, bit_rows())
    run.finish()
    with table.open(encoding="utf-8") as file:
        read = list(csv.DictReader(file))
    assert len(read) == 8 * 6  # two models at four precisions, six images
    assert {len(row["message"]) for row in read} == {32, 256}
    RunDirectory.open(RUN_ID, tmp_path / "run")
    assert not table.exists()
