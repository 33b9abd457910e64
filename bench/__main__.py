"""`python -m bench COMMAND ...`: measurements beside the main job, which is `pytest bench`."""

import sys

USAGE = """usage: python -m bench candidates VARIANT [options]

candidates   every recipe that a precision's was chosen from, measured side by side; --help lists its options
(the main job is `pytest bench`)"""


def main(arguments: list[str]) -> int:
    """Run a command; returns its exit code, 2 where there is no such command."""
    match arguments:
        case ["candidates", *rest]:
            from bench import candidates

            return candidates.main(rest)
        case ["-h" | "--help", *_]:
            print(USAGE)
            return 0
    print(USAGE, file=sys.stderr)
    return 2


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
