"""`python -m bench COMMAND ...`: measurements beside the main job, which is `pytest bench`."""

import sys

USAGE = """usage: python -m bench candidates VARIANT [options]
       python -m bench profile VARIANT PRECISION [options]
       python -m bench error VARIANT PRECISION [options]

candidates   every recipe that a precision's was chosen from, measured side by side; --help lists its options
profile      where the time of a file goes, by kind of operation; --help lists its options
error        where the error of a file comes from, by step and by layer; --help lists its options
(the main job is `pytest bench`)"""


def main(arguments: list[str]) -> int:
    """Run a command; returns its exit code, 2 where there is no such command."""
    match arguments:
        case ["candidates", *rest]:
            from bench import candidates

            return candidates.main(rest)
        case ["profile", *rest]:
            from bench import operation_profile

            return operation_profile.main(rest)
        case ["error", *rest]:
            from bench import error_analysis

            return error_analysis.main(rest)
        case ["-h" | "--help", *_]:
            print(USAGE)
            return 0
    print(USAGE, file=sys.stderr)
    return 2


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
