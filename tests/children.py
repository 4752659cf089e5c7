"""Programs that a test starts."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any


@contextmanager
def child(words: Sequence[str | Path], **options: Any) -> Iterator[subprocess.Popen[Any]]:
    """A program that a block deals with; waits for its end, as `subprocess.Popen` does.

    It is killed where the block fails: Popen would wait for a program that waits for the block, and
    the alarm of a test, which may be what failed, rings once.
    """
    with subprocess.Popen(words, **options) as process:
        try:
            yield process
        except BaseException:
            process.kill()
            raise
