import pytest

from bench.candidates import COLUMNS, Row, main, print_rows, write_csv
from converters.candidates import candidates
from converters.precisions import PRECISIONS, get_precision

SPLIT = ("split_depthwise",)


@pytest.mark.parametrize("name", PRECISIONS)
def test_the_recipe_in_use_comes_first_and_no_candidate_twice(name: str) -> None:
    for rewrites in ((), SPLIT):
        found = candidates(get_precision(name), rewrites)
        assert [c.in_use for c in found] == [True] + [False] * (len(found) - 1)
        assert found[0].recipe == get_precision(name).recipe_for(rewrites)
        assert len({c.name for c in found}) == len(found)
        assert {c.rewrites for c in found} <= {(), rewrites}


def test_csv_and_table(tmp_path, capsys: pytest.CaptureFixture[str]) -> None:  # type: ignore[no-untyped-def]
    rows = [Row("v", "int8", "in use", "", size_mb=3.125, speedup=2.0, speedup_low=1.9, speedup_high=2.1, images=4)]
    rows.append(Row("v", "int8", "other", "split_depthwise", note="does not run"))
    write_csv(rows, tmp_path / "a.csv")
    lines = (tmp_path / "a.csv").read_text().splitlines()
    assert lines[0].split(",") == list(COLUMNS)
    assert lines[1].startswith("v,int8,in use,,3.125,")
    assert lines[2].endswith("does not run")
    print_rows(rows)
    assert "2.00 [1.90, 2.10]" in capsys.readouterr().out


def test_wrong_input_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["nothing"]) == 2
    assert main(["videoseal_nano", "--precision", "int9"]) == 2
    assert main(["videoseal_nano", "--out", "/no/such/folder/a.csv"]) == 2
    assert [line[:6] for line in capsys.readouterr().err.splitlines()] == ["error:"] * 3
