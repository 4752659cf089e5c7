"""Turns what PostgreSQL and its driver say into a `StoreError` that tells an operator what to do."""

from __future__ import annotations

import psycopg

from orchestrator.errors import StoreError, Where
from orchestrator.store.trouble import Trouble

STATEMENT_S = 60  # loading a million devices takes seconds
LOCK_S = 10  # a commit takes milliseconds, and a stopped process loses its locks after half of this
_WORDS_MAX = 300

_RIGHTS = Trouble(
    "the user has not the rights",
    "the user of the address needs SELECT, INSERT and UPDATE on the tables and USAGE on the "
    "sequence; `rollout state migrate` makes them and needs CREATE on the schema",
)
_NO_DATABASE = Trouble(
    "there is no such database", "make it (`createdb`), then run `rollout state migrate`"
)
_LOGIN = Trouble(
    "the server refuses the login",
    "check user and password; the password may stand in a password file (`~/.pgpass`) or in the "
    "variable PGPASSWORD",
)
_BUSY = Trouble("the server has no connection left", "raise `max_connections`, or use a pooler")
_STARTING = Trouble("the server is starting or stopping", "run the command again in a moment")
_LOST = Trouble(
    "the connection was lost", "when the server is back, run the command again; it goes on"
)
_LOCKED = Trouble(
    f"another process has kept rows locked for {LOCK_S} s",
    "look for it in `pg_stat_activity`; a stopped `rollout` lets go by itself",
)

# By SQLSTATE (PostgreSQL, appendix "Error Codes").
_BY_CODE = {
    "08000": _LOST,
    "08003": _LOST,
    "08006": _LOST,
    "25006": Trouble(
        "the server is read-only: a standby",
        "give the address of the primary, or all hosts with `?target_session_attrs=read-write`",
    ),
    "25P03": _LOST,
    "28000": _LOGIN,
    "28P01": _LOGIN,
    "3D000": _NO_DATABASE,
    "3F000": Trouble(
        "the schema of the address does not exist", "make it with CREATE SCHEMA as its owner"
    ),
    "42501": _RIGHTS,
    "53100": Trouble("the server's disk is full", "free some space there; nothing was written"),
    "53300": _BUSY,
    "55P03": _LOCKED,
    "57014": Trouble(
        f"a statement took longer than {STATEMENT_S} s", "look at the load of the server"
    ),
    "57P01": _LOST,
    "57P02": _LOST,
    "57P03": _STARTING,
}

# Connecting fails without a code; servers speak English unless told otherwise.
_BY_WORDS = (
    ("authentication failed", _LOGIN),
    ("no password supplied", _LOGIN),
    ("no pg_hba.conf entry", _LOGIN),
    ("permission denied for", _RIGHTS),
    ('role "', _LOGIN),
    ('database "', _NO_DATABASE),
    ("too many clients", _BUSY),
    ("remaining connection slots", _BUSY),
    ("starting up", _STARTING),
    ("shutting down", _STARTING),
    ("definition of service", Trouble("the service is not defined", "see `pg_service.conf`")),
)
_NOBODY = "check host and port, and that the server runs"


def postgres_error(cause: BaseException | None, place: str) -> StoreError:
    """What to raise from a driver's error; `place` is the address for the operator."""
    code = getattr(cause, "sqlstate", None)
    words = _words(cause)
    trouble = _BY_CODE.get(code or "") or (None if code else _by_words(words))
    if trouble is None and not code:
        trouble = Trouble(f"cannot be reached: {words}", _NOBODY)
    if trouble is None:
        trouble = Trouble(f"the database refused: {words}", "")
    return StoreError(
        f"state store `{place}`: {trouble.message}", hint=trouble.hint, where=Where(place)
    )


def _by_words(words: str) -> Trouble | None:
    return next((trouble for text, trouble in _BY_WORDS if text in words), None)


def _words(cause: BaseException | None) -> str:
    primary = cause.diag.message_primary if isinstance(cause, psycopg.Error) else None
    text = (primary or str(cause)).partition("Is the server running")[0]  # libpq's own hint
    return " ".join(text.split())[:_WORDS_MAX]
