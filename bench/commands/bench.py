"""Convert, measure and judge: the main job, `pytest bench` in any folder."""

import argparse
from collections.abc import Sequence

from sealbench.bench.arguments import TITLE, add_options

_HELP = {"-h", "--help"}


def main(arguments: Sequence[str]) -> int:
    """Run the suites with pytest; its own options, and paths of single suites, are accepted as well.

    Args:
        arguments: what follows the command's name.

    Returns:
        pytest's exit code, or the run's: see `sealbench.bench.session.plugin`.
    """
    if _HELP & set(arguments):
        print_help()
        return 0
    from sealbench.bench.session.main_job import run

    return run(arguments)


def print_help() -> None:
    """Print our options alone, at once: pytest, which has two hundred of its own, takes a second to start."""
    parser = argparse.ArgumentParser(
        prog="sealbench bench",
        usage="sealbench bench [options] [pytest options]",
        description="Convert, measure and judge: every variant at every precision against its PyTorch reference.",
        epilog="pytest's own options are accepted as well, such as -k size (the suites of that name), -x, --junitxml "
        "FILE and --benchmark-json FILE; `pytest --help` lists them. Exit code: 0 all gates pass or do not apply, 1 a "
        "gate or a test failed, 2 to 5 pytest's own, 10 inconclusive, 11 nothing was measured.",
    )
    add_options(parser.add_argument_group(TITLE).add_argument)
    parser.print_help()
