"""Does the file hold what its name promises: the right weights, in the right number type, for the fast kernels?"""

import pytest

from sealbench.bench.measuring.workbench import GroupBench
from sealbench.bench.session.recorder import Recorder
from sealbench.bench.targets import Target
from sealbench.converters.tflite.weight_slopes import channel_slope_error, slope_error, unmatched_pct

pytestmark = pytest.mark.suite(order=30)


@pytest.mark.measures("int4_weight_pct", "quantize_operations", "xnnpack_partitions", "delegated_operation_pct")
def test_storage(file_target: Target, group: GroupBench, record: Recorder) -> None:
    """Share at 4 bits, changes of the number type, and what XNNPACK takes, from the file itself."""
    contents = group.files.contents(file_target)
    record("int4_weight_pct", contents.int4_weight_pct, n=1)
    record("quantize_operations", contents.quantize_operations, n=1)
    record("xnnpack_partitions", contents.partitions, n=1)
    record("delegated_operation_pct", contents.delegated_pct, n=1)


@pytest.mark.measures("weight_slope_error", "weight_channel_slope_error", "unmatched_weight_pct")
def test_weights(quantized_target: Target, group: GroupBench, record: Recorder) -> None:
    """Each layer's dequantized weights on those of PyTorch."""
    slopes = group.files.slopes(quantized_target, group.source_state(), group.family.image_scale)
    record("weight_slope_error", slope_error(slopes), n=max(1, len(slopes)))
    record("weight_channel_slope_error", channel_slope_error(slopes), n=max(1, len(slopes)))
    record("unmatched_weight_pct", unmatched_pct(slopes), n=max(1, len(slopes)))
