"""Addresses of PostgreSQL databases: libpq's URI form, and what of it may be shown.

Laws:
1. What is shown, logged or offered as a command holds no password.
2. An address in which it is not certain where the password ends is refused, and not repeated: in
   `postgresql://ann:p@ss@db/x` a part of it would pass for the host.
"""

from __future__ import annotations

import re
from urllib.parse import unquote

from psycopg import ProgrammingError
from psycopg.conninfo import conninfo_to_dict

from orchestrator.errors import StoreError

_SECRET = frozenset({"password", "sslpassword"})
_PARTS = re.compile(r"postgres(?:ql)?://(?:([^/?@]*)@)?([^/?@]*)(/[^?@]*)?(?:\?([^@]*))?")
_FORM = "the form is `postgresql://USER@HOST:PORT/DATABASE`"


def without_password(url: str) -> str:
    """The address without its password; good for messages and for programs such as pg_dump.

    Raises:
        StoreError: it cannot be told which part is the password.
    """
    parts = _PARTS.fullmatch(url)
    if parts is None:
        message = "the address of the state store has an `@` besides the one before the host"
        hint = (
            "write `%40` for it, and `%2F` for `/`, `%3F` for `?`; better, leave the password out"
        )
        raise StoreError(message, hint=hint)
    login, host, path, query = parts.groups(default="")
    user = login.partition(":")[0]
    shown = [pair for pair in query.split("&") if pair and _key(pair) not in _SECRET]
    return (
        "postgresql://"
        + (f"{user}@" if user else "")
        + host
        + path
        + (f"?{'&'.join(shown)}" if shown else "")
    )


def parameters_of(url: str) -> dict[str, str]:
    """Connection parameters of an address.

    Raises:
        StoreError: libpq cannot read it.
    """
    try:
        found = conninfo_to_dict(url)
    except ProgrammingError:
        # libpq quotes the value that it cannot read, which may be a piece of a password.
        message = "the address of the state store cannot be read"
        raise StoreError(message, hint=f"{_FORM}; other characters are written as `%XX`") from None
    return {key: str(value) for key, value in found.items()}


def _key(pair: str) -> str:
    return unquote(pair.partition("=")[0])
