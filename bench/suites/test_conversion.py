"""Does the variant convert at this precision at all, and how long does it take?"""

import pytest

from sealbench.bench.measuring.workbench import GroupBench
from sealbench.bench.session.recorder import Recorder
from sealbench.bench.targets import Target

pytestmark = pytest.mark.suite(order=10)


@pytest.mark.measures("converted", "convert_s")
def test_conversion(conversion_target: Target, group: GroupBench, record: Recorder) -> None:
    """A conversion that fails is a row as well; the run continues."""
    try:
        artifact = group.files.convert(conversion_target)
    except Exception:
        record("converted", 0, n=1)
        raise
    record("converted", 1, n=1)
    record("convert_s", artifact.convert_s, n=1)
