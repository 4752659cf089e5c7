"""What stands for a stdout that was closed before the program began."""

from __future__ import annotations

import errno
import io


class LostOutputError(OSError):
    """Something was written where nobody can read it."""


class Closed(io.StringIO):
    """Whatever is written is lost, and says so."""

    def write(self, text: str, /) -> int:
        """Fails.

        Raises:
            LostOutputError: always.
        """
        del text
        raise LostOutputError(errno.EBADF, "standard output is closed")
