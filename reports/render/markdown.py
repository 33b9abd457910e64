"""summary.md: the run on one page, fit for a comment on a pull request."""

from collections import Counter
from collections.abc import Sequence

import pandas as pd

from sealbench.reports.gates.judge import GateResult, Verdict
from sealbench.reports.render.decision import by_model, headline_facts, smallest_that_passes
from sealbench.reports.render.gates import verdict_table
from sealbench.reports.render.table import MOST_ROWS_OF_MARKDOWN, markdown_table
from sealbench.reports.render.tables import model_label, models_task, precision_label, summary_table
from sealbench.reports.schema.formatting import case_label, markdown_text, random_note, rewrites_note
from sealbench.reports.schema.tasks import TASKS, WATERMARK, TaskReport

_SEEDED_NOTE = (
    "_seeded_: untrained weights. Size, latency and fidelity to PyTorch mean something, accuracy against the "
    "embedded message does not and is not judged (n/a)."
)
Record = dict  # one row of the summary frame


def summary_markdown(
    frame: pd.DataFrame,
    results: Sequence[GateResult],
    measured: int,
    notes: Sequence[str] = (),
    sections: Sequence[str] = (),
) -> str:
    """Write the page: first the conclusion, then the table, then each gate that did not pass.

    Args:
        frame: What `summary_frame` gives.
        results: The verdicts.
        measured: How many measurements the run made.
        notes: What the reader must know about the run itself, e.g. that it died half way.
        sections: Markdown that stands after the table, such as what `robustness_markdown` gives.

    Returns:
        Markdown, every name in it escaped.
    """
    rows: list[Record] = frame.to_dict("records")
    by_task = _by_task(rows)
    parts = [
        f"## {' and '.join(task.title for task in by_task) or WATERMARK.title} by precision",
        conclusion(rows, results, measured),
        *(f"> **Note:** {markdown_text(note)}" for note in notes),
        *(markdown_table(summary_table("", task, of_task)) for task, of_task in by_task.items()),
        markdown_text(rewrites_note(row["rewrites"] for row in rows)),
        markdown_text(random_note(rows)),
        *sections,
        _SEEDED_NOTE if any(row["weights"] == "seeded" for row in rows) else "",
        *(
            markdown_table(
                verdict_table(
                    title, [result for result in results if result.verdict is verdict], MOST_ROWS_OF_MARKDOWN
                ),
                "### ",
            )
            for title, verdict in (("Failed gates", Verdict.FAIL), ("Inconclusive gates", Verdict.INCONCLUSIVE))
        ),
        "Every verdict with its reason is in `verdicts.csv`, every value in `results.csv`.",
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def conclusion(rows: Sequence[Record], results: Sequence[GateResult], measured: int) -> str:
    """Say in a sentence or two what may ship.

    Args:
        rows: The summary's rows.
        results: The verdicts.
        measured: How many measurements the run made.

    Returns:
        Markdown; "pass" only where a gate really judged and passed.
    """
    count = Counter(result.verdict for result in results)
    judged = len(results) - count[Verdict.NOT_APPLICABLE]
    skipped = count[Verdict.NOT_APPLICABLE]
    aside = f" ({skipped} more did not apply)" if skipped else ""
    if count[Verdict.FAIL]:
        failed = _cases_with(results, Verdict.FAIL)
        first = f"**FAIL: {count[Verdict.FAIL]} of {judged} checks failed**{aside}: {failed}."
    elif measured == 0:
        return "**Nothing was measured**, so nothing can be said."
    elif count[Verdict.INCONCLUSIVE]:
        unsure = _cases_with(results, Verdict.INCONCLUSIVE)
        first = (
            f"**INCONCLUSIVE: {count[Verdict.INCONCLUSIVE]} of {judged} checks are inconclusive**, none failed"
            f"{aside}: {unsure}."
        )
    elif judged == 0:
        return f"**No verdict**: {measured} measurements, but no gate applied to them."
    else:
        first = f"**PASS: all {judged} checks passed**{aside}."
    choices = [choice for model in by_model(rows).values() if (choice := _choice(model))]
    return " ".join([first, *(["Smallest that passes: " + "; ".join(choices) + "."] if choices else [])])


def _cases_with(results: Sequence[GateResult], verdict: Verdict) -> str:
    by_case: dict[str, dict[str, None]] = {}
    for result in results:
        if result.verdict is verdict:
            label = case_label(result.case) if result.case else result.gate.where_text
            by_case.setdefault(label, {})[result.gate.metric] = None
    named = [f"{markdown_text(label)} ({', '.join(metrics)})" for label, metrics in by_case.items()]
    most = 6
    rest = [f"and {len(named) - most} more"] if len(named) > most else []
    return ", ".join(named[:most] + rest)


def _choice(rows: list[Record]) -> str | None:
    best = smallest_that_passes(rows)
    if best is None:
        return None
    facts = headline_facts(best, rows)
    details = f" ({', '.join(facts)})" if facts else ""
    return f"{markdown_text(model_label(best))} **{markdown_text(precision_label(best))}**{details}"


def _by_task(rows: Sequence[Record]) -> dict[TaskReport, list[Record]]:
    """Rows in their order by the task of their model, in the order of the registry."""
    found = [(models_task(of_model), of_model) for of_model in by_model(rows).values()]
    by_task = {task: [row for own, of_model in found for row in of_model if own is task] for task in TASKS}
    return {task: of_task for task, of_task in by_task.items() if of_task}
