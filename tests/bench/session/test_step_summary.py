"""The summary where a CI shows it."""

from pathlib import Path

from sealbench.bench.session.step_summary import append_step_summary


def test_pages_are_appended_to_what_other_steps_wrote(tmp_path: Path) -> None:
    page, second, target = tmp_path / "summary.md", tmp_path / "compare.md", tmp_path / "step.md"
    page.write_text("## Watermark detectors\n")
    second.write_text("## Against\n")
    target.write_text("before\n")
    assert append_step_summary([page, second, tmp_path / "none.md"], {"GITHUB_STEP_SUMMARY": str(target)}) is None
    assert target.read_text() == "before\n## Watermark detectors\n\n## Against\n"


def test_without_a_ci_nothing_is_written(tmp_path: Path) -> None:
    page = tmp_path / "summary.md"
    page.write_text("x")
    assert append_step_summary([page], {}) is None
    assert append_step_summary([page], {"GITHUB_STEP_SUMMARY": ""}) is None
    assert list(tmp_path.iterdir()) == [page]


def test_a_file_that_cannot_be_written_is_a_note(tmp_path: Path) -> None:
    page = tmp_path / "summary.md"
    page.write_text("x")
    note = append_step_summary([page], {"GITHUB_STEP_SUMMARY": str(tmp_path / "no" / "such" / "folder")})
    assert note is not None
    assert "was not appended to" in note
    assert "No such file or directory" in note
