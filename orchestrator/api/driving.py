"""Driving stored rollouts."""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from typing import TYPE_CHECKING

from orchestrator.api.approvals import vouching
from orchestrator.api.asking import take_over_from_the_dead
from orchestrator.api.beginning import refuse_to_begin
from orchestrator.api.commits import refuse_uncommitted
from orchestrator.api.connections import open_transport
from orchestrator.api.deltas import deltas_for
from orchestrator.api.evidence import refuse_unevidenced
from orchestrator.api.gates import probes_of
from orchestrator.api.hooks import telling, telling_others
from orchestrator.api.memory import settled_memory
from orchestrator.api.owners import person, this_process
from orchestrator.api.plan_artifacts import artifact_path
from orchestrator.api.plan_tickets import ticket_frames
from orchestrator.api.reports import HostReports
from orchestrator.api.roles import require_role
from orchestrator.api.saved import refuse_repeated, refuse_stale
from orchestrator.api.sealing import Sealer
from orchestrator.api.stored import (
    digest_of_stored,
    entries_of,
    load_stored,
    plan_of,
    status_with,
    under_another,
)
from orchestrator.api.stores import open_state
from orchestrator.api.surveys import refuse_moved
from orchestrator.api.values import (
    Finished,
    Nobody,
    Observer,
    Prepared,
    Run,
    Settings,
    Stay,
)
from orchestrator.api.waits import Waits
from orchestrator.device.model import DeviceId
from orchestrator.errors import (
    ExitCode,
    StalePlanError,
    StoreError,
)
from orchestrator.plan.controls import OnConflict
from orchestrator.rollout.events import Ask, JournalEntry
from orchestrator.rollout.states import Pause

if TYPE_CHECKING:
    from orchestrator.artifact.source import ArtifactSource
    from orchestrator.device.protocol import Frame
    from orchestrator.engine.deltas import Delta
    from orchestrator.engine.loop import Ended, Engine, Job
    from orchestrator.engine.ports import Stored
    from orchestrator.notify.delivery import Teller
    from orchestrator.plan.resolved import ResolvedPlan
    from orchestrator.rollout.machine import Rollout
    from orchestrator.store.sql import SqlStore

TICK_S = 0.25
_WITHOUT_ARTIFACT = frozenset({Ask.ROLLBACK, Ask.ABORT, Ask.SUPERSEDE})


async def apply(
    settings: Settings,
    prepared: Prepared,
    *,
    observer: Observer,
    drain: asyncio.Event,
    stay: Stay = Stay.SOAKS,
) -> Finished:
    """Starts a prepared plan, or goes on with its rollout, until that ends or rests.

    Args:
        settings: the operator's configuration.
        prepared: what `prepare` gave.
        observer: told what happens.
        drain: when set, nothing new is started, what is in flight finishes, and the rollout
            stays resumable.
        stay: for which waits it stays.

    Raises:
        PlanError: who asks is no operator.
        StalePlanError: a saved plan no longer fits, and nothing is under way to continue.
        TrustError: no signed commit holds the plan, and the configuration requires one; or what
            speaks for the artifact, and a policy for that.
        ClaimedError: another rollout goes first on its devices, and the plan says `fail`.
        DrivenError: another engine drives the rollout; `watch` follows it.
        LeaseError: another engine took it over.
        StoreError: the store failed.
    """
    require_role(settings, "apply")
    rollout_id = prepared.continues or await begin(settings, prepared)
    return await run(settings, rollout_id, observer=observer, drain=drain, stay=stay)


async def begin(settings: Settings, prepared: Prepared) -> str:
    """Stores the rollout of a prepared plan that has none yet; gives its id.

    Raises:
        OrchestratorError: as `apply`.
    """
    require_role(settings, "apply")
    if prepared.saved:
        refuse_stale(settings, prepared)
    refuse_uncommitted(settings, prepared)
    refuse_unevidenced(settings, prepared)
    from orchestrator.plan.digest import digest_of
    from orchestrator.rollout.machine import Rollout

    rollout_id = f"r-{secrets.token_hex(4)}"
    first = Rollout.start(
        prepared.resolved, rollout_id, at=time.time(), author=person(), digest=prepared.digest
    ).collect()
    async with open_state(settings) as store:
        if prepared.saved:
            refuse_repeated(earlier := await store.of_digest(digest_of(prepared.plan_json)))
            if earlier is None:  # otherwise another `apply` has just begun it, and is joined
                await refuse_moved(settings, prepared)
        # Two applies at the same moment: the store decides, and both drive (or watch) one rollout.
        alone = prepared.resolved.on_conflict is OnConflict.FAIL
        return await store.start(rollout_id, prepared.plan_json, first, alone=alone)


async def run(
    settings: Settings,
    rollout_id: str,
    *,
    observer: Observer,
    drain: asyncio.Event,
    asked: Ask | None = None,
    stay: Stay = Stay.SOAKS,
) -> Finished:
    """Drives a stored rollout until it ends or rests; see `apply` and `drive`.

    Meanwhile hooks of other rollouts are told what is still due.

    Raises:
        OrchestratorError: as `drive`.
    """
    async with telling_others(settings, rollout_id):
        return await drive(
            settings, rollout_id, observer=observer, drain=drain, asked=asked, stay=stay
        )


async def drive(
    settings: Settings,
    rollout_id: str,
    *,
    observer: Observer,
    drain: asyncio.Event,
    asked: Ask | None = None,
    stay: Stay = Stay.SOAKS,
) -> Finished:
    """Drives a stored rollout until it ends or rests; see `apply`.

    Rollouts that it asked to end, and that nobody drives, are driven to their end in between.

    Args:
        settings: the operator's configuration.
        rollout_id: which.
        observer: told what happens.
        drain: as for `apply`.
        asked: what the caller has just asked of it; says when it is done. A rollback or abort
            delivers nothing and so does without the artifact.
        stay: for which waits it stays.

    Raises:
        PlanError: a rollback that was asked for cannot be, as another rollout works on its devices.
        DrivenError: another engine drives it.
        LeaseError: another engine took it over.
        StoreError: it does not exist, or the store failed.
        ArtifactError: the artifact is gone or broken.
        TrustError: the artifact is not what the plan names.
        StalePlanError: artifact or ticket are not those of the plan.
    """
    finished, orphans = await _run(settings, rollout_id, observer, drain, asked, stay)
    while orphans and not drain.is_set():
        for orphan in orphans:
            await _run(settings, orphan, Nobody(), drain, Ask.SUPERSEDE, Stay.SOAKS)
        finished, left = await _run(settings, rollout_id, observer, drain, asked, stay)
        orphans = tuple(one for one in left if one not in orphans)
    return finished


async def _run(
    settings: Settings,
    rollout_id: str,
    observer: Observer,
    drain: asyncio.Event,
    asked: Ask | None,
    stay: Stay,
) -> tuple[Finished, tuple[str, ...]]:
    from orchestrator.engine.loop import Job

    async with AsyncExitStack() as stack:
        store = await stack.enter_async_context(open_state(settings))
        stored = await load_stored(store, rollout_id)
        plan = plan_of(stored)
        frames: tuple[Frame, ...] = ()
        deltas: tuple[Delta, ...] = ()
        if asked not in _WITHOUT_ARTIFACT:
            await refuse_to_begin(settings, store, stored, plan)
            source = await asyncio.to_thread(_open_artifact, settings, plan)
            stack.callback(source.close)
            path = artifact_path(settings, plan)
            frames = (*ticket_frames(path, plan), *_frames(source))
            deltas = deltas_for(path, source.artifact)
        await take_over_from_the_dead(store, rollout_id)
        transport = await stack.enter_async_context(open_transport(settings, rollout_id))
        history = await entries_of(store, rollout_id)
        known = len(history) > len(_first_entries(history))
        teller = await stack.enter_async_context(telling(settings, store, plan, rollout_id))
        sealer = Sealer(settings, store, rollout_id, controller_id=store.controller_id())
        made = Run(rollout_id, plan, digest_of_stored(stored), known, history)
        watch = _Watch(observer, made, teller, sealer)
        job = Job(
            rollout_id,
            plan,
            stored.plan_json,
            lambda: frames,
            this_process(),
            store.controller_id(),
            stays=stay is Stay.ALL,
            leaves_soaks=stay is Stay.NOTHING,
            leaves_pauses=_leaves_pauses(stay, asked, stored),
            deltas=deltas,
        )
        engine = _engine(settings, store, transport, job, watch)
        try:
            with settled_memory():
                ended = await _drive(engine, watch, drain)
        finally:
            await sealer.finish()
        watch.begin()
        around = ended.rollout.ledger.around
        if asked is Ask.ROLLBACK and ended.rollout.is_terminal and around and around.busy:
            raise under_another(around.busy[0])
        code = ExitCode.INTERRUPTED if ended.stopped else ended.rollout.exit_code_of(asked)
        status = await status_with(store, ended.rollout, made.digest)
        return Finished(status, code, sealer.trouble), ended.rollout.orphans


def _leaves_pauses(stay: Stay, asked: Ask | None, stored: Stored) -> bool:
    """Who did not find it so may stay while a person pauses it; nobody else but by `--wait`."""
    if stay is not Stay.PAUSES:
        return stay is not Stay.ALL
    causes = stored.rollout["causes"]
    return asked is None and isinstance(causes, Mapping) and Pause.OPERATOR.value in causes


async def _drive(engine: Engine, watch: _Watch, drain: asyncio.Event) -> Ended:
    async def stop_when_asked() -> None:
        await drain.wait()
        engine.stop()

    async def tick() -> None:
        while True:
            watch.tick()
            await asyncio.sleep(TICK_S)

    try:
        async with asyncio.TaskGroup() as group:
            helpers = [group.create_task(stop_when_asked()), group.create_task(tick())]
            ended = await engine.run()
            for helper in helpers:
                helper.cancel()
    except* StoreError as failures:
        raise failures.exceptions[0] from None
    return ended


class _Watch:
    """Passes what the engine commits to the caller's observer.

    The first commit proves the lease: only then is it said that the rollout goes on here.
    """

    def __init__(self, observer: Observer, run: Run, teller: Teller, sealer: Sealer) -> None:
        self._observer = observer
        self._teller = teller
        self._sealer = sealer
        self.run = run
        self._total_bytes = run.resolved.artifact.transfer_bytes
        self._waits = Waits(observer)
        self._begun = False

    def tick(self) -> None:
        """Time passed."""
        self._observer.tick(time.time())
        if self._begun:
            self._waits.tell()

    def begin(self) -> None:
        """Tells the observer, once, that the rollout is driven here."""
        if not self._begun:
            self._begun = True
            self._observer.started(self.run)

    def committed(self, rollout: Rollout, journal: Sequence[JournalEntry]) -> None:
        """After each commit."""
        self._waits.follow(rollout)
        self.begin()
        self._observer.journal(journal)
        self._teller.take(journal)
        self._sealer.take(journal)

    def progressed(self, device: DeviceId, sent_bytes: int) -> None:
        """Bytes went out."""
        self._observer.working(device, "copying", sent_bytes, self._total_bytes)


def _engine(
    settings: Settings, store: SqlStore, transport: object, job: Job, watch: _Watch
) -> Engine:
    from orchestrator.engine.clock import SystemClock
    from orchestrator.engine.loop import Engine, Ports
    from orchestrator.ssh.transport import SshTransport

    assert isinstance(transport, SshTransport)
    plan = watch.run.resolved
    context = {"plan": plan.name, "release": plan.release, "rollout": job.rollout_id}
    ports = Ports(
        store=store,
        leases=store,
        transport=transport,
        prober=probes_of(settings, context),
        clock=SystemClock(),
        token=lambda: secrets.token_hex(16),
        vouch=vouching(settings),
        reports=HostReports(required=settings.require_signed_reports),
    )
    return Engine(ports, job, observer=watch)


def _open_artifact(settings: Settings, plan: ResolvedPlan) -> ArtifactSource:
    """The artifact of a plan, verified; what is delivered is what was verified.

    Raises:
        ArtifactError: it is gone or broken.
        TrustError: not signed by a trusted key.
        StalePlanError: it is not the one that the plan was made for.
    """
    from orchestrator.artifact.reader import ReadOptions
    from orchestrator.artifact.source import ArtifactSource
    from orchestrator.trust.keys import load_public_key
    from orchestrator.trust.signature import open_verified

    path: Path = artifact_path(settings, plan)
    options = ReadOptions()
    keys = [load_public_key(key) for key in settings.trusted_keys]
    if keys:
        source, _ = open_verified(path, keys, options=options)
    else:
        source = ArtifactSource(path, options=options)
    if source.artifact.sha256 != plan.artifact.sha256:
        source.close()
        message = f"artifact `{plan.artifact.path}` is not the one that the plan was made for"
        hint = "put the old file back, or abort this rollout and start a new one"
        raise StalePlanError(message, hint=hint, code="P313")
    return source


def _frames(source: ArtifactSource) -> tuple[Frame, ...]:
    from orchestrator.device.protocol import Frame

    return tuple(
        Frame(frame.name, frame.size_bytes, frame.sha256, frame.chunks) for frame in source.frames
    )


def _first_entries(history: Sequence[JournalEntry]) -> Sequence[JournalEntry]:
    """What stands in a journal before any engine has driven the rollout."""
    for index, entry in enumerate(history):
        if entry.type == "engine_started":
            return history[:index]
    return history
