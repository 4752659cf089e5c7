"""Tells the hooks of one rollout what stands in its journal, at least once.

Laws:
1. What is due follows from the journal and from what was recorded as told; nothing is kept in
   memory alone. A process that dies between telling and recording tells again, with the same id
   and the same content.
2. Hooks cannot hold up a rollout: each has a task of its own, every attempt a deadline, and the
   engine only leaves entries here. They do not hold up each other either. The store is written to
   for attempts alone, not for entries of which nobody is told.
3. A notice is tried at once, and again after 1, 2, 4, ... seconds, `PAUSE_MAX_S` at most: by one
   process `ATTEMPTS` times within `TRIES_S`. One that was not taken stays due for the next, which
   tries at once and goes on with the pauses, until it was tried `ATTEMPTS_IN_ALL` times or is
   `AGE_S` old. So a cron job that meets a hook that is down asks it once each time.
4. One hook is told in the order of the journal, but for notices that were left for later.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import replace

from orchestrator.engine.ports import Clock, Delivery, Notifier, Outbox, Told
from orchestrator.errors import StoreError
from orchestrator.notify.notifiers import shown
from orchestrator.outward.failure import OutwardError
from orchestrator.plan.resolved import Hook, HookEvent, ResolvedPlan
from orchestrator.rollout.events import JournalEntry
from orchestrator.rollout.notices import Notice, Reader

ATTEMPTS = 5  # of one process, for one notice and hook
TRIES_S = 60.0  # in which the last of them begins
DEADLINE_S = 10.0  # of one attempt
PAUSE_FIRST_S = 1.0
PAUSE_MAX_S = 900.0
ATTEMPTS_IN_ALL = 1000
AGE_S = 7 * 24 * 3600.0  # nobody acts on older news
QUEUE_MAX = 200  # notices that wait for one hook; what does not fit stays due
INBOX_MAX = 5000  # entries that wait to be read; beyond it they are read from the store again


class Teller:
    """Tells the hooks of one rollout; used from one event loop.

    Args:
        plan: with the hooks.
        rollout_id: whose journal.
        notifier: how to tell.
        outbox: what is due.
        clock: for pauses and times of attempts.
        jitter: draws from 0 to 1, so that many controllers do not come back at once.
    """

    def __init__(
        self,
        plan: ResolvedPlan,
        rollout_id: str,
        notifier: Notifier,
        outbox: Outbox,
        *,
        clock: Clock,
        jitter: Callable[[], float],
    ) -> None:
        self._rollout_id, self._notifier, self._outbox = rollout_id, notifier, outbox
        self._clock, self._jitter = clock, jitter
        self._reader = Reader(plan, rollout_id)
        self._lines = [_Line(index, hook) for index, hook in enumerate(plan.hooks)]
        self._inbox: list[JournalEntry] = []
        self._arrived = asyncio.Event()
        self._read_seq = 0
        self._unread = True  # the store has entries that were not read
        self._ending = False
        self._task: asyncio.Task[None] | None = None

    def take(self, entries: Sequence[JournalEntry]) -> None:
        """Takes entries after their commit; returns at once and never fails."""
        if not self._lines:
            return
        if len(self._inbox) + len(entries) > INBOX_MAX:
            self._inbox.clear()
            self._unread = True
        else:
            self._inbox.extend(entries)
        self._begin()
        self._arrived.set()

    async def finish(self, *, within_s: float) -> None:
        """Waits, no longer than that, until all that is due was tried; then ends."""
        if not self._lines:
            return
        self._begin()
        assert self._task is not None, "it has begun"
        self._ending = True
        self._arrived.set()
        await asyncio.wait({self._task}, timeout=within_s)
        await self.close()

    async def close(self) -> None:
        """Ends at once; what was not told stays due."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    def _begin(self) -> None:
        if self._task is None:
            self._task = asyncio.create_task(self._run(), name=f"hooks of {self._rollout_id}")

    async def _run(self) -> None:
        try:
            told = await self._outbox.told(self._rollout_id)
            for line in self._lines:
                line.knows(told)
            async with asyncio.TaskGroup() as group:
                serving = [group.create_task(self._serve(line)) for line in self._lines]
                ending = False
                while not ending:
                    await self._arrived.wait()
                    self._arrived.clear()
                    ending = self._ending
                    await self._read(told.settled_seq)
                for line in self._lines:
                    await line.queue.join()
                await self._settle()
                for task in serving:
                    task.cancel()
        except* StoreError:
            pass  # the engine, with the same store, reports it; what is due stays so

    async def _read(self, settled_seq: int) -> None:
        entries, self._inbox = self._inbox, []
        if entries and entries[0].seq > self._read_seq + 1:
            self._unread = True
        while self._unread:
            page = await self._outbox.journal(self._rollout_id, after=self._read_seq)
            self._pass_on(page, settled_seq)
            self._unread = bool(page)
        self._pass_on(entries, settled_seq)

    def _pass_on(self, entries: Sequence[JournalEntry], settled_seq: int) -> None:
        new = [entry for entry in entries if entry.seq > self._read_seq]
        for notice in self._reader.read(new):
            if notice.seq > settled_seq:
                for line in self._lines:
                    line.offer(notice)
        if new:
            self._read_seq = new[-1].seq

    async def _settle(self) -> None:
        due = [line.due[0] for line in self._lines if line.due]
        await self._outbox.settle(self._rollout_id, min(due) - 1 if due else self._read_seq)

    async def _serve(self, line: _Line) -> None:
        while True:
            notice = await line.queue.get()
            await self._deliver(line, notice)
            await self._settle()
            line.queue.task_done()

    async def _deliver(self, line: _Line, notice: Notice) -> None:
        """Tries until it was taken or given up, or is left for later."""
        leave_at = self._clock.now() + TRIES_S
        for attempt in range(ATTEMPTS):
            made = line.of(notice)
            if made.attempts >= ATTEMPTS_IN_ALL or self._clock.now() - notice.at > AGE_S:
                line.done(notice.seq)
                return
            if attempt:
                pause_s = self._pause_s(made.attempts)
                if self._clock.now() + pause_s > leave_at:
                    return
                await self._clock.sleep(pause_s)
            trouble = await self._try(line.hook, notice)
            made = replace(
                made,
                attempts=made.attempts + 1,
                delivered=not trouble,
                at=self._clock.now(),
                detail=trouble,
            )
            line.made[notice.seq] = made
            await self._outbox.record(self._rollout_id, made)
            if made.delivered:
                line.done(notice.seq)
                return

    def _pause_s(self, attempts: int) -> float:
        """How long to wait after so many of them."""
        doubled: float = PAUSE_FIRST_S * 2.0 ** min(attempts - 1, 30)
        return min(doubled, PAUSE_MAX_S) * (0.5 + self._jitter() / 2)

    async def _try(self, hook: Hook, notice: Notice) -> str:
        """Why it was not taken; empty when it was."""
        try:
            await self._notifier.tell(hook, notice, deadline_s=DEADLINE_S)
        except OutwardError as error:
            return str(error)
        except Exception as error:  # noqa: BLE001  a fault of a notifier must not end the others
            return str(OutwardError(f"{type(error).__name__}: {error}"))
        return ""


class _Line:
    """What waits for one hook: `due` are the entries whose notices are not settled, in order."""

    def __init__(self, index: int, hook: Hook) -> None:
        self.hook = hook
        self.queue: asyncio.Queue[Notice] = asyncio.Queue(QUEUE_MAX)
        self.due: list[int] = []
        self.made: dict[int, Delivery] = {}
        self._index = index

    def knows(self, told: Told) -> None:
        """What earlier processes did."""
        self.made = {made.seq: made for made in told.deliveries if made.hook == self._index}

    def offer(self, notice: Notice) -> None:
        """Takes a notice that this hook wants and was not told."""
        wanted = (*self.hook.events, HookEvent.BREAK_GLASS)  # whoever listens hears of that
        if notice.event not in wanted or self.of(notice).delivered:
            return
        self.due.append(notice.seq)
        if not self.queue.full():
            self.queue.put_nowait(notice)

    def of(self, notice: Notice) -> Delivery:
        """What came of telling it so far."""
        fresh = Delivery(
            notice.seq, self._index, notice.event.value, shown(self.hook), 0,
            delivered=False, at=notice.at,
        )  # fmt: skip
        return self.made.get(notice.seq, fresh)

    def done(self, seq: int) -> None:
        """It was told or given up."""
        self.due.remove(seq)
