"""Following a rollout that somebody else drives, from any machine on the same store.

Laws:
1. Nothing is written and no lease is taken: the rollout does not know that it is watched.
2. What any process writes is told within a second: entries of the journal and a change of who
   drives it are looked for every `LOOK_S`.
3. The story costs a read of every device's row. It is read again when there is news, and for
   large fleets so seldom that it takes a tenth of the time at most; never later than the end.
4. Who does not stay for approvals, hours and other plans leaves where nothing else is left, as an
   engine does, also while another one stays for that: once the engine that has the lease has
   begun, and has found nothing to do for `REST_S`.
"""

from __future__ import annotations

import asyncio
import math
import time
from pathlib import Path
from typing import TYPE_CHECKING

from orchestrator.api.project import read_file
from orchestrator.api.stored import engine_of, entries_of, status_of
from orchestrator.api.stores import no_rollouts, open_state, rollout_id_of, state_exists
from orchestrator.api.values import Onlooker, Run, Settings, Status, Stay
from orchestrator.errors import ExitCode, StoreError
from orchestrator.rollout.states import TERMINAL_ROLLOUT, DeviceState, Pause

if TYPE_CHECKING:
    from orchestrator.rollout.events import JournalEntry
    from orchestrator.store.sql import SqlStore

LOOK_S = 0.4  # with the time of a look itself, below the second that is promised
REST_S = 1.0  # an engine that wakes up in time has committed by then
STORY_SHARE_MAX = 0.1
_PLAN_SUFFIXES = frozenset({".yml", ".yaml", ".plan"})


async def watch(
    settings: Settings,
    what: str | None,
    *,
    onlooker: Onlooker,
    timeout_s: float | None = None,
    while_driven: bool = False,
    stay: Stay = Stay.ALL,
) -> Status:
    """Follows a rollout until it is over; gives where it stands then.

    Args:
        settings: the operator's configuration.
        what: a rollout's id or its beginning, a plan (its newest rollout), or None for the newest.
        onlooker: told what happens.
        timeout_s: for how long it is followed; None: until it is over.
        while_driven: only for as long as an engine drives it.
        stay: for which waits, as for who drives it.

    Raises:
        StoreError: there is no such rollout, or the store failed.
        PlanError: `what` is a plan that cannot be read.
    """
    if not state_exists(settings):
        raise no_rollouts()
    end_at = time.monotonic() + (math.inf if timeout_s is None else timeout_s)
    async with open_state(settings) as store:
        watched = _Watched(store, await _meant(store, what), onlooker)
        await watched.begin()
        while not watched.is_over and (now := time.monotonic()) < end_at:
            if (while_driven and not watched.is_driven) or watched.is_left(stay):
                break
            await asyncio.sleep(min(LOOK_S, end_at - now))
            await watched.look()
        return await watched.last()


class _Watched:
    """A rollout, and what the onlooker has been told of it."""

    def __init__(self, store: SqlStore, rollout_id: str, onlooker: Onlooker) -> None:
        self._store = store
        self._rollout_id = rollout_id
        self._onlooker = onlooker
        self._status: Status | None = None
        self._seq = 0
        self._epoch = 0  # of the engine that began last
        self._is_stale = True
        self._found_put_down = False
        self._rests_since: float | None = None
        self._read_at = 0.0
        self._read_s = 0.0

    @property
    def is_over(self) -> bool:
        """Whether it has ended, and all of that was told."""
        return not self._is_stale and self._now.story.state in TERMINAL_ROLLOUT

    @property
    def is_driven(self) -> bool:
        """Whether an engine drives it."""
        return bool(self._now.engine)

    def is_left(self, stay: Stay) -> bool:
        """Whether nothing is at work, and nobody stays for what it waits for."""
        if stay is Stay.ALL:
            return False
        since = self._rests_since
        rests = since is not None and time.monotonic() - since >= REST_S
        return rests or (self._is_put_down and (stay is not Stay.PAUSES or self._found_put_down))

    @property
    def _is_put_down(self) -> bool:
        story = self._now.story
        staged = sum(wave.counts.get(DeviceState.STAGED, 0) for wave in story.waves)
        by_person = any(stop.cause is Pause.OPERATOR for stop in story.stops)
        return by_person and story.at_work == staged

    async def begin(self) -> None:
        """Tells what has been so far."""
        history = await self._news()
        history += await self._read()
        now = self._now
        self._found_put_down = self._is_put_down
        self._onlooker.started(
            Run(now.rollout_id, now.resolved, now.digest, joined=False, history=history)
        )
        self._onlooker.tick(time.time())
        self._onlooker.stands(now)

    async def look(self) -> None:
        """Tells what is new."""
        news = await self._news()
        if news:
            self._is_stale = True
            self._onlooker.journal(news)
        self._onlooker.tick(time.time())
        ends = any(entry.type == "rollout_done" for entry in news)
        engine = await engine_of(self._store, self._rollout_id)
        if ends or engine != self._now.engine or (self._is_stale and self._has_rested()):
            await self._tell()
        rests = await self._rests()
        self._rests_since = (self._rests_since or time.monotonic()) if rests else None

    async def last(self) -> Status:
        """Where it stands now."""
        if self._is_stale:
            await self._tell()
        return self._now

    @property
    def _now(self) -> Status:
        assert self._status is not None, "it was read in the beginning"
        return self._status

    async def _rests(self) -> bool:
        """Whether only waits are left. What nobody has begun yet looks like that, too."""
        if self._is_stale or not self._now.story.rests:
            return False
        lease = await self._store.lease_of(self._rollout_id)
        return lease is not None and lease.epoch == self._epoch

    def _has_rested(self) -> bool:
        return time.monotonic() - self._read_at >= self._read_s / STORY_SHARE_MAX

    async def _tell(self) -> None:
        news = await self._read()
        if news:  # the story may know of them already
            self._onlooker.journal(news)
        self._onlooker.stands(self._now)

    async def _read(self) -> tuple[JournalEntry, ...]:
        """Reads where it stands; gives what came to the journal meanwhile."""
        begun_at = time.monotonic()
        self._status = await status_of(self._store, self._rollout_id)
        self._read_at = time.monotonic()
        self._read_s = self._read_at - begun_at
        news = await self._news()
        self._is_stale = bool(news)
        return news

    async def _news(self) -> tuple[JournalEntry, ...]:
        found = await entries_of(self._store, self._rollout_id, after=self._seq)
        if found:
            self._seq = found[-1].seq
        for entry in found:
            if entry.type == "engine_started":
                self._epoch = int(str(entry.data["epoch"]))
        return found


async def _meant(store: SqlStore, what: str | None) -> str:
    """The id of the rollout that is meant.

    Raises:
        StoreError: there is none.
        PlanError: the plan cannot be read.
    """
    plan_name = None if what is None else _plan_name(what)
    if plan_name is None:
        return await rollout_id_of(store, what)
    found = await store.latest(plan_name)
    if found is None:
        error = StoreError(
            f"no rollout of plan `{what}` was started here yet",
            hint=f"start one: `rollout apply {what}`",
        )
        error.exit_code = ExitCode.REFUSED
        raise error
    return found.rollout_id


def _plan_name(what: str) -> str | None:
    """The name of the plan in that file; None where no file can be meant.

    Raises:
        PlanError: it cannot be read.
    """
    from orchestrator.plan.envelope import from_saved, is_saved
    from orchestrator.plan.parse import parse_plan

    path = Path(what)
    if path.suffix not in _PLAN_SUFFIXES and not path.is_file():
        return None
    data = read_file(path)
    read = from_saved if is_saved(data) else parse_plan
    return read(data, file=what).name
