"""Converters print hundreds of lines for each model: they are kept back, and shown where one fails."""

import contextlib
import os
import sys
import tempfile
from collections.abc import Iterator


@contextlib.contextmanager
def quiet_unless_failing() -> Iterator[None]:
    """Keep what the converters print, from Python and from C++, off the terminal; on an error, print its end.

    They write some hundred lines for each model, from C++ past Python's own streams: so the descriptors are redirected
    as well as the streams, which need not lead to them (under pytest they do not).
    """
    with tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace") as log:
        for stream in (sys.stdout, sys.stderr):
            stream.flush()  # what was printed before goes where it was meant to go
        saved = [os.dup(descriptor) for descriptor in (1, 2)]
        try:
            for descriptor in (1, 2):
                os.dup2(log.fileno(), descriptor)
            with contextlib.redirect_stdout(log), contextlib.redirect_stderr(log):
                yield
        except BaseException:
            log.flush()
            length = os.fstat(log.fileno()).st_size
            os.write(saved[1], os.pread(log.fileno(), 4000, max(0, length - 4000)))
            raise
        finally:
            for descriptor, copy in zip((1, 2), saved, strict=True):
                os.dup2(copy, descriptor)
                os.close(copy)
