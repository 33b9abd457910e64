"""The summary of a run where a CI shows it: GitHub Actions names a file in GITHUB_STEP_SUMMARY that is appended to."""

from collections.abc import Iterable, Mapping
from pathlib import Path

VARIABLE = "GITHUB_STEP_SUMMARY"


def append_step_summary(pages: Iterable[Path], variables: Mapping[str, str]) -> str | None:
    """Append pages of Markdown to the file that the CI names, if it names one.

    Args:
        pages: files of Markdown; those that are not there are passed over.
        variables: of the process's environment.

    Returns:
        None, or a sentence that says why it could not be written: the run is not affected.
    """
    name = variables.get(VARIABLE)
    if not name:
        return None
    try:
        texts = [page.read_text(encoding="utf-8", errors="surrogateescape") for page in pages if page.is_file()]
        with Path(name).open("a", encoding="utf-8", errors="replace") as stream:
            stream.write("\n".join(texts))
    except OSError as error:
        return f"the summary was not appended to {name}, which {VARIABLE} names: {error.strerror or error}"
    return None
