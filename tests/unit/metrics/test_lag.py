"""How late the event loop is."""

import asyncio
import time

from orchestrator.metrics.lag import STEP_S, Lag


async def test_loop_that_was_held_up_shows_and_is_told_once() -> None:
    lag = Lag()
    task = asyncio.create_task(lag.watch())
    await asyncio.sleep(0)

    time.sleep(STEP_S * 2)  # noqa: ASYNC251  this is what holds it up
    for _ in range(10):
        await asyncio.sleep(0)
    worst_s = lag.take_s()
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)

    assert worst_s is not None
    assert worst_s >= STEP_S * 0.9
    assert lag.take_s() is None
