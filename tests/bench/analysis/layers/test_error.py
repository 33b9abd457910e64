"""The command from a real conversion to its files."""

import csv
import json
import math
from pathlib import Path

import pytest

from sealbench.bench.analysis.layers.error import Analysis, analyse, node_data, print_analysis, write
from sealbench.bench.analysis.layers.layer_errors import LayerError
from sealbench.bench.commands import main as sealbench
from sealbench.bench.targets import Group, Target
from sealbench.converters.cards.image_size import ImageSize
from sealbench.converters.export.precisions import get_precision
from sealbench.converters.families.weight_sources import find_weights
from sealbench.converters.tflite.model_file import ModelReader, mapped
from sealbench.reports.statistics.error_terms import TOTAL
from tests.bench.tiny import SIZE, TINY


def main(arguments: list[str]) -> int:
    return sealbench(["error", *arguments])


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(scope="module")
def analysis(cache: Path) -> Analysis:
    """The tiny detector at int8, on two photographs."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(cache))
        group = Group(TINY, find_weights(TINY, "seeded"), ImageSize(*SIZE))
        return analyse(Target(group, get_precision("int8"), "litert", 2, "split_depthwise"), samples=2)


@pytest.mark.long
@pytest.mark.convert
def test_steps_add_up_and_quantization_is_the_largest(analysis: Analysis) -> None:
    assert [term.term for term in analysis.terms] == ["conversion", "quantization", "kernels", "threads", TOTAL]
    terms = {term.term: term for term in analysis.terms}
    assert sum(term.share_pct for term in analysis.terms[:-1]) == pytest.approx(terms[TOTAL].share_pct) == 100
    assert terms["conversion"].rms < 1e-4
    assert terms["quantization"].rms > 10 * terms["conversion"].rms
    assert analysis.images == 2
    assert (analysis.case.rewrites, analysis.case.weights) == ("split_depthwise", "seeded")


@pytest.mark.convert
def test_the_files_hold_what_was_found(analysis: Analysis, cache: Path, tmp_path: Path) -> None:
    write(analysis, tmp_path)
    with (tmp_path / "error-tiny-int8-layers.csv").open(encoding="utf-8") as file:
        layers = list(csv.DictReader(file))
    assert [row["layer"] for row in layers] == [layer.layer for layer in analysis.layers]
    assert [float(row["isolated_pct"]) for row in layers] == [layer.isolated_pct for layer in analysis.layers]
    assert {(row["variant"], row["precision"], row["images"]) for row in layers} == {("tiny", "int8", "2")}
    with (tmp_path / "error-tiny-int8-terms.csv").open(encoding="utf-8") as file:
        assert [float(row["rms"]) for row in csv.DictReader(file)] == [term.rms for term in analysis.terms]
    assert (tmp_path / "error-tiny-int8.png").read_bytes().startswith(b"\x89PNG")

    (path,) = cache.rglob("*_int8.tflite")
    with mapped(path) as content:
        reader = ModelReader(path, content)
        graph = next(reader.graphs())
        outputs = {graph.Tensors(op.Outputs(0)).Name().decode() for _, op in reader.operations(graph)}
    for name in ("isolated", "accumulated"):
        results = json.loads((tmp_path / f"error-tiny-int8-{name}.json").read_text())["results"]
        assert results.keys() <= outputs  # by these names Model Explorer finds the nodes
        found = [getattr(layer, f"{name}_pct") for layer in analysis.layers]
        assert [result["value"] for result in results.values()] == found


@pytest.mark.convert
def test_the_terminal_shows_the_worst_layers(analysis: Analysis, capsys: pytest.CaptureFixture[str]) -> None:
    print_analysis(analysis)
    printed = capsys.readouterr().out
    assert "tiny (seeded) 32 int8, split_depthwise, 2 images" in printed
    worst = max(analysis.layers, key=lambda layer: layer.isolated_pct)
    assert printed.index(worst.layer) < min(
        printed.index(layer.layer) for layer in analysis.layers if layer is not worst and layer.layer in printed
    )


def test_a_layer_that_is_not_finite_is_black_and_the_json_strict() -> None:
    layers = [LayerError(name, "CONV_2D 1x1", "INT8", value, 1.0, 1.0) for name, value in (("a", math.nan), ("b", 2.0))]
    results = json.loads(node_data(layers, "isolated_pct"), parse_constant=pytest.fail)["results"]
    assert results["a"]["bgColor"] == "#000000"
    assert results["b"] == {"value": 2.0}


def test_wrong_input_is_one_line(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    assert sealbench(["error", "--variant", "nothing", "--precision", "int8"]) == 2
    assert main(["--variant", "videoseal_nano", "--precision", "int9"]) == 2
    assert main(["--variant", "videoseal_nano", "--precision", "int8", "--rewrite", "all"]) == 2
    assert main(["--variant", "videoseal_nano", "--precision", "int8", "--out", str(tmp_path / "file" / "folder")]) == 2
    assert main(["--variant", "videoseal_nano", "--precision", "int8", "--run-dir", str(tmp_path)]) == 2
    assert [line[:6] for line in capsys.readouterr().err.splitlines()] == ["error:"] * 5
    with pytest.raises(SystemExit):
        main(["--variant", "videoseal_nano", "--precision", "int8", "--samples", "0"])
