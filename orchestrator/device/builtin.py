"""Built-in health checks as a request names them: `service:gatewayd`, `disk:/var:104857600`.

Laws:
1. A name with a colon is a built-in check; the name of a health check never holds one.
2. What fits here fits the request grammar of the protocol. The device has a grammar of its own
   (`checks.sh`), which decides: also where it looks at files.
"""

from __future__ import annotations

import re
from enum import StrEnum

CHARS_MAX = 200


class BuiltIn(StrEnum):
    """What can be looked at."""

    SERVICE = "service"  # the service manager calls it running
    PROCESS = "process"  # a process of that name lives
    PORT = "port"  # something listens on that TCP port
    HTTP = "http"  # a page on the device's own loopback answers with 2xx
    FILE = "file"  # the file is there
    DISK = "disk"  # so much space is free
    LOAD = "load"  # the load of one minute is at most that


_PORT = r"([1-9][0-9]{0,3}|[1-5][0-9]{4}|6[0-4][0-9]{3}|65[0-4][0-9]{2}|655[0-2][0-9]|6553[0-5])"
_PATH = r"/[A-Za-z0-9_.@+/-]*"
_FORMS: dict[BuiltIn, tuple[str, str]] = {
    BuiltIn.SERVICE: (r"[A-Za-z0-9_][A-Za-z0-9:_.@-]*", "the name of a service, as `gatewayd`"),
    BuiltIn.PROCESS: (r"[A-Za-z0-9_][A-Za-z0-9_.@+:-]*", "the name of a program, as `gatewayd`"),
    BuiltIn.PORT: (_PORT, "1 to 65535"),
    BuiltIn.HTTP: (
        rf"(127\.0\.0\.1|localhost)(:{_PORT})?(/[A-Za-z0-9_.:/@+-]*)?",
        "a page of the device itself, as `http://127.0.0.1:8080/health`; no `?`, `=` or `%`",
    ),
    BuiltIn.FILE: (_PATH, "an absolute path of letters, digits and `_ . @ + / -`"),
    BuiltIn.DISK: (
        rf"{_PATH}:[1-9][0-9]{{0,14}}",
        "an absolute path, with `min: 100MiB` beside it",
    ),
    BuiltIn.LOAD: (r"[0-9]{1,6}(\.[0-9]{1,3})?", "a number, as `4` or `0.7`"),
}


def is_built_in(name: str) -> bool:
    """Whether a check is asked for by what it looks at, and not by its name."""
    return ":" in name


def problem(name: str) -> tuple[str, str] | None:
    """What is wrong with a built-in check, with a hint; None when it can be asked for."""
    kind, _, argument = name.partition(":")
    if kind not in _KINDS:
        return f"there is no built-in check `{kind}`", "there are " + ", ".join(_KINDS)
    form, hint = _FORMS[BuiltIn(kind)]
    if re.fullmatch(form, argument) and ".." not in argument and len(name) <= CHARS_MAX:
        return None
    return f"`{kind}` cannot look at `{argument}`", hint


_KINDS = tuple(str(kind) for kind in BuiltIn)
