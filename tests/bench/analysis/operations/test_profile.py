from pathlib import Path

import numpy as np
import pytest

from sealbench.bench.analysis.operations.graph_operations import GraphOperation, read_operations
from sealbench.bench.analysis.operations.litert_profiler import Event, Profile
from sealbench.bench.analysis.operations.operation_times import File, Round, attribute, measure, summarize
from sealbench.bench.analysis.operations.profile import draw, print_rows
from sealbench.bench.commands import main as sealbench
from sealbench.bench.errors import RunnerError
from tests.bench.tiny import tiny_tflite


def main(arguments: list[str]) -> int:
    return sealbench(["profile", *arguments])


GRAPH = (
    GraphOperation("CONV_2D", (4, 4), 3_000),
    GraphOperation("DEPTHWISE_CONV_2D", (7, 7), 4_000),
    GraphOperation("ADD"),
    GraphOperation("DEPTHWISE_CONV_2D", (5, 5), 2_000),
    GraphOperation("CONV_2D", (1, 1), 1_000),
)
PATH = Path("some.tflite")


def events(scale: float = 1.0) -> list[Event]:
    """One run of the graph: its first depthwise convolution stays outside XNNPACK."""
    return [
        Event("Convolution (NHWC, F32) IGEMM", True, 0, 0.5 * scale),
        Event("DEPTHWISE_CONV_2D", False, 1, 4.0 * scale),
        Event("Static Reshape (NC)", True, 0, 0.25 * scale),
        Event("Add (ND)", True, 1, 0.25 * scale),
        Event("Convolution (NHWC, F32) DWConv", True, 2, 2.0 * scale),
        Event("Add (ND)", True, 3, 0.5 * scale),
        Event("Fully Connected (NC, F32) GEMM", True, 4, 0.5 * scale),
    ]


def test_operators_are_those_of_the_graph() -> None:
    assert [(name, count) for name, count, _ in attribute(events(), GRAPH, PATH)] == [
        ("CONV_2D 4x4", 3_000),
        ("DEPTHWISE_CONV_2D 7x7", 4_000),
        ("Static Reshape", 0),
        ("Add", 0),
        ("DEPTHWISE_CONV_2D 5x5", 2_000),
        ("Add", 0),
        ("CONV_2D 1x1", 1_000),  # XNNPACK runs it as fully connected
    ]


def test_operators_that_do_not_fit_the_graph_are_refused() -> None:
    with pytest.raises(RunnerError, match="runs 2 operators that multiply, expected the graph's 3"):
        attribute(events()[1:], GRAPH, PATH)
    swapped = [events()[-1], *events()[1:-1], events()[0]]
    swapped[-3] = Event("Fully Connected (NC, F32) GEMM", True, 2, 1.0)
    with pytest.raises(RunnerError, match=r"Fully Connected .* ran where the graph has DEPTHWISE_CONV_2D 5x5"):
        attribute(swapped, GRAPH, PATH)
    misplaced = [
        Event("DEPTHWISE_CONV_2D", False, 2, 1.0) if e.index == 1 and not e.in_xnnpack else e for e in events()
    ]
    with pytest.raises(RunnerError):
        attribute(misplaced, GRAPH, PATH)


def test_a_table_holds_medians_shares_and_rates() -> None:
    file = File("videoseal", "seeded", "256", "int8", "none", PATH)
    output = np.zeros(1, np.float32)
    scales = (1.0, 3.0, 2.0)
    rounds = [Round(10 * scale, Profile(tuple(events(scale)), 9 * scale, output)) for scale in scales]
    rows = summarize(file, GRAPH, rounds, threads=2)
    assert [(row.operation, row.runs_in, row.count, row.median_ms, row.share_pct) for row in rows] == [
        ("DEPTHWISE_CONV_2D 7x7", "LiteRT", 1, 8.0, 50.0),
        ("DEPTHWISE_CONV_2D 5x5", "XNNPACK", 1, 4.0, 25.0),
        ("Add", "XNNPACK", 2, 1.5, 9.375),
        ("CONV_2D 4x4", "XNNPACK", 1, 1.0, 6.25),
        ("CONV_2D 1x1", "XNNPACK", 1, 1.0, 6.25),
        ("Static Reshape", "XNNPACK", 1, 0.5, 3.125),
    ]
    assert {(row.operations_ms, row.profiled_ms, row.file_ms, row.rounds) for row in rows} == {(16.0, 18.0, 20.0, 3)}
    assert [row.multiplications_pct for row in rows] == [40, 20, 0, 30, 10, 0]
    assert rows[1].gops == pytest.approx(2 * 2_000 / 4e-3 / 1e9)
    assert rows[2].gops is None
    instant = [Round(1.0, Profile(tuple(events(0.0)[:1] + events()[1:]), 9.0, output))]
    assert summarize(file, GRAPH, instant, threads=2)[-1].gops is None  # below the profiler's microsecond


@pytest.mark.convert
def test_a_real_file_from_its_runs_to_table_and_picture(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "tiny.tflite"
    path.write_bytes(tiny_tflite())
    (rounds, again) = measure([path, path], threads=1, rounds=3)
    assert len(rounds) == len(again) == 4  # two orders, each equally often
    file = File("tiny", "seeded", "32", "float32", "none", path)
    rows = summarize(file, read_operations(path), rounds, threads=1)
    by_name = {row.operation: row for row in rows}
    depthwise = by_name["DEPTHWISE_CONV_2D 7x7"]
    assert (depthwise.count, depthwise.runs_in) == (4, "XNNPACK")
    assert by_name["MIRROR_PAD"].runs_in == "LiteRT"
    assert sum(row.multiplications_pct for row in rows) == pytest.approx(100)
    assert sum(row.count for row in rows) == len(rounds[0].profile.events)
    draw(rows, tmp_path / "a.png")
    assert (tmp_path / "a.png").read_bytes().startswith(b"\x89PNG")
    print_rows(rows)
    printed = capsys.readouterr().out
    assert "tiny (seeded) 256" not in printed
    assert "tiny (seeded) 32 float32, 1 threads" in printed
    assert "DEPTHWISE_CONV_2D 7x7" in printed
    assert "of which the operations explain" in printed


def test_wrong_input_is_one_line(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    assert main(["--variant", "nothing", "--precision", "int8"]) == 2
    assert main(["--variant", "videoseal_nano", "--precision", "int9"]) == 2
    assert main(["--variant", "videoseal_nano", "--precision", "int8,int9"]) == 2
    assert main(["--variant", "videoseal_nano", "--precision", "int8", "--rewrite", "none,all"]) == 2
    assert main(["--variant", "videoseal_nano", "--precision", "int8", "--out", str(tmp_path / "file" / "folder")]) == 2
    assert [line[:6] for line in capsys.readouterr().err.splitlines()] == ["error:"] * 5
    with pytest.raises(SystemExit):
        main(["--variant", "videoseal_nano", "--precision", "int8", "--threads", "0"])
