"""Waits for something asynchronous where a loop may be running already in this thread."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

T = TypeVar("T")


def waited(work: Callable[[], Coroutine[Any, Any, T]]) -> T:
    """What the work comes to, done in a loop of its own in another thread."""
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(lambda: asyncio.run(work())).result()
