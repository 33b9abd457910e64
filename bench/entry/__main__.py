"""`python -m sealbench`: see `sealbench.bench.commands`."""

import sys

from sealbench.bench.commands import main

if __name__ == "__main__":
    sys.exit(main())
