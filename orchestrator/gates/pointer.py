"""JSON pointers (RFC 6901): the one value of an HTTP answer that a condition looks at."""

from __future__ import annotations

import re

_INDEX = re.compile(r"0|[1-9][0-9]{0,8}")  # RFC 6901, section 4: no leading zeros
_BAD_ESCAPE = re.compile(r"~(?![01])")


class Absent(Exception):  # noqa: N818  it is an answer, not an error
    """The document has nothing at that place."""


def tokens(pointer: str) -> tuple[str, ...]:
    """The reference tokens of a pointer.

    Raises:
        ValueError: it is no JSON pointer.
    """
    if pointer and not pointer.startswith("/"):
        message = f"JSON pointer `{pointer}` must be empty or begin with `/`"
        raise ValueError(message)
    if _BAD_ESCAPE.search(pointer):
        message = f"JSON pointer `{pointer}` has a `~` that is neither `~0` nor `~1`"
        raise ValueError(message)
    # RFC 6901, section 4: first ~1, then ~0, so that ~01 becomes ~1.
    return tuple(part.replace("~1", "/").replace("~0", "~") for part in pointer.split("/")[1:])


def find(document: object, pointer: str) -> object:
    """The value that the pointer names.

    Raises:
        Absent: there is none.
        ValueError: it is no JSON pointer.
    """
    here = document
    for token in tokens(pointer):
        if isinstance(here, dict) and token in here:
            here = here[token]
        elif isinstance(here, list) and _INDEX.fullmatch(token) and int(token) < len(here):
            here = here[int(token)]
        else:
            raise Absent(pointer)
    return here
