"""Fingerprints: what must be the same, what may differ and is reported."""

from typing import Any

import pytest

from sealbench.reports.run.comparability import allowed_differences, depends_on_machine, other_machine, refusals
from tests.reports.saved_runs import ENVIRONMENT


def changed(**fields: Any) -> dict[str, Any]:
    return {**ENVIRONMENT, **fields}


@pytest.mark.parametrize(
    ("field", "value", "words"),
    [
        ("weights", {"videoseal_nano": {"kind": "file", "fingerprint": "e" * 64}}, "the same --weights"),
        ("samples", {"videoseal_nano": 5}, "found 6 and 5; measure both runs with the same --samples"),
        ("data", {"photographs for videoseal_nano at 256": "e" * 64}, "cccccccccccc and eeeeeeeeeeee; measure both"),
        ("preprocessing", {"videoseal_nano": "e" * 64}, "measure the older run again"),
    ],
)
def test_what_must_be_the_same(field: str, value: dict[str, Any], words: str) -> None:
    (reason,) = refusals(ENVIRONMENT, changed(**{field: value}))
    assert reason.startswith(f"{field} of ")
    assert "videoseal_nano" in reason
    assert words in reason


def test_what_only_one_run_has_makes_no_two_things_unlike() -> None:
    bare = {name: value for name, value in ENVIRONMENT.items() if name not in {"preprocessing", "data"}}
    more = changed(weights={**ENVIRONMENT["weights"], "pixelseal": {"kind": "seeded", "fingerprint": "f" * 64}})
    assert refusals(ENVIRONMENT, bare) == []
    assert refusals(ENVIRONMENT, more) == []


def test_the_same_weights_by_another_name_are_the_same() -> None:
    renamed = changed(weights={"videoseal_nano": {"kind": "file", "fingerprint": "a" * 64}})
    assert refusals(ENVIRONMENT, renamed) == []


def test_runs_of_no_common_variant_are_refused() -> None:
    (reason,) = refusals(ENVIRONMENT, changed(weights={"pixelseal": {"kind": "seeded", "fingerprint": "f" * 64}}))
    assert "found videoseal_nano, videoseal and pixelseal; measure the same --variant" in reason


def test_the_machine_is_its_processor_and_cores() -> None:
    assert other_machine(ENVIRONMENT, ENVIRONMENT) == ""
    assert other_machine(ENVIRONMENT, changed(cpu="Model A")) == "other machine: cpu Model T and Model A"
    assert other_machine({}, changed()).startswith("other machine: cpu nothing and Model T")
    assert depends_on_machine("latency_ms")
    assert depends_on_machine("speedup_vs_torch")
    assert not depends_on_machine("bit_accuracy")


def test_what_may_differ_is_words() -> None:
    later = changed(
        git_commit="ffff", packages={"torch": "2.14.0", "ai-edge-litert": "2.3.0", "numpy": "2.0"}, attacks=["jpeg:50"]
    )
    found = [(item.field, item.before, item.after) for item in allowed_differences(ENVIRONMENT, later)]
    assert found == [
        ("packages, numpy", "nothing", "2.0"),
        ("packages, torch", "2.13.0", "2.14.0"),
        ("git_commit", "0123456789abcdef", "ffff"),
    ]
    attacked = [changed(attacks=["none"]), changed(attacks=["none", "jpeg:50"])]
    assert [item.field for item in allowed_differences(*attacked)] == ["attacks"]
