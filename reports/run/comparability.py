"""What two runs must have in common to be compared, by the fingerprints in their environment.json.

Weights, images and what happens to images on their way to the model must be the same: another value of any other thing
then has another cause. Files, recipes, tools and code may differ, for they are what is compared. What depends on the
machine is compared on one kind of machine alone.

Cheap to import: plain Python only.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sealbench.reports.schema.metrics import METRICS

Environment = Mapping[str, Any]

# For each of these a mapping: by variant, or by dataset, variant and size.
SAME = {
    "weights": "measure both runs with the same --weights",
    "samples": "measure both runs with the same --samples",
    "data": "measure both runs on the same --dataset, with the same versions of the packages that bring its images",
    "preprocessing": "measure the older run again with this version",
}
MACHINE = ("cpu", "cpu_model", "cores", "machine")
MACHINE_UNITS = ("ms", "s", "x", "MB")
"""Units of what depends on the machine: times, their ratios, and memory."""
_REPORTED = ("attacks", "recipes", "artifacts", "packages", "python", "system", "git_commit", *MACHINE, "threads")


@dataclass(frozen=True)
class Difference:
    """Something that two runs do not have in common.

    Attributes:
        field: Its place in environment.json, e.g. "packages, ai-edge-litert".
        before: The value of the earlier run as text; "nothing" where it has none.
        after: The value of the later run.
    """

    field: str
    before: str
    after: str


def refusals(before: Environment, after: Environment) -> list[str]:
    """Explain why two runs cannot be compared.

    Only what both runs have is compared: a variant, a dataset or a fingerprint that one of them lacks is no difference.

    Args:
        before: environment.json of the earlier run.
        after: The same of the later one.

    Returns:
        For each reason a sentence with the field, what was found in each and what to do; none where they can be.
    """
    reasons = []
    for field, advice in SAME.items():
        ours, theirs = _entries(before, field), _entries(after, field)
        for name in ours.keys() & theirs.keys():
            if _fingerprint(ours[name]) != _fingerprint(theirs[name]):
                reasons.append(
                    f"{field} of {name} differ: found {_short(ours[name])} and {_short(theirs[name])}; {advice}"
                )
    ours, theirs = _entries(before, "weights"), _entries(after, "weights")
    if ours and theirs and not ours.keys() & theirs.keys():
        reasons.append(
            f"weights are of other variants: found {', '.join(ours)} and {', '.join(theirs)}; "
            "measure the same --variant"
        )
    return sorted(reasons)


def other_machine(before: Environment, after: Environment) -> str:
    """Explain why times of two runs are not compared.

    Args:
        before: environment.json of the earlier run.
        after: The same of the later one.

    Returns:
        A sentence that names the fields, or "" on the same kind of machine.
    """
    differences = [
        f"{field} {_short(before.get(field))} and {_short(after.get(field))}"
        for field in MACHINE
        if before.get(field) != after.get(field)
    ]
    return f"other machine: {', '.join(differences)}" if differences else ""


def depends_on_machine(metric: str) -> bool:
    """Whether a metric is compared on one kind of machine and number of threads alone.

    Args:
        metric: A known metric's name.
    """
    return METRICS[metric].unit in MACHINE_UNITS


def allowed_differences(before: Environment, after: Environment) -> tuple[Difference, ...]:
    """List what differs and may: the candidates for the cause of a change.

    Args:
        before: environment.json of the earlier run.
        after: The same of the later one.

    Returns:
        The differences in fields that both runs have; of recipes and artifacts those of files that both have.
    """
    found = []
    for field in _REPORTED:
        if field not in before or field not in after:
            continue
        ours, theirs = before[field], after[field]
        if isinstance(ours, dict) and isinstance(theirs, dict):
            names = ours.keys() | theirs.keys() if field == "packages" else ours.keys() & theirs.keys()
            found += [
                Difference(f"{field}, {name}", _short(ours.get(name)), _short(theirs.get(name)))
                for name in sorted(names)
                if ours.get(name) != theirs.get(name)
            ]
        elif ours != theirs:
            found.append(Difference(field, _short(ours), _short(theirs)))
    return tuple(found)


def _entries(environment: Environment, field: str) -> Mapping[str, Any]:
    found = environment.get(field)
    return found if isinstance(found, dict) else {}


def _fingerprint(entry: object) -> object:
    """Of weights the fingerprint alone: the same file is the same by whichever name it was asked for."""
    return entry.get("fingerprint", entry) if isinstance(entry, dict) else entry


def _short(entry: object) -> str:
    """For people: enough of a fingerprint to see that it is another."""
    if entry is None:
        return "nothing"
    if isinstance(entry, dict) and "fingerprint" in entry:
        return f"{entry.get('kind', '')} {str(entry['fingerprint'])[:12]}".strip()
    text = entry if isinstance(entry, str) else repr(entry)
    return text[:12] if len(text) == 64 and text.isalnum() else text
