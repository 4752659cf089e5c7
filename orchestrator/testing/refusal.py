"""What a contract wants refused."""

from __future__ import annotations

from collections.abc import Awaitable
from typing import TypeVar

_E = TypeVar("_E", bound=Exception)


async def refused(work: Awaitable[object], error: type[_E]) -> _E:
    """The error that this raises.

    Raises:
        AssertionError: it raised nothing.
    """
    try:
        await work
    except error as raised:
        return raised
    message = f"{error.__name__} was not raised"
    raise AssertionError(message)
