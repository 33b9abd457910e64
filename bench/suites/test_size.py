"""How large is the file, and are its weights really stored as its name promises?"""

import pytest

from sealbench.bench.measuring.workbench import GroupBench
from sealbench.bench.session.recorder import Recorder
from sealbench.bench.targets import Target

pytestmark = pytest.mark.suite(order=20)


@pytest.mark.measures("size_bytes", "size_reduction_pct", "quantized_weight_pct")
def test_size(file_target: Target, group: GroupBench, record: Recorder) -> None:
    """Size, saving against the converted float32 file, and storage of the weights, from the file itself."""
    contents = group.files.contents(file_target)
    record("size_bytes", contents.size_bytes, n=1)
    record(
        "size_reduction_pct", 100 * (1 - contents.size_bytes / group.files.convert(file_target.float32).size_bytes), n=1
    )
    record("quantized_weight_pct", contents.quantized_weight_pct, n=1)
