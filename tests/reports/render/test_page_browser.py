"""report.html in a real browser: it sorts, explains, fits, and complains of nothing."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from sealbench.reports.gates.judge import load_gates
from sealbench.reports.render.plots.figures import FIGURES
from sealbench.reports.render.run import render
from tests.reports.render.browser import browser, look, missing
from tests.reports.runs import HOSTILE, keep_analysis, save_run
from tests.reports.synthetic import NANO, altered, attack_rows, healthy_rows, quality_rows, without

if TYPE_CHECKING:
    from selenium.webdriver import Chrome

pytestmark = [pytest.mark.browser, pytest.mark.skipif(bool(missing()), reason=missing())]

# Elements that reach beyond the right edge of the page and stand in no box that scrolls.
OVERFLOWING = """
const wide = [...document.querySelectorAll("body *")].filter((element) =>
  element.getBoundingClientRect().right > innerWidth + 1 && !element.closest(".scroll") && !element.closest("svg"));
return [document.documentElement.scrollWidth, wide.map((element) => element.outerHTML.slice(0, 120))];
"""
# A scroll reaches the page with the next frame, and closes a tip: only after that may the pointer move.
SCROLL_TO = """
const [element, done] = arguments;
element.scrollIntoView({block: "center"});
requestAnimationFrame(() => requestAnimationFrame(() => {
  const box = element.getBoundingClientRect();
  done([box.x + box.width / 2, box.y + box.height / 2]);
}));
"""
COLUMN = "return [...document.querySelectorAll(arguments[0])].map((cell) => cell.dataset.key)"
CONTRAST = """
const style = (query, name) => getComputedStyle(document.querySelector(query))[name];
return [style("body", "color"), style("body", "backgroundColor"), style(".picture svg text", "fill")];
"""


@pytest.fixture(scope="module")
def driver(tmp_path_factory: pytest.TempPathFactory) -> Iterator["Chrome"]:
    with browser(tmp_path_factory.mktemp("profile")) as driver:
        yield driver


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Everything that a page may show: two models, attacks, a rejected file, a latency that is missing."""
    rows = altered(healthy_rows(), NANO.variant, "int8", "bit_agreement", value=0.9, ci_low=0.89, ci_high=0.91)
    rows = without(rows, NANO.variant, "fp16", "latency_ms") + attack_rows()
    return rendered(tmp_path_factory.mktemp("run") / "run", rows)


def rendered(path: Path, *arguments: Any, pictures: Sequence[str] = tuple(FIGURES), **options: Any) -> Path:
    run = keep_analysis(save_run(path, *arguments, **options), rename=lambda name: f"{name}/{'long_name/' * 30}")
    return render(run, load_gates(), {name: FIGURES[name] for name in pictures}).page


def complaints(driver: "Chrome") -> list[str]:
    return [entry["message"] for entry in driver.get_log("browser")]


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("width", [400, 1400])
def test_nothing_overflows_and_the_console_is_empty(driver: "Chrome", page: Path, width: int, dark: bool) -> None:
    look(driver, page, width, dark=dark)
    driver.execute_script("for (const details of document.querySelectorAll('details')) details.open = true")
    assert driver.execute_script(OVERFLOWING) == [width, []]
    assert complaints(driver) == []


def test_light_and_dark_are_readable(driver: "Chrome", page: Path) -> None:
    found = {}
    for dark in (False, True):
        look(driver, page, dark=dark)
        found[dark] = [brightness(color) for color in driver.execute_script(CONTRAST)]
    ink, paper, picture_ink = found[False]
    assert paper > 240
    assert max(ink, picture_ink) < 60
    ink, paper, picture_ink = found[True]
    assert paper < 40
    assert min(ink, picture_ink) > 200
    look(driver, page, dark=True, medium="print")
    ink, paper, picture_ink = (brightness(color) for color in driver.execute_script(CONTRAST))
    assert max(ink, picture_ink) < 60  # paper is white, whatever the screen was


def brightness(color: str) -> float:
    """The mean of "rgb(1, 2, 3)"."""
    numbers = [float(text) for text in color[color.index("(") + 1 : -1].split(",")[:3]]
    return sum(numbers) / 3


def test_a_heading_sorts_its_column_by_value_and_back(driver: "Chrome", page: Path) -> None:
    look(driver, page)
    headings = driver.find_elements("css selector", "#numbers th")
    place = [heading.text for heading in headings].index("latency ms")
    query = f"#numbers tbody td:nth-child({place + 1})"
    before = driver.execute_script(COLUMN, query)
    headings[place].find_element("tag name", "button").click()
    rising = driver.execute_script(COLUMN, query)
    assert rising != before
    assert [float(key) for key in rising[:-1]] == sorted(float(key) for key in before if key)
    assert rising[-1] == ""  # missing, so last
    assert headings[place].get_attribute("aria-sort") == "ascending"
    headings[place].find_element("tag name", "button").click()
    falling = driver.execute_script(COLUMN, query)
    assert falling == [*reversed(rising[:-1]), ""]
    assert headings[place].get_attribute("aria-sort") == "descending"
    headings[0].find_element("tag name", "button").click()
    names = driver.execute_script(COLUMN, "#numbers tbody td:first-child")
    assert names == sorted(names)
    assert headings[place].get_attribute("aria-sort") is None


def test_every_table_sorts_without_losing_a_row(driver: "Chrome", page: Path) -> None:
    look(driver, page)
    driver.execute_script("for (const details of document.querySelectorAll('details')) details.open = true")
    rows = "return [...document.querySelectorAll('tbody')].map((body) => [...body.rows].map((row) => row.innerText))"
    before = driver.execute_script(rows)
    driver.execute_script("for (const button of document.querySelectorAll('th button')) button.click()")
    after = driver.execute_script(rows)
    assert after != before
    assert [sorted(table) for table in after] == [sorted(table) for table in before]
    assert complaints(driver) == []


def test_every_picture_has_marks_of_some_size(driver: "Chrome", page: Path) -> None:
    look(driver, page)
    marks = driver.execute_script(
        "return [...document.querySelectorAll('.picture svg')].map((svg) => [svg.closest('[id]').id,"
        "[...svg.querySelectorAll('.mark, image')].map((mark) => mark.getBoundingClientRect())"
        ".filter((box) => box.width * box.height > 4).length])"
    )
    assert len(marks) >= 19  # seven kinds of two models, one of them of each file
    assert [name for name, count in marks if count < 1] == []  # points by the thousand are one image


def test_a_mark_and_a_heading_say_what_they_are(driver: "Chrome", page: Path) -> None:
    from selenium.webdriver.common.actions.action_builder import ActionBuilder
    from selenium.webdriver.support.wait import WebDriverWait

    look(driver, page)
    tip = driver.find_element("id", "tip")
    assert not tip.is_displayed()
    cross = next(
        mark
        for mark in driver.find_elements("css selector", "#accuracy_vs_size .mark")
        if "rejected" in str(mark.get_attribute("data-tip"))
    )
    x, y = driver.execute_async_script(SCROLL_TO, cross)
    pointer = ActionBuilder(driver)
    pointer.pointer_action.move_to_location(round(x), round(y))  # to an element, it would scroll once more
    pointer.perform()
    # A browser tells of a pointer's moves with the next frame.
    WebDriverWait(driver, 10).until(lambda _: tip.is_displayed())
    assert "rejected; bit_agreement: 0.9 is not > 0.99" in tip.text
    heading = driver.find_element("css selector", "#numbers th:nth-child(3) button")
    driver.execute_script("arguments[0].focus()", heading)
    assert "size_bytes: Size of the model file." in tip.text


def test_layers_are_named_where_the_pointer_is_and_sort_by_their_error(driver: "Chrome", page: Path) -> None:
    look(driver, page)
    tips = [str(mark.get_attribute("data-tip")) for mark in driver.find_elements("css selector", "#layer_errors .mark")]
    assert len(tips) == 5
    assert "isolated 9.5 %; accumulated 3 %" in tips[2]
    query = "#errors .scroll:last-of-type tbody td:nth-child(6)"
    assert driver.execute_script(COLUMN, query) == ["9.5", "0.9", "0.8", "0.6", "0.5"]
    driver.find_element("css selector", "#errors .scroll:last-of-type th:nth-child(6) button").click()
    assert driver.execute_script(COLUMN, query) == ["0.5", "0.6", "0.8", "0.9", "9.5"]


def test_an_embedded_table_is_the_one_in_the_folder(driver: "Chrome", page: Path) -> None:
    look(driver, page)
    text = driver.execute_script(
        "return atob(document.querySelector('a[download=\"verdicts.csv\"]').href.split('base64,')[1])"
    )
    assert text.encode("latin-1") == (page.parent / "verdicts.csv").read_bytes()


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_names_do_nothing(driver: "Chrome", tmp_path: Path, name: str) -> None:
    rows = [row for row in healthy_rows() if row.case.variant == NANO.variant]
    pictures = ("accuracy_vs_size", "bit_positions")
    look(driver, rendered(tmp_path / "run", rows, pictures=pictures, rename=lambda text: text + name))
    assert complaints(driver) == []  # neither run nor refused: it is no markup
    assert driver.execute_script("return document.scripts.length + document.images.length") == 1
    driver.execute_script("for (const button of document.querySelectorAll('th button')) button.click()")
    assert driver.execute_script("return document.querySelectorAll('.picture .mark').length") >= 8
    assert complaints(driver) == []


def test_pages_of_quality_models_and_of_nothing_are_whole(driver: "Chrome", tmp_path: Path) -> None:
    for name, rows in (("quality", quality_rows()), ("nothing", [])):
        look(driver, rendered(tmp_path / name, rows, samples=False), 400)
        assert driver.execute_script(OVERFLOWING) == [400, []]
        assert complaints(driver) == []
