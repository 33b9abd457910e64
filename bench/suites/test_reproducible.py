"""Does converting everything anew, in another process, give the same bytes? Asked only where a gate asks for it."""

import pytest

from sealbench.bench.measuring.workbench import GroupBench
from sealbench.bench.session.recorder import Recorder
from sealbench.bench.targets import Target

pytestmark = pytest.mark.suite(order=12, gated=True)


@pytest.mark.measures("reproducible")
def test_reproducible(conversion_target: Target, group: GroupBench, record: Recorder) -> None:
    """The float32 file that others are made from is made anew as well."""
    record(
        "reproducible",
        group.files.sha256_again(conversion_target) == group.files.convert(conversion_target).sha256,
        n=1,
    )
