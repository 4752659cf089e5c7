import asyncio
import contextlib
import gc
import itertools
import time

import pytest

from orchestrator.testing import clock
from orchestrator.testing.clock import EPOCH_S, VirtualClock, run_virtual


def test_waiting_takes_no_real_time():
    started = time.monotonic()

    async def work():
        await asyncio.sleep(86400.0)
        return VirtualClock().now()

    assert run_virtual(work()) == EPOCH_S + 86400.0
    assert time.monotonic() - started < 5.0


def test_timers_fire_in_order():
    seen = []

    async def note(after):
        await asyncio.sleep(after)
        seen.append(after)

    async def work():
        await asyncio.gather(note(3.0), note(1.0), note(2.0))

    run_virtual(work())

    assert seen == [1.0, 2.0, 3.0]


def test_timeout_is_virtual_too():
    async def work():
        async with asyncio.timeout(10.0):
            await asyncio.sleep(11.0)

    with pytest.raises(TimeoutError):
        run_virtual(work())


def test_deadlock_is_said_and_not_waited_for():
    async def work():
        await asyncio.Event().wait()

    with pytest.raises(RuntimeError, match="deadlock"):
        run_virtual(work())


def test_work_that_goes_on_for_ever_is_ended(monkeypatch):
    monkeypatch.setattr(clock, "TURNS_MAX", 1000)
    cleaned = []

    async def work():
        try:
            for after in itertools.repeat(60.0):
                await asyncio.sleep(after)
        finally:
            cleaned.append(await asyncio.sleep(1.0, result=True))

    with pytest.raises(RuntimeError, match="no end in virtual time: 1000 turns and"):
        run_virtual(work())
    assert cleaned


def test_work_that_does_not_stop_when_it_is_told_to_is_ended_too(monkeypatch, caplog):
    monkeypatch.setattr(clock, "TURNS_MAX", 1000)

    async def deaf():
        while True:
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.sleep(0)

    with pytest.raises(RuntimeError, match="no end in virtual time"):
        run_virtual(deaf())
    gc.collect()  # what is left of it is reported here, and not in another test
    assert "Task was destroyed" in caplog.text
