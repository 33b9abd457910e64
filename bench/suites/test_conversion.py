"""Does the variant convert at this precision at all, and how long does it take?"""

import pytest

from bench.recorder import Recorder
from bench.targets import Target
from bench.workbench import GroupBench


@pytest.mark.measures("converted", "convert_s")
def test_conversion(conversion_target: Target, group: GroupBench, record: Recorder) -> None:
    """A conversion that fails is a row as well; the rest of the run goes on."""
    try:
        artifact = group.convert(conversion_target)
    except Exception:
        record("converted", 0, n=1)
        raise
    record("converted", 1, n=1)
    record("convert_s", artifact.convert_s, n=1)
