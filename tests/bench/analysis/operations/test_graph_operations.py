from pathlib import Path

import pytest

from sealbench.bench.analysis.operations.graph_operations import KINDS, GraphOperation, multiplying, read_operations
from sealbench.converters.errors import ModelFileError
from tests.bench.tiny import SIZE, tiny_tflite, tiny_watermarker


@pytest.mark.long
@pytest.mark.convert
def test_multiplications_are_those_that_pytorch_counts(tmp_path: Path) -> None:
    import torch
    from torch.utils.flop_counter import FlopCounterMode

    with FlopCounterMode(display=False) as counter, torch.no_grad():
        tiny_watermarker().detector(torch.zeros(1, 3, *SIZE))
    path = tmp_path / "tiny.tflite"
    path.write_bytes(tiny_tflite())
    operations = read_operations(path)
    assert 2 * sum(operation.multiplications for operation in operations) == counter.get_total_flops()
    names = [operations[index].name for index in multiplying(operations)]
    assert names.count("DEPTHWISE_CONV_2D 7x7") == 4  # one in each block
    assert names[0] == "CONV_2D 4x4"  # the stem
    assert names[-1] == "FULLY_CONNECTED"


def test_multiplications_of_a_kind() -> None:
    assert KINDS["CONV_2D"]((1, 8, 8, 6), (10, 3, 5, 2), (1, 4, 4, 10)) == 4 * 4 * 10 * 3 * 5 * 2  # three groups
    assert KINDS["DEPTHWISE_CONV_2D"]((1, 8, 8, 6), (1, 5, 2, 6), (1, 8, 8, 6)) == 8 * 8 * 6 * 10
    assert KINDS["FULLY_CONNECTED"]((1, 8, 8, 6), (10, 6), (1, 8, 8, 10)) == 8 * 8 * 10 * 6
    product = KINDS["BATCH_MATMUL"]
    assert product((2, 4, 3), (2, 3, 5), (2, 4, 5)) == product((2, 4, 3), (2, 5, 3), (2, 4, 5)) == 2 * 4 * 3 * 5


def test_names() -> None:
    assert GraphOperation("DEPTHWISE_CONV_2D", (2, 7), 5).name == "DEPTHWISE_CONV_2D 2x7"
    assert GraphOperation("MIRROR_PAD").name == "MIRROR_PAD"


def test_a_file_that_is_no_model_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "broken.tflite"
    path.write_bytes(b"\x00\x00\x00\x00TFL3" + bytes(40))
    with pytest.raises(ModelFileError, match=r"broken\.tflite"):
        read_operations(path)
