"""UVQ's checkpoints and the command that converts its networks: what is taken and what is refused."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from sealbench.converters.checkpoints.uvq import NETWORKS, load_chain, load_network
from sealbench.converters.convert_to_tflite_int8 import main
from sealbench.converters.errors import UnknownNameError, WeightsError
from sealbench.converters.tflite.model_file import read_model_file
from sealbench.converters.tflite.partitions import xnnpack_partitions
from tests.converters.model_inputs import pattern
from tests.converters.uvq_inputs import features, seeded

# --- Loading ---


@pytest.mark.convert
@pytest.mark.parametrize("name", NETWORKS)
def test_file_of_the_released_layout_is_loaded(tmp_path: Path, name: str) -> None:
    path = tmp_path / f"{name}_net.pth"
    state = {key: value + 1 for key, value in seeded(name).state_dict().items()}
    torch.save(state, path)
    loaded = load_network(name, path)
    assert not loaded.training
    for key, value in loaded.state_dict().items():
        assert torch.equal(value, state[key]), key


@pytest.mark.convert
def test_counters_of_batch_norms_may_be_left_out(tmp_path: Path) -> None:
    state = {key: value for key, value in seeded("content").state_dict().items() if "num_batches" not in key}
    torch.save(state, tmp_path / "content_net.pth")
    loaded = load_network("content", tmp_path / "content_net.pth")
    with torch.inference_mode():
        image = pattern(64, 64) * 2 - 1
        torch.testing.assert_close(loaded(image), seeded("content")(image))


def test_checkpoint_that_does_not_fit_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "aggregation_net.pth"
    state = dict(seeded("aggregation").state_dict())
    torch.save({**state, "ln1.weight": torch.ones(256), "bn1.weight": torch.ones(1)}, path)
    with pytest.raises(
        WeightsError, match=r"unexpected: bn1\.weight; 1 of another shape: ln1\.weight \(256,\) instead"
    ):
        load_network("aggregation", path)
    del state["linear1.bias"]
    torch.save(state, path)
    with pytest.raises(WeightsError, match=r"aggregation_net\.pth: does not fit .* 1 missing: linear1\.bias"):
        load_network("aggregation", path)
    with pytest.raises(WeightsError, match="no such file"):
        load_network("content", tmp_path / "none.pth")
    with pytest.raises(UnknownNameError, match="known: content, distortion, aggregation"):
        load_network("compression")
    with pytest.raises(WeightsError, match="no checkpoint of content, distortion"):
        load_chain({"aggregation": path})


class Planted:
    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, ("planted",)


def test_checkpoint_is_never_unpickled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    torch.save({"conv1.weight": Planted()}, "aggregation_net.pth")
    with pytest.raises(WeightsError, match="not a checkpoint of tensors only"):
        load_network("aggregation", Path("aggregation_net.pth"))
    assert not Path("planted").exists()


# --- The command ---


@pytest.mark.convert
def test_command_converts_one_network(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from ai_edge_litert.interpreter import Interpreter

    checkpoint = tmp_path / "mine.pth"
    torch.save(seeded("aggregation").state_dict(), checkpoint)
    out = tmp_path / "out"
    assert main(["--model", "aggregation", "--output_dir", str(out), "--aggregation_path", str(checkpoint)]) == 0
    assert [path.name for path in out.iterdir()] == ["aggregation_net_int8.tflite"]
    assert f"weights:   {checkpoint}" in capsys.readouterr().out
    model = read_model_file(out / "aggregation_net_int8.tflite")
    assert [signature.shape for signature in model.inputs] == [(1, 8, 8, 128), (1, 24, 24, 128)]
    assert [signature.shape for signature in model.outputs] == [(1, 1)]
    assert {signature.dtype for signature in (*model.inputs, *model.outputs)} == {"FLOAT32"}
    assert model.size_bytes < 115_000
    interpreter = Interpreter(str(out / "aggregation_net_int8.tflite"), num_threads=1)
    interpreter.allocate_tensors()
    for details, value in zip(interpreter.get_input_details(), features(), strict=True):
        interpreter.set_tensor(details["index"], value.numpy())
    interpreter.invoke()
    found = interpreter.get_tensor(interpreter.get_output_details()[0]["index"])
    with torch.inference_mode():
        expected = seeded("aggregation")(*features()).numpy()
    assert found == pytest.approx(expected, abs=0.05)


@pytest.mark.long
@pytest.mark.convert
def test_every_batch_norm_is_folded_and_every_convolution_quantized(tmp_path: Path) -> None:
    """The export of large constants by reference leaves one batch norm behind, and its weights in float32."""
    assert main(["--model", "content", "--output_dir", str(tmp_path)]) == 0
    model = read_model_file(tmp_path / "content_net_int8.tflite")
    assert [signature.shape for signature in model.inputs] == [(1, 256, 256, 3)]
    assert [signature.shape for signature in model.outputs] == [(1, 8, 8, 128)]
    assert model.quantized_weight_pct > 99
    assert model.size_bytes < 4_300_000
    assert xnnpack_partitions(model.path, threads=1).partitions == 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--model", "content", "--aggregation_path", "a.pth"], "error: --aggregation_path a.pth: aggregation is not"),
        (["--content_path", "nowhere.pth"], "error: --content_path nowhere.pth: no such file"),
    ],
)
def test_wrong_input_is_one_line_and_writes_nothing(
    refused: Callable[..., str], arguments: list[str], message: str
) -> None:
    assert refused(main, arguments).startswith(message)
