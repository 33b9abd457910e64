"""`python -m sealbench.bench.backends.worker`: see `sealbench.bench.backends.worker.server`."""

import sys

from sealbench.bench.backends.worker.server import main

if __name__ == "__main__":
    sys.exit(main())
