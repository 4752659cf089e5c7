"""The passes of a controller over one branch: look, apply what changed, bring rollouts on, tell.

Laws:
1. A pass never waits for devices: each rollout has a task of its own, and the branch is looked at
   meanwhile.
2. A freeze of the store suspends it: the branch is looked at, and nothing is started.
3. Trouble with one plan or rollout keeps none of the others from going on, and is tried again later
   and later (`gitops.plans.again`). Trouble with the store ends the turn.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import random
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from orchestrator.api.following import (
    Following,
    acts_of,
    inputs_of,
    look,
    plan_files,
    refusals,
    refuse_link,
    start,
    words,
)
from orchestrator.api.hooks import tell_due
from orchestrator.api.owners import this_process
from orchestrator.api.reconciling import advance
from orchestrator.api.recording import seal_acts
from orchestrator.api.standings import Standings
from orchestrator.api.values import Observer, Reconciled, Settings
from orchestrator.errors import ClaimedError, ExitCode, OrchestratorError, StoreError
from orchestrator.gitops.plans import Applied, Trouble, again, is_due, to_apply
from orchestrator.gitops.record import Note, Noted, Record, from_text, to_text
from orchestrator.gitops.standing import Part, RolloutStanding, Standing
from orchestrator.outward.failure import OutwardError
from orchestrator.rollout.states import TERMINAL_ROLLOUT

if TYPE_CHECKING:
    from orchestrator.engine.ports import Lease
    from orchestrator.outward.git import Checkout
    from orchestrator.rollout.around import FleetFreeze
    from orchestrator.store.sql import SqlStore

KNOWN_ACTS = 500  # so far back a refusal is known to be told
Project = Callable[[Path], Settings]
_BRANCH, _PROJECT = "branch", "project"  # what there may be trouble with, besides single plans


@dataclass(frozen=True, slots=True)
class Means:
    """What a controller works with.

    `project` gives the settings of a project in a directory, for the same operator and store;
    `source` is the repository's address as it may be shown; `observe` makes who is
    told of a rollout.
    """

    settings: Settings
    following: Following
    project: Project
    store: SqlStore
    checkout: Checkout
    source: str
    observe: Callable[[], Observer]


class Follower:
    """One turn of a controller under its lease; used from one event loop."""

    def __init__(self, means: Means, lease: Lease, group: asyncio.TaskGroup) -> None:
        self._means, self._lease, self._group = means, lease, group
        self._store = means.store
        branch = means.following.branch
        self._key = hashlib.sha256(f"{means.source}\n{branch}".encode()).hexdigest()[:16]
        self._record = Record(means.source, branch)
        self._offered = self._refusal = self._unplanned = ""
        self._project: Settings | None = None
        self._troubles: dict[str, Trouble] = {}
        self._plans: dict[str, Trouble] | None = None  # None: the commit was not looked at yet
        self._passed_at: float | None = None
        self._tasks: dict[str, asyncio.Task[Reconciled | None]] = {}
        self._standings = Standings(means.store)

    async def load(self) -> None:
        """Reads what earlier turns remembered.

        Raises:
            StoreError: the store failed, or another version wrote it.
        """
        text = await self._store.followed(self._key)
        try:
            self._record = from_text(text) if text else self._record
        except ValueError as error:
            raise StoreError(str(error)) from error

    async def go(self, drain: asyncio.Event) -> None:
        """One pass.

        Raises:
            StoreError: the store failed, or the lease is lost.
        """
        await self._try(_BRANCH, self._look)
        if not self._record.taken or await self._means.checkout.at() != self._record.taken:
            return
        await self._try(_PROJECT, self._use)
        if self._project is not None:  # also while the newest one cannot be used
            await self._bring_on(self._project, drain)

    async def finish(self) -> None:
        """Waits until no rollout is driven here any more."""
        if self._tasks:
            await asyncio.wait(self._tasks.values())

    async def standing(self) -> Standing:
        """Where everything stands now.

        Raises:
            StoreError: the store failed.
        """
        return Standing(
            time.time(), Part.ACTIVE, self._record, this_process(), self._offered, self._refusal,
            next(iter(self._troubles.values()), None), self._plans or {}, await self._rollouts(), await self._frozen(),
            self._passed_at, self._unplanned,
        )  # fmt: skip

    # -- looking and applying -----------------------------------------------------------------------

    async def _look(self) -> None:
        means = self._means
        looked = await look(means.settings, means.following, means.checkout, self._record)
        if looked.record.taken != self._record.taken:
            self._plans = None
        await self._keep(looked.record)
        self._offered, self._refusal = looked.offered, looked.refusal
        self._passed_at = time.time()

    async def _use(self) -> None:
        """Reads the project of the taken commit, and applies what changed in it."""
        self._project = self._means.project(self._means.following.project)
        if _BRANCH not in self._troubles and await self._frozen() is None:
            await self._apply(self._project)

    async def _apply(self, settings: Settings) -> None:
        """Applies the plans that changed; looks at them only when there is news."""
        commit, now, root = self._record.taken, time.time(), self._means.checkout.root
        before, troubles, found = self._plans, dict[str, Trouble](), dict[str, str]()
        if before is not None and not any(
            is_due(one, commit=commit, now=now) for one in before.values()
        ):
            return
        files = plan_files(self._means.following)
        self._unplanned = "" if files else self._means.following.plans
        await self._keep(self._record.without_all_but(files))
        for file in files:
            known = (before or {}).get(file)
            if known is not None and not is_due(known, commit=commit, now=now):
                troubles[file] = known
                continue
            with self._noting_trouble_of(file, troubles):
                refuse_link(root, file)
                found[file] = await inputs_of(settings, root / file)
        for file in to_apply(found, self._record.applied):
            with self._noting_trouble_of(file, troubles):
                rollout_id = await start(settings, root / file)
                what = Noted.APPLIED if rollout_id else Noted.NOTHING_TO_DO
                applied = {**self._record.applied, file: Applied(found[file], commit, rollout_id)}
                note = Note(time.time(), what, commit, rollout_id, file)
                await self._keep(replace(self._record, applied=applied).noting(note))
        self._plans = troubles
        told = {(file, one.commit, one.error) for file, one in (before or {}).items()}
        if {(file, one.commit, one.error) for file, one in troubles.items()} - told:
            await self._tell_refusals(troubles)

    async def _tell_refusals(self, troubles: Mapping[str, Trouble]) -> None:
        """Records plans that are refused, once each, also over restarts."""
        known = await self._store.newest_acts(KNOWN_ACTS)
        if found := refusals(self._record, troubles, known):
            await self._store.follow(self._lease, self._key, to_text(self._record), found)
            await seal_acts(self._means.settings, self._store)

    async def _bring_on(self, settings: Settings, drain: asyncio.Event) -> None:
        """Lets each rollout that is not over be driven as far as it goes."""
        self._tasks = {key: task for key, task in self._tasks.items() if not task.done()}
        for rollout_id in reversed(await self._store.under_way()):
            if rollout_id not in self._tasks:
                work = advance(settings, self._store, rollout_id, drain, self._means.observe())
                self._tasks[rollout_id] = self._group.create_task(work, name=rollout_id)
        if not self._tasks:
            await tell_due(settings)

    async def _keep(self, record: Record) -> None:
        if record != self._record:
            found = acts_of(self._record, record)
            await self._store.follow(self._lease, self._key, to_text(record), found)
            self._record = record
            if found:
                await seal_acts(self._means.settings, self._store)

    async def _frozen(self) -> FleetFreeze | None:
        found = await self._store.frozen()
        return found if found is not None and found.is_on(time.time()) else None

    # -- trouble ------------------------------------------------------------------------------------

    async def _try(self, what: str, work: Callable[[], Awaitable[None]]) -> None:
        """Does it unless it failed and is not due again; keeps the trouble that it has."""
        known = self._troubles.get(what)
        if not is_due(known, commit=self._record.taken, now=time.time()):
            return
        try:
            await work()
        except StoreError:
            raise
        except (OutwardError, OrchestratorError) as error:
            code = ExitCode.USAGE if isinstance(error, OutwardError) else error.exit_code
            self._troubles[what] = self._again(known, words(error), code)
        else:
            self._troubles.pop(what, None)

    @contextlib.contextmanager
    def _noting_trouble_of(self, file: str, troubles: dict[str, Trouble]) -> Iterator[None]:
        try:
            yield
        except OrchestratorError as error:
            if isinstance(error, StoreError) and not isinstance(error, ClaimedError):
                raise
            before = (self._plans or {}).get(file)
            troubles[file] = self._again(before, words(error), error.exit_code)

    def _again(self, before: Trouble | None, error: str, code: ExitCode) -> Trouble:
        spread = 1 + random.random() / 10  # noqa: S311  so that controllers do not come at once
        return again(
            before, error, int(code), commit=self._record.taken, at=time.time(),
            interval_s=self._means.following.interval_s * spread,
        )  # fmt: skip

    # -- telling ------------------------------------------------------------------------------------

    async def _rollouts(self) -> tuple[RolloutStanding, ...]:
        """The rollouts of the branch's plans, and all others that are not over."""
        plans = {one.rollout_id: file for file, one in self._record.applied.items()}
        wanted = dict.fromkeys([*filter(None, plans), *await self._store.under_way()])
        return tuple([await self._rollout(one, plans.get(one, "")) for one in wanted])

    async def _rollout(self, rollout_id: str, plan: str) -> RolloutStanding:
        found = replace(await self._standings.of(rollout_id), plan=plan)
        task = self._tasks.get(rollout_id)
        done = task.result() if task is not None and task.done() else None
        if done is None or not done.error or found.state in TERMINAL_ROLLOUT:
            return found
        return replace(found, exit_code=int(done.exit_code), error=done.error)
