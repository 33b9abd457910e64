from pathlib import Path

import pytest

from sealbench.bench.analysis.candidates import Row, Workshop, measure, print_rows
from sealbench.bench.commands import main as sealbench
from sealbench.bench.targets import Group
from sealbench.converters.cards.image_size import ImageSize
from sealbench.converters.export.candidates import candidates
from sealbench.converters.export.precisions import PRECISIONS, get_precision
from sealbench.converters.families.weight_sources import find_weights
from tests.bench.tiny import SIZE, TINY


def main(arguments: list[str]) -> int:
    return sealbench(["candidates", *arguments])


SPLIT = ("split_depthwise",)


@pytest.mark.parametrize("name", PRECISIONS)
def test_the_recipe_in_use_comes_first_and_no_candidate_twice(name: str) -> None:
    for rewrites in ((), SPLIT):
        found = candidates(get_precision(name), rewrites)
        assert [c.in_use for c in found] == [True] + [False] * (len(found) - 1)
        assert found[0].recipe == get_precision(name).recipe_for(rewrites)
        assert len({c.name for c in found}) == len(found)
        assert {c.rewrites for c in found} <= {(), rewrites}


@pytest.mark.long
@pytest.mark.convert
def test_every_candidate_is_made_run_and_timed(tmp_path: Path) -> None:
    workshop = Workshop(Group(TINY, find_weights(TINY, "seeded"), ImageSize(*SIZE)), 2, tmp_path)
    rows = measure(workshop, "int8_static", rounds=1)
    assert [row.candidate for row in rows][:2] == ["in use", "not rewritten"]
    in_use, plain = rows[:2]
    assert in_use.images == 2
    assert in_use.size_mb is not None
    assert plain.size_mb is not None
    assert in_use.size_mb != plain.size_mb
    assert in_use.rewrites != ""
    assert plain.rewrites == ""
    made = [row for row in rows if not row.note]
    assert {"in use", "depthwise static", "calibration crops 8 to 15"} <= {row.candidate for row in made}
    for row in made:
        assert 50 <= (row.bit_agreement_pct or 0) <= 100
        assert 50 <= (row.quantized_weight_pct or 0) <= 100
        assert row.bit_accuracy_pct is None  # untrained
        assert (row.speedup is None) == row.candidate.startswith("calibration crops")


def test_table(capsys: pytest.CaptureFixture[str]) -> None:
    rows = [Row("v", "int8", "in use", "", size_mb=3.125, speedup=2.0, speedup_low=1.9, speedup_high=2.1, images=4)]
    rows.append(Row("v", "int8", "other", "split_depthwise", note="does not run"))
    print_rows(rows)
    assert "2.00 [1.90, 2.10]" in capsys.readouterr().out


def test_wrong_input_is_one_line(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    assert main(["--variant", "nothing"]) == 2
    assert main(["--variant", "videoseal_nano", "--precision", "int9"]) == 2
    assert main(["--variant", "videoseal_nano", "--out", str(tmp_path / "file" / "a.csv")]) == 2
    assert [line[:6] for line in capsys.readouterr().err.splitlines()] == ["error:"] * 3
