"""How large is the file, and are its weights really stored as its name promises?"""

import pytest

from sealbench.bench.session.recorder import Recorder
from sealbench.bench.session.workbench import GroupBench
from sealbench.bench.targets import Target
from sealbench.converters.tflite.model_file import read_model_file

pytestmark = pytest.mark.suite(order=20)


@pytest.mark.measures("size_bytes", "size_reduction_pct", "quantized_weight_pct")
def test_size(file_target: Target, group: GroupBench, record: Recorder) -> None:
    """Size, saving against the converted float32 file, and storage of the weights, from the file itself."""
    model = read_model_file(group.path(file_target))
    record("size_bytes", model.size_bytes, n=1)
    record("size_reduction_pct", 100 * (1 - model.size_bytes / group.convert(file_target.float32).size_bytes), n=1)
    record("quantized_weight_pct", model.quantized_weight_pct, n=1)
