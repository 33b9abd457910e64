"""report.html says what was measured, escapes every name, loads nothing and stays small, whatever became of the run."""

import base64
import gzip
import hashlib
import json
import math
import re
from collections.abc import Sequence
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest

from sealbench.reports.gates.judge import Gate, load_gates
from sealbench.reports.render.page import files as page_files
from sealbench.reports.render.page import run as page
from sealbench.reports.render.plots.figures import FIGURES
from sealbench.reports.render.run import render as render_run
from sealbench.reports.run.directory import RunDirectory
from sealbench.reports.schema.records import Measurement
from sealbench.reports.schema.tables import SCORES
from tests.reports.render.conftest import NANO_ONLY, SharedRun
from tests.reports.runs import HOSTILE, save_run, torch_only
from tests.reports.synthetic import FULL, NANO, RUN_ID, altered, healthy_rows, quality_rows, without

VOID = {"meta", "link", "img", "br", "hr", "input"}


class Page(HTMLParser):
    """What a browser makes of a page: elements with their attributes, and the text of each."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.html = html
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[tuple[str, list[str]]] = [("", [])]
        self.texts: list[tuple[str, str]] = []
        self.feed(html)
        assert [tag for tag, _ in self.open] == [""], "an element is not closed"

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append((tag, []))

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        for _, texts in self.open:
            texts.append(data)

    def handle_endtag(self, tag: str) -> None:
        opened, texts = self.open.pop()
        assert opened == tag
        self.texts.append((tag, " ".join("".join(texts).split())))

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for found, attributes in self.elements if found == tag]

    def text(self, tag: str) -> list[str]:
        return [text for found, text in self.texts if found == tag]

    @property
    def body(self) -> str:
        return self.text("header")[0] + " " + self.text("main")[0]


def render(run: Path, *pictures: str, gates: Sequence[Gate] | None = None) -> Page:
    """Render a run with some pictures only: each takes a while."""
    render_run(run, load_gates() if gates is None else gates, {name: FIGURES[name] for name in pictures})
    return Page((run / "report.html").read_bytes().decode("utf-8"))


def page_of(path: Path, rows: list[Measurement] | None = None, *pictures: str, samples: bool = False) -> Page:
    return render(save_run(path / "run", rows, samples=samples), *pictures)


def test_the_recommendation_for_one_model_is_one_sentence(tmp_path: Path) -> None:
    rows = altered(NANO_ONLY, NANO.variant, "fp16", "bit_agreement", value=0.2, ci_low=0.1, ci_high=0.3)
    found = page_of(tmp_path, rows)
    assert found.text("h1") == [
        "Ship int8: 72.0 % smaller than float32, 2.81 x as fast as PyTorch, 99.90 % bit agreement, 99.27 % bit "
        "accuracy, no gate failed."
    ]
    assert "fp16 fails bit_agreement." in found.body
    assert "1 of" in found.text("title")[0]
    assert "checks failed" in found.text("title")[0]


def test_each_model_has_its_recommendation_and_untrained_ones_never_ship(tmp_path: Path) -> None:
    found = page_of(tmp_path)
    answers = dict(zip(found.text("dt"), found.text("dd"), strict=True))
    assert answers["videoseal_nano 256"].startswith("Ship int8: 72.0 % smaller than float32")
    full = answers["videoseal 256 (seeded)"]
    assert full.startswith("Smallest that passes: int8, 74.4 % smaller")
    assert "bit accuracy" not in full
    assert "weights untrained, so accuracy is not judged" in full
    assert found.text("h1")[0].startswith("pass All ")
    assert "do not apply, which is no pass" in found.text("h1")[0]


def test_what_was_measured_on_random_inputs_never_ships(tmp_path: Path) -> None:
    rows = [replace(row, dataset="random") if row.dataset else row for row in NANO_ONLY]
    (sentence,) = page_of(tmp_path, rows).text("h1")
    assert sentence.startswith("Smallest that passes: int8, 72.0 % smaller")
    assert sentence.endswith("measured on random inputs, which say nothing of data.")


def test_no_file_is_recommended_where_none_passed(tmp_path: Path) -> None:
    found = page_of(tmp_path, [replace(row, value=math.nan) for row in NANO_ONLY])
    assert found.text("h1") == ["No file passed."]
    assert "NaN" in found.text("td")
    assert page_of(tmp_path / "b", torch_only()).body.count("No file passed.") == 2


def test_tables_hold_the_values_the_verdicts_and_what_they_mean(tmp_path: Path) -> None:
    found = page_of(tmp_path, without(healthy_rows(), NANO.variant, "int8", "latency_ms"))
    (cell,) = (cell for cell in found.all("td") if cell.get("title") == "99.98 % (99.96 % to 100.00 %), n = 3072")
    assert cell["data-key"] == "0.9998"
    tips = [attributes.get("title") or "" for attributes in found.all("button")]
    assert any(tip.startswith("bit_agreement: Share of bits equal") for tip in tips)
    untrained = [cell for cell in found.all("td") if cell.get("title") == "untrained weights"]
    assert len(untrained) >= 5
    assert {cell["data-key"] for cell in untrained} == {""}
    assert found.text("caption")[0] == "Verdict by model and precision"


def test_what_does_not_apply_is_not_shown_as_passed(tmp_path: Path) -> None:
    found = render(save_run(tmp_path / "run", samples=False), gates=[])
    assert "No gate was asked." in found.body
    assert "pass" not in {cell["class"] for cell in found.all("td")}
    assert found.text("h1")[0].startswith("n/a No verdict")


def test_rejections_and_gates_stand_with_their_reasons(tmp_path: Path) -> None:
    rows = altered(healthy_rows(), FULL.variant, "int8", "size_reduction_pct", value=12.0)
    found = page_of(tmp_path, rows)
    assert "12 is not >= 74 %" in found.text("td")
    assert "8-bit weights are a quarter of 32-bit ones; scales, biases and the graph cost about 1 %." in found.text(
        "td"
    )
    assert found.body.count("size_reduction_pct >= 74.0 %") == 4  # failed; the gate; two verdicts


@pytest.mark.parametrize("name", HOSTILE)
def test_names_are_text_and_never_markup(tmp_path: Path, name: str) -> None:
    run = save_run(tmp_path / "run", NANO_ONLY, rename=lambda text: text + name)
    found = render(run, "accuracy_vs_size")  # which reads it as UTF-8
    assert found.all("script") == [{}]
    assert found.all("img") == []
    assert not [key for _, attributes in found.elements for key in attributes if key.startswith("on")]
    assert "\u202e" not in found.html
    shown = re.sub("[\u202e\udc80\x1b]", " ", name.replace("\n", "\\n"))
    assert found.text("figcaption")[0].replace(" ", "") == f"videoseal_nano{shown}256".replace(" ", "")


def test_only_our_script_may_run_and_nothing_is_loaded(shared_run: SharedRun) -> None:
    found = Page(shared_run.html)
    policy = next(m["content"] or "" for m in found.all("meta") if m.get("http-equiv") == "Content-Security-Policy")
    script = re.search(r"<script>(.*?)</script>", found.html, re.DOTALL)
    assert script is not None
    digest = base64.b64encode(hashlib.sha256(script[1].encode()).digest()).decode()
    assert f"script-src 'sha256-{digest}'" in policy
    assert policy.startswith("default-src 'none'")
    links = [a.get(key) or "" for _, a in found.elements for key in ("href", "src") if key in a]
    assert links
    assert {link.partition(":")[0] if ":" in link else link[0] for link in links} == {"data", "#"}
    assert "url(http" not in found.html
    assert "@import" not in found.html


def test_every_picture_has_marks_that_tell_what_they_are(shared_run: SharedRun) -> None:
    found = Page(shared_run.html)
    assert len(found.all("svg")) > 20
    ids = [attributes["id"] for _, attributes in found.elements if "id" in attributes]
    assert len(ids) == len(set(ids))
    targets = {href[1:] for _, a in found.elements if (href := a.get("href") or "").startswith("#")}
    assert targets <= set(ids)
    tips = found.text("title")
    assert any(tip.startswith("int8: 3.2 MB, bit_accuracy 99.27 %") and "no gate failed" in tip for tip in tips)
    assert any(tip.startswith("int8, jpeg:50: ") and "points lower than PyTorch" in tip for tip in tips)
    assert any(tip.startswith("int8: median 13") and "in 30 rounds" in tip for tip in tips)
    titles = found.text("h2")
    for title in (
        "Accuracy against file size",
        "Latency of single inferences",
        "Bits read after an attack, by precision",
    ):
        assert title in titles
    assert found.text("h3") == 3 * ["videoseal_nano 256"]  # of the pictures of single files: scores, logits, layers


def test_a_rejected_point_says_why(tmp_path: Path) -> None:
    rows = altered(NANO_ONLY, NANO.variant, "int8", "bit_agreement", value=0.9, ci_low=0.89, ci_high=0.91)
    tips = [tip for tip in page_of(tmp_path, rows, "accuracy_vs_size").text("title") if tip.startswith("int8: ")]
    assert len(tips) == 2  # the point and its cross
    assert all("; rejected; bit_agreement: 0.9 is not > 0.99" in tip for tip in tips)


def test_without_attacks_there_is_no_picture_of_them(tmp_path: Path) -> None:
    assert "Bits read after an attack, by precision" not in page_of(tmp_path, NANO_ONLY, "robustness").text("h2")


def test_quality_models_have_their_own_headlines_and_scores(tmp_path: Path) -> None:
    run = save_run(tmp_path / "run", [row for row in quality_rows() if row.case.variant == "uvq1p5"], samples=False)
    scores = [
        (
            "uvq1p5",
            precision,
            "litert",
            "none",
            f"clip/{n}",
            2.0 + n / 9,
            2.0 + n / 9.5,
            1,
            0,
            0,
            1,
            1,
            1,
            "1080x1920",
            "none",
            "upstream",
        )
        for precision in ("float32", "int8")
        for n in range(9)
    ]
    assert len(scores[0]) == len(SCORES.names)
    RunDirectory(run, RUN_ID).append_rows(SCORES, scores)
    found = render(run, "score_scatter", "logits_scatter")
    assert "Scores of single frames against the PyTorch reference" in found.text("h2")
    assert "score error %" in found.text("button")
    assert "agreement %" not in found.text("button")
    assert found.text("caption")[1] == "Quality models"


def test_half_a_run_says_that_it_is_one(tmp_path: Path) -> None:
    run = save_run(tmp_path / "run", samples=False)
    lines = (run / "results.csv").read_text().splitlines(keepends=True)
    (run / "results.csv").write_text("".join(lines[: len(lines) // 3]))
    (run / "environment.json").write_text("{ cut off")
    found = render(run)
    assert "the run did not finish" in found.body
    assert "Nothing was measured of" in found.body
    assert "promised but not measured" in found.body
    assert "environment.json is missing or cannot be read." in found.body


@pytest.mark.parametrize(
    ("name", "pictures"),
    [
        ("environment.json", ()),
        ("plan.csv", ()),
        ("samples/bits.csv", ("bit_positions",)),
        ("samples/latency.csv", ("latency_distributions",)),
    ],
)
def test_a_missing_or_damaged_file_costs_only_its_own_part(
    tmp_path: Path, name: str, pictures: tuple[str, ...]
) -> None:
    run = save_run(tmp_path / "run", NANO_ONLY)
    (run / name).unlink()
    render(run, *pictures)
    (run / name).write_bytes(b"\xff\xfe,\x00")
    if name != "plan.csv":
        render(run, *pictures)
    assert "Ship <strong>int8</strong>" in (run / "report.html").read_text(encoding="utf-8")


def test_an_empty_run_has_a_page(tmp_path: Path) -> None:
    found = page_of(tmp_path, [], *FIGURES)
    assert found.text("h1") == ["n/a Nothing was measured, so nothing can be said."]


def test_infinite_values_are_shown(tmp_path: Path) -> None:
    rows = [replace(row, value=math.inf, ci_low=-math.inf, ci_high=math.inf) for row in NANO_ONLY]
    found = page_of(tmp_path, rows, "accuracy_vs_size")
    assert "inf" in {cell["data-key"] for cell in found.all("td")}


def test_a_picture_that_fails_is_named_and_the_page_stands(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:

    def broken(*_: object) -> None:
        raise RuntimeError("no <ink>")

    monkeypatch.setitem(FIGURES, "accuracy_vs_size", broken)
    found = page_of(tmp_path, NANO_ONLY, "accuracy_vs_size", "accuracy_vs_latency")
    assert "plot accuracy_vs_size could not be drawn: RuntimeError: no <ink>" in found.body
    assert "Accuracy against latency" in found.text("h2")


def test_files_are_in_the_page_as_they_are_in_the_folder(tmp_path: Path) -> None:
    run = save_run(tmp_path / "run")
    found = render(run)
    links = {str(a["download"]): str(a["href"]).partition("base64,")[2] for a in found.all("a")}
    assert base64.b64decode(links["results.csv"]) == (run / "results.csv").read_bytes()
    assert gzip.decompress(base64.b64decode(links["bits.csv.gz"])) == (run / "samples/bits.csv").read_bytes()
    assert {"summary.csv", "verdicts.csv", "plan.csv", "latency.csv", "worst_images.csv"} <= set(links)
    assert json.loads(base64.b64decode(links["environment.json"]))["cpu"] == "a processor"


def test_the_page_stays_small_and_says_what_it_leaves_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(page, "LIMIT_BYTES", 400_000)
    monkeypatch.setattr(page, "_PICTURE_BYTES", 25_000)
    monkeypatch.setattr(page_files, "_PLAIN_BYTES", 10**9)
    found = page_of(tmp_path, None, "accuracy_vs_size", "accuracy_vs_latency", samples=True)
    assert len(found.html.encode()) < 400_000
    assert "samples/bits.csv: too large for this page, it is in the run's folder" in found.body
    assert re.search(r"plots/\w+\.png has the rest", found.body)
    assert "summary.csv" in {a["download"] for a in found.all("a")}


@pytest.mark.long
def test_many_models_at_full_size_stay_under_the_limit(tmp_path: Path) -> None:
    rows = [
        replace(row, case=replace(row.case, variant=f"{row.case.variant}_{n}"))
        for n in range(40)
        for row in healthy_rows()
    ]
    found = page_of(tmp_path, rows)
    assert len(found.html.encode()) < page.LIMIT_BYTES
    assert "more rows are in" in found.body


@pytest.mark.long
def test_the_same_record_gives_the_same_page(tmp_path: Path) -> None:
    run = save_run(tmp_path / "run", NANO_ONLY)
    names = ("accuracy_vs_latency", "bit_positions", "logits_scatter")
    assert render(run, *names).html == render(run, *names).html
