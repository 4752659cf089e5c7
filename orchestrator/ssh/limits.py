"""Limits on making connections: how many at one time, how many per second, per gateway."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager


class RateLimit:
    """Lets `rate_per_s` through on average and at most `burst_count` at once."""

    def __init__(self, rate_per_s: float, burst_count: int) -> None:
        self._interval_s = 1 / rate_per_s
        self._slack_s = burst_count / rate_per_s
        self._next_at = 0.0

    async def wait(self) -> None:
        """Returns when the next one may start; first come, first served."""
        now = asyncio.get_running_loop().time()
        self._next_at = max(self._next_at, now - self._slack_s) + self._interval_s
        if (delay_s := self._next_at - now) > 0:
            await asyncio.sleep(delay_s)


class Handshakes:
    """Slots for handshakes, in all and per gateway.

    A slot is held while connecting and logging in, never while a session works, so a slow
    device does not keep others from being reached for longer than its connect deadline.
    """

    def __init__(self, *, count_max: int, per_gateway_max: int, connects_per_s: float) -> None:
        self._all = asyncio.Semaphore(count_max)
        self._per_gateway_max = per_gateway_max
        self._gateways: dict[str, asyncio.Semaphore] = {}
        self._rate = RateLimit(connects_per_s, burst_count=count_max)

    @asynccontextmanager
    async def slot(self, gateway: str | None) -> AsyncIterator[None]:
        """Holds a slot; the gateway's comes first, so waiting for it blocks nobody else."""
        if gateway is not None:
            within = self._gateways.setdefault(gateway, asyncio.Semaphore(self._per_gateway_max))
            async with within, self.slot(None):
                yield
            return
        await self._rate.wait()
        async with self._all:
            yield
