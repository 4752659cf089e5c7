"""How late the event loop is."""

import asyncio
import time

from orchestrator.metrics.lag import SPAN_S, STEP_S, Lag


async def test_loop_that_was_held_up_shows() -> None:
    lag = Lag()
    task = asyncio.create_task(lag.watch())
    await asyncio.sleep(0)

    time.sleep(STEP_S * 2)  # noqa: ASYNC251  this is what holds it up
    for _ in range(10):
        await asyncio.sleep(0)
    worst_s = lag.worst_s
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)

    assert worst_s is not None
    assert worst_s >= STEP_S * 0.9


def test_worst_is_told_to_everybody_and_forgotten_in_time() -> None:
    lag = Lag()
    assert lag.worst_s is None

    lag.take(0.7, at=SPAN_S)
    lag.take(0.1, at=SPAN_S + 1)
    assert [lag.worst_s, lag.worst_s] == [0.7, 0.7]  # two that scrape

    lag.take(0.2, at=2 * SPAN_S)
    assert lag.worst_s == 0.7

    lag.take(0.2, at=3 * SPAN_S)
    assert lag.worst_s == 0.2
