"""Secrets for servers of others: named in the operator's configuration, never in a plan.

Bearer tokens for monitoring systems, and what notifications are signed with.

Laws:
1. An entry says for which origin a token is and where it lies: `https://prom.example=file:/path`
   or `https://prom.example=env:NAME`. It is read when it is needed, so that it may be renewed.
2. A token is sent to its origin only, and stands in no error, log, plan or journal.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from orchestrator.errors import system_reason
from orchestrator.outward.failure import OutwardError
from orchestrator.outward.http import Origin, Token, checked_url, origin

TOKEN_BYTES_MAX = 16 * 1024
_SOURCES = ("file", "env")


class Tokens:
    """Finds the token for an address.

    Args:
        entries: `ORIGIN=file:PATH` or `ORIGIN=env:NAME`, one for each origin.
        environment: where `env:` looks.

    Raises:
        OutwardError: an entry cannot be read; the text holds no secret.
    """

    def __init__(
        self, entries: Sequence[str] = (), environment: Mapping[str, str] | None = None
    ) -> None:
        self._environment = environment or {}
        self._places: dict[Origin, tuple[str, str]] = {}
        for entry in entries:
            url, _, place = entry.partition("=")
            source, _, name = place.partition(":")
            if source not in _SOURCES or not name:
                message = f"`{url}` needs `=file:PATH` or `=env:NAME` for its token"
                raise OutwardError(message)
            parsed = checked_url(url)
            if parsed.raw_path not in (b"", b"/") or origin(parsed) in self._places:
                message = f"`{url}` must be an origin (`https://host:port`) and stand once"
                raise OutwardError(message)
            self._places[origin(parsed)] = (source, name)

    def for_url(self, url: str) -> Token | None:
        """The token of the address's origin; None where the operator has named none.

        Raises:
            OutwardError: it is named but cannot be read.
        """
        where = origin(checked_url(url))
        if where not in self._places:
            return None
        source, name = self._places[where]
        secret = self._read_file(name) if source == "file" else self._environment.get(name, "")
        secret = secret.strip()
        if not secret or not secret.isascii() or not secret.isprintable() or " " in secret:
            message = f"the token for `{where[1]}` (`{source}:{name}`) is missing or malformed"
            raise OutwardError(message)
        return Token(where, secret)

    def _read_file(self, name: str) -> str:
        try:
            with Path(name).open("rb") as file:
                return file.read(TOKEN_BYTES_MAX).decode("ascii", errors="replace")
        except OSError as error:
            message = f"the token file `{name}` cannot be read: {system_reason(error)}"
            raise OutwardError(message) from error
