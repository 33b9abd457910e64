"""Runs that are kept under a name."""

from pathlib import Path

import pytest

from sealbench.reports.errors import ReportError
from sealbench.reports.run.baselines import KEPT, check_name, find_run, save_baseline
from sealbench.reports.run.reader import load_results
from sealbench.reports.run.samples import load_samples
from sealbench.reports.schema.tables import BITS
from tests.reports.saved_runs import saved_run
from tests.reports.synthetic import bit_rows, healthy_rows


def test_a_baseline_is_what_a_comparison_reads_of_the_run(tmp_path: Path) -> None:
    run = saved_run(tmp_path / "run", healthy_rows(), bits=bit_rows(images=1))
    (run / "summary.md").write_text("not kept")
    sentence = save_baseline(run, "main", tmp_path / "kept")
    kept = tmp_path / "kept" / "main"
    assert sentence == f"baseline main: run 20250102-030405-000006 is kept in {kept}"
    assert load_results(kept) == load_results(run)
    assert load_samples(kept, BITS).equals(load_samples(run, BITS))
    files = {str(path.relative_to(kept)) for path in kept.rglob("*") if path.is_file()}
    assert files == set(KEPT) - {"gates.toml", "samples/scores.csv", "samples/outputs.csv"}
    assert find_run("main", tmp_path / "kept") == kept


def test_packed_samples_are_kept_packed(tmp_path: Path) -> None:
    run = saved_run(tmp_path / "run", healthy_rows())
    (run / "samples" / "bits.csv").rename(run / "samples" / "bits.csv.gz")
    save_baseline(run, "main", tmp_path / "kept")
    assert (tmp_path / "kept" / "main" / "samples" / "bits.csv.gz").is_file()


def test_replacing_a_baseline_says_which_run_it_was_and_leaves_nothing_of_it(tmp_path: Path) -> None:
    older = saved_run(tmp_path / "old", healthy_rows(), run_id="20240101-000000-000000")
    newer = saved_run(tmp_path / "new", healthy_rows())
    (older / "gates.toml").write_text("")
    save_baseline(older, "main", tmp_path / "kept")
    sentence = save_baseline(newer, "main", tmp_path / "kept")
    assert sentence.endswith(", replacing run 20240101-000000-000000")
    assert [path.name for path in (tmp_path / "kept").iterdir()] == ["main"]
    assert not (tmp_path / "kept" / "main" / "gates.toml").exists()
    assert load_results(tmp_path / "kept" / "main")[0].run_id == "20250102-030405-000006"


@pytest.mark.parametrize("name", ["", ".", "..", "a/b", "../main", "-x", ".hidden", "a b", "ü", "x" * 65, "a\n"])
def test_a_name_is_never_a_path(tmp_path: Path, name: str) -> None:
    with pytest.raises(ReportError, match="expected a name of at most 64 letters"):
        check_name(name)
    run = saved_run(tmp_path / "run", healthy_rows())
    with pytest.raises(ReportError):
        save_baseline(run, name, tmp_path / "kept")
    assert not (tmp_path / "kept").exists()


def test_a_run_that_did_not_finish_is_no_baseline(tmp_path: Path) -> None:
    run = saved_run(tmp_path / "run", healthy_rows())
    lines = (run / "results.csv").read_text().splitlines(keepends=True)
    (run / "results.csv").write_text("".join(lines[:-1]))
    with pytest.raises(ReportError, match=r"main was not saved: the run in .* did not finish"):
        save_baseline(run, "main", tmp_path / "kept")
    (run / "plan.csv").unlink()
    with pytest.raises(ReportError, match="did not finish"):
        save_baseline(run, "main", tmp_path / "kept")
    assert not (tmp_path / "kept").exists()


def test_a_name_before_a_folder_and_an_error_that_names_what_there_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = saved_run(tmp_path / "main", healthy_rows())
    save_baseline(run, "main", tmp_path / "kept")
    monkeypatch.chdir(tmp_path)
    assert find_run("main", tmp_path / "kept") == tmp_path / "kept" / "main"
    assert find_run("./main", tmp_path / "kept") == Path("main")
    assert find_run(str(run), tmp_path / "kept") == run
    with pytest.raises(ReportError, match=r"'other' is neither a baseline nor the folder of a run; .*: main"):
        find_run("other", tmp_path / "kept")
    with pytest.raises(ReportError, match=r"baselines in .*none: none"):
        find_run("../kept/main/..", tmp_path / "none")
