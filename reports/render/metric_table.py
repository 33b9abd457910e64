"""The table of all metrics as Markdown: `python -m sealbench.reports.render.metric_table [PAGE]`.

With a page, the table in it is written anew between two comments; without one it is printed.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from sealbench.reports.errors import ReportError
from sealbench.reports.files import write_atomically
from sealbench.reports.gates.judge import load_gates
from sealbench.reports.schema.metric import Metric
from sealbench.reports.schema.metrics import METRICS

BEGIN = "<!-- metrics: written by `python -m sealbench.reports.render.metric_table docs/data-contract.md` -->"
END = "<!-- end of metrics -->"


def metric_table() -> str:
    """Draw the table.

    Returns:
        Markdown, a row for each metric of the registry: its unit, which direction is better, its definition, how many
        of the default gates judge it or why none does, and which pictures draw it.
    """
    rows = [
        f"| `{metric.name}` | {metric.unit} | {metric.better} | {metric.description.replace('|', chr(92) + '|')} "
        f"| {_gate(metric)} | {', '.join(f'`plots/{name}.png`' for name in metric.plots)} |"
        for metric in METRICS.values()
    ]
    head = ["| metric | unit | better | definition | gate | plot |", "| --- | --- | --- | --- | --- | --- |"]
    return "\n".join([*head, *rows]) + "\n"


def write_table(page: Path) -> None:
    """Write the table into a page, between its two comments.

    Args:
        page: A Markdown file that holds BEGIN and END.

    Raises:
        ReportError: The page cannot be read or written, or has not both comments.
    """
    try:
        before, begin, rest = page.read_text(encoding="utf-8").partition(BEGIN)
    except OSError as error:
        raise ReportError(f"cannot read {page}: {error.strerror or error}") from error
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ReportError(f"{page}: expected the lines {BEGIN} and {END}, between which the table goes")
    write_atomically(page, f"{before}{BEGIN}\n\n{metric_table()}\n{END}{after}")


def _gate(metric: Metric) -> str:
    count = sum(gate.metric == metric.name for gate in load_gates())
    return f"{count} gate{'s' if count > 1 else ''}" if count else metric.no_gate or "no gate"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command.

    Args:
        arguments: Without the program's name; those of the process when None.

    Returns:
        0, or 2 with one line on standard error for a page that cannot be used.
    """
    parser = argparse.ArgumentParser(
        prog="python -m sealbench.reports.render.metric_table", description="The table of all metrics."
    )
    parser.add_argument("page", nargs="?", type=Path, help="the page to write it into (default: print it)")
    options = parser.parse_args(arguments)
    if options.page is None:
        print(metric_table(), end="")
        return 0
    try:
        write_table(options.page)
    except ReportError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
