"""What every kind of gate must do, built in or brought by a package: subclass `KindContract`.

Methods named `test_*` are collected by pytest with its asyncio mode; nothing here imports pytest.
"""

from __future__ import annotations

import asyncio
import math
from typing import Protocol

from orchestrator.engine.ports import Prober, Sample
from orchestrator.plan.resolved import Probe

DEADLINE_S = 0.3
GRACE_S = 2.0  # of a slow machine
ERROR_CHARS_MAX = 300


class AskedProber(Prober, Protocol):
    """The engine's prober, which can also tell in advance what it would refuse."""

    def refused(self, probe: Probe) -> str | None:
        """Why the probe would never be taken; None when it may."""
        ...


class KindContract:
    """For each kind of gate: three probes, and the prober that was given the kind."""

    async def prober(self) -> AskedProber:
        """The engine's prober, with the kind allowed."""
        raise NotImplementedError

    async def sound(self) -> Probe:
        """A probe that gives at least one field or series."""
        raise NotImplementedError

    async def broken(self) -> Probe:
        """A probe that cannot be sampled: nobody is there, or what is there is not understood."""
        raise NotImplementedError

    async def silent(self) -> Probe:
        """A probe whose other side never answers."""
        raise NotImplementedError

    async def _sample(self, probe: Probe, deadline_s: float = 10.0) -> Sample:
        return await (await self.prober()).sample(probe, deadline_s=deadline_s)

    async def test_sound_probe_is_not_refused_and_gives_single_finite_values(self) -> None:
        """What a condition can compare, and nothing else."""
        probe = await self.sound()

        assert (await self.prober()).refused(probe) is None
        sample = await self._sample(probe)

        assert sample.error == ""
        assert sample.fields or sample.series
        for value in (*sample.fields.values(), *sample.series.values()):
            assert value is None or isinstance(value, str | int | float)
            assert not isinstance(value, float) or math.isfinite(value)

    async def test_trouble_is_an_error_in_printable_words_and_brings_no_fields(self) -> None:
        """An error is no evidence; what a peer says reaches no terminal unescaped."""
        sample = await self._sample(await self.broken())

        assert 0 < len(sample.error) <= ERROR_CHARS_MAX
        assert sample.error.isascii()
        assert sample.error.isprintable()
        assert not sample.fields
        assert not sample.series

    async def test_silence_is_an_error_at_the_deadline(self) -> None:
        """No sample takes longer than its gate allows."""
        probe = await self.silent()
        loop = asyncio.get_running_loop()
        begun = loop.time()

        sample = await self._sample(probe, DEADLINE_S)

        assert sample.error
        assert not sample.fields
        assert loop.time() - begun < DEADLINE_S + GRACE_S

    async def test_cancelled_sample_ends_at_once_as_cancelled(self) -> None:
        """A rollout that ends waits for no monitoring system."""
        work = asyncio.ensure_future(self._sample(await self.silent(), 60.0))
        await asyncio.sleep(0)

        work.cancel()
        await asyncio.wait([work], timeout=GRACE_S)

        assert work.cancelled()

    async def test_two_samples_at_once_do_not_disturb_each_other(self) -> None:
        """One kind serves all gates of a rollout."""
        probe = await self.sound()

        first, second = await asyncio.gather(self._sample(probe), self._sample(probe))

        assert not first.error
        assert not second.error
