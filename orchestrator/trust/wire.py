"""Reading SSH's binary form (RFC 4251): numbers and strings with their length before them."""

from __future__ import annotations

_LENGTH_BYTES = 4


class WireError(ValueError):
    """The bytes end too early, or go on after the end."""


class WireReader:
    """Reads fields one after the other; nothing is allocated before its length fits."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    @property
    def is_done(self) -> bool:
        """Whether everything has been read."""
        return self._at == len(self._data)

    def take(self, count: int) -> bytes:
        """The next bytes.

        Raises:
            WireError: there are fewer.
        """
        if count > len(self._data) - self._at:
            message = "it ends in the middle of a field"
            raise WireError(message)
        taken = self._data[self._at : self._at + count]
        self._at += count
        return taken

    def byte(self) -> int:
        """The next byte.

        Raises:
            WireError: there is none.
        """
        return self.take(1)[0]

    def uint32(self) -> int:
        """The next number of four bytes.

        Raises:
            WireError: it ends before.
        """
        return int.from_bytes(self.take(_LENGTH_BYTES), "big")

    def uint64(self) -> int:
        """The next number of eight bytes.

        Raises:
            WireError: it ends before.
        """
        return int.from_bytes(self.take(2 * _LENGTH_BYTES), "big")

    def string(self) -> bytes:
        """The next string.

        Raises:
            WireError: it ends before.
        """
        return self.take(self.uint32())

    def end(self) -> None:
        """Nothing may follow.

        Raises:
            WireError: something does.
        """
        if not self.is_done:
            message = "bytes follow its end"
            raise WireError(message)
