"""What every `Clock` and every `Prober` must do."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import TypeVar

from orchestrator.engine.ports import Clock, Prober
from orchestrator.plan.resolved import Probe
from orchestrator.rollout.events import Value

_T = TypeVar("_T")


class ClockContract:
    """For implementations of `Clock`."""

    def make(self) -> Clock:
        """A clock; called where `run` runs."""
        raise NotImplementedError

    def run(self, work: Coroutine[object, object, _T]) -> _T:
        """Runs this on the event loop that the clock belongs to."""
        return asyncio.run(work)

    def test_time_never_runs_backwards(self) -> None:
        """R15, within a process."""

        async def work() -> list[float]:
            clock = self.make()
            seen = [clock.now()]
            for _ in range(50):
                await clock.sleep(0)
                seen.append(clock.now())
            return seen

        seen = self.run(work())

        assert seen == sorted(seen)

    def test_sleep_lets_at_least_that_time_pass(self) -> None:
        """By the clock's own measure, down to what an event loop can tell apart."""

        async def work() -> float:
            clock = self.make()
            before = clock.now()
            await clock.sleep(0.02)
            return clock.now() - before

        assert self.run(work()) >= 0.02 - 0.001

    def test_sleep_of_no_time_or_less_returns(self) -> None:
        """A deadline that has passed is no wait."""

        async def work() -> None:
            clock = self.make()
            await clock.sleep(0)
            await clock.sleep(-1)

        self.run(work())

    def test_sleep_can_be_cancelled(self) -> None:
        """Whoever stops an engine does not wait for its timers."""

        async def work() -> bool:
            sleeper = asyncio.ensure_future(self.make().sleep(3600))
            await asyncio.sleep(0)
            sleeper.cancel()
            await asyncio.wait([sleeper])
            return sleeper.cancelled()

        assert self.run(work())


@dataclass(frozen=True, slots=True)
class ProberCase:
    """A prober, and what it can ask.

    `good` answers with `fields`; nobody stands behind `broken`; `silent` never answers.
    """

    prober: Prober
    good: Probe
    fields: Mapping[str, Value]
    broken: Probe
    silent: Probe


class ProberContract:
    """For implementations of `Prober`."""

    def make(self) -> AbstractAsyncContextManager[ProberCase]:
        """A prober with what it asks, gone at the end."""
        raise NotImplementedError

    async def test_answer_becomes_fields(self) -> None:
        """What conditions read, and no error."""
        async with self.make() as case:
            sample = await case.prober.sample(case.good, deadline_s=5.0)

            assert sample.error == ""
            assert {name: sample.fields[name] for name in case.fields} == dict(case.fields)

    async def test_trouble_is_an_error_in_the_sample(self) -> None:
        """Never an exception, and never a field that a condition could pass on."""
        async with self.make() as case:
            sample = await case.prober.sample(case.broken, deadline_s=5.0)

            assert sample.error
            assert not sample.fields

    async def test_silence_is_an_error_once_the_deadline_has_passed(self) -> None:
        """The engine waits no longer than the plan says."""
        async with self.make() as case, asyncio.timeout(5.0):
            sample = await case.prober.sample(case.silent, deadline_s=0.2)

            assert sample.error
            assert not sample.fields

    async def test_sample_can_be_cancelled(self) -> None:
        """A gate that is no longer wanted keeps nothing open."""
        async with self.make() as case:
            sampling = asyncio.ensure_future(case.prober.sample(case.silent, deadline_s=60.0))
            await asyncio.sleep(0.01)
            sampling.cancel()
            await asyncio.wait([sampling])

            assert sampling.cancelled()

    async def test_samples_can_be_taken_at_once(self) -> None:
        """One that never answers holds up no other."""
        async with self.make() as case:
            slow = asyncio.ensure_future(case.prober.sample(case.silent, deadline_s=60.0))
            sample = await case.prober.sample(case.good, deadline_s=5.0)
            slow.cancel()
            await asyncio.wait([slow])

            assert sample.error == ""
