"""`python -m bench COMMAND ...`: measurements beside the main job, which is `pytest bench`."""

import importlib
import sys

USAGE = """usage: python -m bench candidates VARIANT [options]
       python -m bench profile VARIANT PRECISION [options]
       python -m bench error VARIANT PRECISION [options]
       python -m bench aa [VARIANT [PRECISION]] [options]
       python -m bench litert-check [VARIANT [PRECISION]] [options]
       python -m bench power [RUN_DIR] [options]
       python -m bench evaluate [options]

candidates    every recipe that a precision's was chosen from, measured side by side; --help lists its options
profile       where the time of a file goes, by kind of operation; --help lists its options
error         where the error of a file comes from, by step and by layer; --help lists its options
aa            a file timed against itself: the noise, and what is found in it; --help lists its options
litert-check  a file's latency beside what LiteRT's own benchmark says; --help lists its options
power         how small a loss of bits is found in the logits that a run has recorded; --help lists its options
evaluate      how well PyTorch reads a model's watermarks, attack by attack; --help lists its options
(the main job is `pytest bench`)"""
MODULES = {
    "candidates": "bench.candidates",
    "profile": "bench.operation_profile",
    "error": "bench.error_analysis",
    "aa": "bench.aa",
    "litert-check": "bench.litert_check",
    "power": "bench.power",
    "evaluate": "bench.evaluation",
}


def main(arguments: list[str]) -> int:
    """Run a command; returns its exit code, 2 where there is no such command."""
    command, rest = arguments[:1], arguments[1:]
    if command in (["-h"], ["--help"]):
        print(USAGE)
        return 0
    if not command or command[0] not in MODULES:
        print(USAGE, file=sys.stderr)
        return 2
    code: int = importlib.import_module(MODULES[command[0]]).main(rest)
    return code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
