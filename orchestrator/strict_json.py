"""JSON of others as it is read everywhere here: no key twice in an object, no NaN, no Infinity.

What two readers might understand differently is refused. Limits of size and depth are the caller's.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import NoReturn


class KeyTwiceError(ValueError):
    """A key stands in an object twice; `key` is the first that does."""

    def __init__(self, key: str) -> None:
        super().__init__(f"key {key!a} stands twice")
        self.key = key


def loads(
    text: str,
    *,
    parse_float: Callable[[str], object] | None = None,
    parse_int: Callable[[str], object] | None = None,
) -> object:
    """What a text holds.

    Args:
        text: the JSON.
        parse_float: makes what stands for a number with a point or an exponent.
        parse_int: makes what stands for any other number.

    Raises:
        KeyTwiceError: a key stands in an object twice.
        json.JSONDecodeError: it is no JSON, from this line and column on.
        ValueError: NaN or Infinity, or it is deeper than this interpreter can read.
    """
    try:
        return json.loads(
            text,
            object_pairs_hook=_object,
            parse_constant=_no_constant,
            parse_float=parse_float,
            parse_int=parse_int,
        )
    except RecursionError as error:
        message = "it is nested too deep"
        raise ValueError(message) from error


def _object(pairs: Sequence[tuple[str, object]]) -> dict[str, object]:
    found = dict(pairs)
    if len(found) != len(pairs):
        seen: set[str] = set()
        for key, _ in pairs:
            if key in seen:
                raise KeyTwiceError(key)
            seen.add(key)
    return found


def _no_constant(word: str) -> NoReturn:
    message = f"{word} is no JSON"
    raise ValueError(message)
