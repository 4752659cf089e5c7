"""Figures of a process that drives rollouts: for Prometheus, and whether it is alive.

Law: nothing here holds up or ends a rollout. What cannot be read or written now is said at the end,
and tried again meanwhile.
"""

from __future__ import annotations

import asyncio
import errno
import json
import os
import time
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from orchestrator import __version__
from orchestrator.api.stores import open_state, state_exists
from orchestrator.api.values import Nobody, Settings
from orchestrator.errors import OrchestratorError, system_reason
from orchestrator.gitops.standing import Standing
from orchestrator.rollout.events import JournalEntry

if TYPE_CHECKING:
    from orchestrator.metrics.exposition import Controller, Figures
    from orchestrator.metrics.server import Page

WRITE_S = 15.0  # from one writing of the file to the next
LATE_S = 60.0  # beyond three intervals: a pass may wait for git


@dataclass(frozen=True, slots=True)
class Metering:
    """Where figures go: a file, and pages at `host` and `port`; neither: nowhere."""

    file: Path | None = None
    host: str = ""
    port: int = 0


class Meter(Nobody):
    """Counts what it is told; `interval_s` is how often whoever is metered makes a pass, 0: never."""

    def __init__(self, settings: Settings, metering: Metering, *, interval_s: float = 0.0) -> None:
        from orchestrator.metrics.lag import Lag

        self._settings, self._metering, self._interval_s = settings, metering, interval_s
        self._lag = Lag()
        self._verdicts: Counter[str] = Counter()
        self._standing: Standing | None = None
        self._refusals = self._troubles = 0
        self._passed_at: float | None = None
        # When it began, or a pass ended, by a clock that nobody sets.
        self._went_on = time.monotonic()
        self.trouble = ""
        self.port = 0

    def journal(self, entries: Sequence[JournalEntry]) -> None:
        """Takes what an engine of this process has committed."""
        self._verdicts.update(
            str(entry.data["verdict"])
            for entry in entries
            if entry.type == "gate_result" and "verdict" in entry.data
        )

    def stood(self, standing: Standing) -> None:
        """Takes where a controller stands after a pass."""
        before = self._standing
        self._refusals += bool(standing.refusal) and (
            before is None or before.offered != standing.offered
        )
        failures = standing.trouble.failures if standing.trouble is not None else 0
        known = before.trouble.failures if before is not None and before.trouble is not None else 0
        self._troubles += failures > 0 and failures != known
        self._standing = standing
        self.passed()

    def passed(self) -> None:
        """A pass has ended, whatever came of it."""
        self._passed_at, self._went_on = time.time(), time.monotonic()

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Measures, writes and serves as long as the block.

        Raises:
            OrchestratorError: nothing can listen there.
        """
        async with AsyncExitStack() as stack:
            tasks = [asyncio.create_task(self._lag.watch(), name="lag of the event loop")]
            stack.push_async_callback(_end, tasks)
            if self._metering.host:
                await self._serve(stack)
            if self._metering.file is not None:
                tasks.append(asyncio.create_task(self._keep_writing(), name="file of metrics"))
                stack.push_async_callback(self._write)
            yield

    async def figures(self) -> Figures:
        """All that is known now.

        Raises:
            StoreError: the store cannot be read.
        """
        from orchestrator.metrics.exposition import Figures

        known = Figures(
            __version__, verdicts=dict(self._verdicts), lag_s=self._lag.worst_s,
            passed_at=self._passed_at, controller=self._controller(),
        )  # fmt: skip
        if not state_exists(self._settings):
            return known
        async with open_state(self._settings) as store:
            now = time.time()
            counts, frozen = await store.counts(now=now), await store.frozen()
        return Figures(
            __version__, counts.rollouts, counts.devices, counts.driven,
            frozen is not None and frozen.is_on(now), counts.succeeded_at, known.verdicts,
            known.lag_s, known.passed_at, known.controller,
        )  # fmt: skip

    def _controller(self) -> Controller | None:
        from orchestrator.metrics.exposition import Controller

        one = self._standing
        if one is None:
            return None
        return Controller(one.part, one.health, self._refusals, self._troubles)

    # -- the file -----------------------------------------------------------------------------------

    async def _keep_writing(self) -> None:
        while True:
            await self._write()
            await asyncio.sleep(WRITE_S)

    async def _write(self) -> None:
        from orchestrator.metrics.exposition import exposition
        from orchestrator.trust.files import replace_file

        assert self._metering.file is not None, "it is written to"
        try:
            replace_file(self._metering.file, exposition(await self.figures()))
            self.trouble = ""
        except OrchestratorError as error:
            self.trouble = error.message

    # -- pages --------------------------------------------------------------------------------------

    async def _serve(self, stack: AsyncExitStack) -> None:
        from orchestrator.metrics.server import serving

        host, port = self._metering.host, self._metering.port
        pages = {"/metrics": self._metrics_page, "/healthz": self._health_page}
        try:
            self.port = await stack.enter_async_context(serving(host, port, pages))
        except OSError as error:
            why = system_reason(error)
            if error.errno is not None and error.errno in errno.errorcode:
                why = os.strerror(error.errno).lower()  # asyncio's words repeat the address
            message = f"cannot listen on `{host}:{port}`: {why}"
            raise OrchestratorError(message) from error

    async def _metrics_page(self) -> Page:
        from orchestrator.metrics.exposition import CONTENT_TYPE, exposition
        from orchestrator.metrics.server import Page

        try:
            return Page(200, CONTENT_TYPE, exposition(await self.figures()))
        except OrchestratorError:  # its words may name paths; `rollout status` says them
            return Page(503, "text/plain; charset=utf-8", b"the state store cannot be read\n")

    async def _health_page(self) -> Page:
        from orchestrator.metrics.server import Page

        late_s = time.monotonic() - self._went_on
        alive = not self._interval_s or late_s <= 3 * self._interval_s + LATE_S
        said: dict[str, object] = {"alive": alive, "passed_at": self._passed_at}
        if self._standing is not None:
            said |= {"health": self._standing.health.value, "part": self._standing.part.value}
            said["commit"] = self._standing.record.taken
        body = json.dumps(said).encode() + b"\n"
        return Page(200 if alive else 503, "application/json", body)


async def _end(tasks: Sequence[asyncio.Task[None]]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
