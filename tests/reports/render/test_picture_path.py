"""The table of picture paths counts flipped bits against PyTorch with upstream's resize, by path and precision."""

from dataclasses import replace
from pathlib import Path

import pytest

from sealbench.reports.render.picture_path import picture_path_table
from sealbench.reports.render.record import RunRecord
from sealbench.reports.render.run import render
from sealbench.reports.render.table import Table
from sealbench.reports.run.directory import RunDirectory
from sealbench.reports.run.samples import load_samples, no_samples
from sealbench.reports.schema.records import UPSTREAM, Case
from sealbench.reports.schema.tables import BITS, CONFIDENCE_BIT, PLAIN_SUFFIX
from tests.reports.runs import save_run
from tests.reports.synthetic import NANO, RUN_ID, healthy_rows, torch_of

INT8 = replace(NANO, precision="int8")
TORCH = torch_of(NANO)
NBITS, IMAGES = 10, 6
# Flipped bits of every image, (watermarked, plain), by case.
FLIPPED = {
    TORCH: (0, 0),
    INT8: (1, 2),
    replace(TORCH, preprocess="opencv"): (0, 3),
    replace(INT8, preprocess="opencv"): (1, 4),
}
PICTURES = {f"mine/p{image}": f"photo{image // 2}" for image in range(IMAGES)}


def rows_of(case: Case, marked: int, plain: int, dataset: str = "mine", attack: str = "none") -> list[tuple]:
    """Rows of bits.csv in which so many bits of each image flip, and always the confidence."""
    rows = []
    for image in range(IMAGES):
        for suffix, message, flipped in (("", 1, marked), (PLAIN_SUFFIX, None, plain)):
            head = (case.variant, case.precision, case.backend, attack, f"{dataset}/p{image}{suffix}")
            tail = (case.image_size, case.rewrites, case.preprocess)
            for bit in range(CONFIDENCE_BIT, NBITS):
                logit = -2.0 if bit < flipped else 2.0
                rows.append((*head, bit, None if bit == CONFIDENCE_BIT else message, 2.0, logit, *tail))
    return rows


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    path = save_run(tmp_path / "run", [row for row in healthy_rows() if row.case in {INT8, TORCH}], samples=False)
    run = RunDirectory(path, RUN_ID)
    for case, flipped in FLIPPED.items():
        run.append_rows(BITS, rows_of(case, *flipped))
        run.append_rows(BITS, rows_of(case, 9, 9, attack="jpeg:50"))
        if case.preprocess == UPSTREAM:
            run.append_rows(BITS, rows_of(case, 5, 5, dataset="photographs"))
    run.write_images(("mine", name.partition("/")[2], picture) for name, picture in PICTURES.items())
    return path


def texts(table: Table) -> list[tuple[str, ...]]:
    return [tuple(cell.text for cell in row) for row in table.rows]


def test_each_cell_is_the_share_of_flipped_bits(folder: Path) -> None:
    """Attacked images are left out, and a data set that was measured on one path alone."""
    table = picture_path_table(RunRecord([], bits=load_samples(folder, BITS), pictures=PICTURES))
    assert [column.text for column in table.columns] == ["model", "images", "resize", "PyTorch", "int8", "pictures"]
    assert texts(table) == [
        ("videoseal_nano 256", "mine, watermarked", "upstream", "0.00 %", "10.00 %", "3"),
        ("videoseal_nano 256", "mine, watermarked", "opencv", "0.00 %", "10.00 %", "3"),
        ("videoseal_nano 256", "mine, plain", "upstream", "0.00 %", "20.00 %", "3"),
        ("videoseal_nano 256", "mine, plain", "opencv", "30.00 %", "40.00 %", "3"),
    ]
    assert table.rows[3][4].tip.startswith("24 of 60 bits; 95 % interval by pictures 40.00 to 40.00 %")
    assert "on the pictures that were measured" in table.note


def test_a_bit_that_is_no_number_has_flipped(folder: Path) -> None:
    bits = load_samples(folder, BITS)
    here = (bits["preprocess"] == "opencv") & (bits["precision"] == "int8") & (bits["attack"] == "none")
    bits.loc[here, "logit"] = float("nan")
    table = picture_path_table(RunRecord([], bits=bits, pictures=PICTURES))
    assert [row[4].text for row in table.rows] == ["10.00 %", "100.00 %", "20.00 %", "100.00 %"]


def test_there_is_no_table_where_only_upstreams_resize_was_measured(folder: Path) -> None:
    bits = load_samples(folder, BITS)
    assert picture_path_table(RunRecord([], bits=bits[bits["preprocess"] == UPSTREAM])).rows == ()
    assert picture_path_table(RunRecord([], bits=bits[bits["attack"] != "none"])).rows == ()
    assert picture_path_table(RunRecord([], bits=no_samples(BITS))).rows == ()


def test_page_and_summary_show_it(folder: Path) -> None:
    rendered = render(folder, (), figures={})
    assert rendered.notes == ()
    page = rendered.page.read_text(encoding="utf-8")
    assert '<section id="paths">' in page
    assert page.count(">30.00 %</td>") == 1
    summary = (folder / "summary.md").read_text(encoding="utf-8")
    assert "### Picture path" in summary
    assert "| videoseal_nano 256 | mine, plain | opencv | 30.00 % | 40.00 % | 3 |" in summary


def test_without_it_neither_has_the_section(tmp_path: Path) -> None:
    rendered = render(save_run(tmp_path / "run"), (), figures={})
    assert 'id="paths"' not in rendered.page.read_text(encoding="utf-8")
    assert "Picture path" not in (tmp_path / "run" / "summary.md").read_text(encoding="utf-8")
