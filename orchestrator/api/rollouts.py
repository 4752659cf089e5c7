"""Driving stored rollouts, looking at them, and asking things of them."""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from typing import TYPE_CHECKING

from orchestrator.api.connections import open_transport
from orchestrator.api.gates import probes_of
from orchestrator.api.owners import is_gone, person, this_process
from orchestrator.api.plan_artifacts import artifact_path
from orchestrator.api.saved import refuse_repeated, refuse_stale
from orchestrator.api.stores import no_rollouts, open_state, rollout_id_of, state_exists
from orchestrator.api.values import (
    Asked,
    AskRequest,
    Finished,
    Observer,
    Prepared,
    Run,
    Settings,
    Status,
    Unreadable,
    Why,
)
from orchestrator.device.model import DeviceId
from orchestrator.errors import (
    ExitCode,
    PlanError,
    StalePlanError,
    StoreError,
    UnreadableError,
)
from orchestrator.rollout.events import Ask, JournalEntry, OperatorAsked
from orchestrator.rollout.states import TERMINAL_ROLLOUT, RolloutState

if TYPE_CHECKING:
    from orchestrator.artifact.source import ArtifactSource
    from orchestrator.device.protocol import Frame
    from orchestrator.engine.loop import Ended, Engine
    from orchestrator.engine.ports import Stored
    from orchestrator.plan.resolved import ResolvedPlan
    from orchestrator.rollout.machine import Rollout
    from orchestrator.store.sql import SqlStore

TICK_S = 0.25
FOLLOW_S = 0.5
JOURNAL_PAGE = 1000
NAMES_MAX = 5  # devices that a message names; the rest is a number
_NEEDS_ENGINE = frozenset({Ask.RESUME, Ask.RETRY, Ask.ROLLBACK, Ask.ABORT})
_WITHOUT_ARTIFACT = frozenset({Ask.ROLLBACK, Ask.ABORT})


async def apply(
    settings: Settings, prepared: Prepared, *, observer: Observer, drain: asyncio.Event
) -> Finished:
    """Starts a prepared plan, or goes on with its rollout, until that ends or rests.

    Args:
        settings: the operator's configuration.
        prepared: what `prepare` gave.
        observer: told what happens.
        drain: when set, nothing new is started, what is in flight finishes, and the rollout
            stays resumable.

    Raises:
        StalePlanError: a saved plan no longer fits, and nothing is under way to continue.
        PlanError: the plan says what this engine does not run.
        LeaseError: another engine drives the rollout.
        StoreError: the store failed.
    """
    if prepared.continues is not None:
        return await run(settings, prepared.continues, observer=observer, drain=drain)
    if prepared.saved:
        refuse_stale(settings, prepared)
    from orchestrator.plan.runnable import refuse_unready
    from orchestrator.rollout.machine import Rollout

    refuse_unready(prepared.resolved)

    rollout_id = f"r-{secrets.token_hex(4)}"
    first = Rollout.start(prepared.resolved, rollout_id, at=time.time()).collect()
    async with open_state(settings) as store:
        if prepared.saved:
            refuse_repeated(await store.of_digest(prepared.digest))
        # Two applies at the same moment: the store decides, and both drive (or watch) one rollout.
        stored_id = await store.start(rollout_id, prepared.plan_json, first)
    return await run(settings, stored_id, observer=observer, drain=drain)


async def run(
    settings: Settings,
    rollout_id: str,
    *,
    observer: Observer,
    drain: asyncio.Event,
    asked: Ask | None = None,
) -> Finished:
    """Drives a stored rollout until it ends or rests; see `apply`.

    Args:
        settings: the operator's configuration.
        rollout_id: which.
        observer: told what happens.
        drain: as for `apply`.
        asked: what the caller has just asked of it; says when it is done. A rollback or abort
            delivers nothing and so does without the artifact.

    Raises:
        LeaseError: another engine drives it.
        StoreError: it does not exist, or the store failed.
        ArtifactError: the artifact is gone or broken.
        TrustError: the artifact is not what the plan names.
    """
    async with AsyncExitStack() as stack:
        store = await stack.enter_async_context(open_state(settings))
        stored = await _stored(store, rollout_id)
        plan = _plan(stored)
        frames: tuple[Frame, ...] = ()
        if asked not in _WITHOUT_ARTIFACT:
            source = await asyncio.to_thread(_open_artifact, settings, plan)
            stack.callback(source.close)
            frames = _frames(source)
        await _take_over_from_the_dead(store, rollout_id)
        transport = await stack.enter_async_context(open_transport(settings))
        history = await _whole_journal(store, rollout_id)
        known = len(history) > len(_first_entries(history))
        watch = _Watch(observer, Run(rollout_id, plan, _digest(stored), known, history))
        engine = _engine(settings, store, transport, stored, frames, watch)
        ended = await _drive(engine, observer, drain)
        watch.begin()
        return _finished(rollout_id, ended, asked)


async def _drive(engine: Engine, observer: Observer, drain: asyncio.Event) -> Ended:
    async def stop_when_asked() -> None:
        await drain.wait()
        engine.stop()

    async def tick() -> None:
        while True:
            observer.tick(time.time())
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


def _finished(rollout_id: str, ended: Ended, asked: Ask | None) -> Finished:
    from orchestrator.rollout.story import tell

    code = ExitCode.INTERRUPTED if ended.stopped else ended.rollout.exit_code_of(asked)
    return Finished(rollout_id, tell(ended.rollout), code, interrupted=ended.stopped)


class _Watch:
    """Passes what the engine commits to the caller's observer.

    The first commit proves the lease: only then is it said that the rollout goes on here.
    """

    def __init__(self, observer: Observer, run: Run) -> None:
        self._observer = observer
        self.run = run
        self._total_bytes = run.resolved.artifact.transfer_bytes
        self._begun = False

    def begin(self) -> None:
        """Tells the observer, once, that the rollout is driven here."""
        if not self._begun:
            self._begun = True
            self._observer.started(self.run)

    def committed(self, rollout: Rollout, journal: Sequence[JournalEntry]) -> None:
        """After each commit."""
        del rollout
        self.begin()
        self._observer.journal(journal)

    def progressed(self, device: DeviceId, sent_bytes: int) -> None:
        """Bytes went out."""
        self._observer.working(device, "copying", sent_bytes, self._total_bytes)


def _engine(
    settings: Settings,
    store: SqlStore,
    transport: object,
    stored: Stored,
    frames: tuple[Frame, ...],
    watch: _Watch,
) -> Engine:
    from orchestrator.engine.clock import SystemClock
    from orchestrator.engine.loop import Engine, Job, Ports
    from orchestrator.ssh.transport import SshTransport

    assert isinstance(transport, SshTransport)
    plan = watch.run.resolved
    context = {"plan": plan.name, "release": plan.release, "rollout": stored.rollout_id}
    ports = Ports(
        store=store,
        leases=store,
        transport=transport,
        prober=probes_of(settings, context),
        clock=SystemClock(),
        token=lambda: secrets.token_hex(16),
    )
    job = Job(
        stored.rollout_id, plan, stored.plan_json, lambda: frames, this_process(),
        store.controller_id(),
    )  # fmt: skip
    return Engine(ports, job, observer=watch)


def _digest(stored: Stored) -> str:
    from orchestrator.plan.digest import digest_of

    return digest_of(stored.plan_json)


def _open_artifact(settings: Settings, plan: ResolvedPlan) -> ArtifactSource:
    """The artifact of a plan, verified; what is delivered is what was verified.

    Raises:
        ArtifactError: it is gone or broken.
        TrustError: not signed by a trusted key.
        StalePlanError: it is not the one that the plan was made for.
    """
    from orchestrator.artifact.model import ScriptPolicy
    from orchestrator.artifact.reader import ReadOptions
    from orchestrator.artifact.source import ArtifactSource
    from orchestrator.trust.keys import load_public_key
    from orchestrator.trust.signature import open_verified

    path: Path = artifact_path(settings, plan)
    options = ReadOptions(scripts=ScriptPolicy.FORBID)
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


async def _take_over_from_the_dead(store: SqlStore, rollout_id: str) -> None:
    """Frees a lease whose process on this host is gone: after kill -9 nobody should wait."""
    lease = await store.lease_of(rollout_id)
    if lease is not None and is_gone(lease.owner):
        await store.release(lease)


# -- looking --------------------------------------------------------------------------------------


async def status(settings: Settings, rollout: str | None) -> Status:
    """A stored rollout.

    Raises:
        StoreError: there is none, or several begin like that.
    """
    if not state_exists(settings):
        raise no_rollouts()
    async with open_state(settings) as store:
        return await _status(store, await rollout_id_of(store, rollout))


async def why(settings: Settings, rollout: str | None, device: str) -> Why:
    """Why one device of a stored rollout is where it is.

    Raises:
        StoreError: there is no such rollout, or the device is none of it.
    """
    from orchestrator.rollout.why import why as story_of

    if not state_exists(settings):
        raise no_rollouts()
    async with open_state(settings) as store:
        rollout_id = await rollout_id_of(store, rollout)
        stored = await _stored(store, rollout_id)
        found = _restored(stored, _plan(stored))
        now = time.time()
        story = story_of(found, DeviceId(device), now=now)
        if story is None:
            message = f"rollout `{rollout_id}` knows no device `{device}`"
            raise StoreError(message, hint="`rollout events` names the devices of a rollout")
        lines = [
            entry for entry in await _whole_journal(store, rollout_id) if entry.device == device
        ]
        return Why(rollout_id, story, tuple(lines), now)


async def rollouts(settings: Settings) -> tuple[Status | Unreadable, ...]:
    """All stored rollouts, newest first; one that cannot be read hides none of the others.

    Raises:
        StoreError: the store failed.
    """
    if not state_exists(settings):
        return ()
    async with open_state(settings) as store:
        found: list[Status | Unreadable] = []
        for one in await store.rollouts():
            try:
                found.append(await _status(store, one.rollout_id))
            except UnreadableError as error:
                why = error.message
                found.append(Unreadable(one.rollout_id, one.plan_name, one.state, why))
        return tuple(found)


async def journal(
    settings: Settings, rollout: str | None, *, since: int = 0, follow: bool = False
) -> AsyncIterator[JournalEntry]:
    """Journal entries with a number above `since`; with `follow` until the rollout is over.

    Raises:
        StoreError: there is no such rollout.
    """
    if not state_exists(settings):
        raise no_rollouts()
    async with open_state(settings) as store:
        rollout_id = await rollout_id_of(store, rollout)
        while True:
            entries = await store.journal(rollout_id, after=since, limit=JOURNAL_PAGE)
            for entry in entries:
                yield entry
                since = entry.seq
            if len(entries) == JOURNAL_PAGE:
                continue
            if not follow or (entries and entries[-1].type == "rollout_done"):
                return
            await asyncio.sleep(FOLLOW_S)


async def _status(store: SqlStore, rollout_id: str) -> Status:
    from orchestrator.rollout.story import tell

    stored = await _stored(store, rollout_id)
    plan = _plan(stored)
    found = _restored(stored, plan)
    holder = await store.holder(rollout_id, now=time.time())
    owner = "" if is_gone(holder) else holder
    return Status(rollout_id, plan, _digest(stored), tell(found), owner, found.returnable)


async def _stored(store: SqlStore, rollout_id: str) -> Stored:
    stored = await store.load(rollout_id)
    if stored is None:
        message = f"there is no rollout `{rollout_id}`"
        raise StoreError(message, hint="`rollout status --all` lists them")
    return stored


def _plan(stored: Stored) -> ResolvedPlan:
    from orchestrator.plan.digest import from_json

    try:
        return from_json(stored.plan_json, file=stored.rollout_id)
    except PlanError as error:
        raise _unreadable(stored, error.message) from error


def _restored(stored: Stored, plan: ResolvedPlan) -> Rollout:
    from orchestrator.rollout.machine import Rollout

    try:
        return Rollout.restore(plan, stored.rollout_id, stored.rollout, stored.devices)
    except (ValueError, LookupError, TypeError) as error:
        raise _unreadable(stored, str(error)) from error


def _unreadable(stored: Stored, why: str) -> UnreadableError:
    message = f"rollout `{stored.rollout_id}` cannot be read: {why}"
    return UnreadableError(message, hint="use the version of `rollout` that wrote it")


async def _whole_journal(store: SqlStore, rollout_id: str) -> tuple[JournalEntry, ...]:
    entries: list[JournalEntry] = []
    while True:
        after = entries[-1].seq if entries else 0
        page = await store.journal(rollout_id, after=after, limit=JOURNAL_PAGE)
        entries.extend(page)
        if len(page) < JOURNAL_PAGE:
            return tuple(entries)


def _first_entries(history: Sequence[JournalEntry]) -> Sequence[JournalEntry]:
    """What stands in a journal before any engine has driven the rollout."""
    for index, entry in enumerate(history):
        if entry.type == "engine_started":
            return history[:index]
    return history


# -- asking ---------------------------------------------------------------------------------------


async def ask(settings: Settings, request: AskRequest) -> Asked:
    """Records an operator's request durably; who asks is this process's user.

    Raises:
        PlanError: the state of the rollout does not allow it.
        StoreError: there is no such rollout.
    """
    if not state_exists(settings):
        raise no_rollouts()
    async with open_state(settings) as store:
        rollout_id = await rollout_id_of(store, request.rollout)
        found = await _status(store, rollout_id)
        _refuse_what_cannot_be(found, request)
        if found.story.state in TERMINAL_ROLLOUT:
            await _refuse_under_another(store, found, request)
        event = OperatorAsked(
            at=time.time(),
            ask=request.ask,
            who=person(),
            why=request.why,
            accept_failures=request.accept_failures,
            devices=tuple(DeviceId(name) for name in request.devices),
            wave=request.wave,
        )
        await store.ask(rollout_id, event)
    needs_engine = not found.engine and request.ask in _NEEDS_ENGINE
    halted = found.story.state is RolloutState.HALTED
    go_on = f"rollout resume {rollout_id} --accept-failures"
    still_wants = go_on if halted and request.ask is Ask.RETRY else ""
    return Asked(rollout_id, found.engine, needs_engine, still_wants)


def _refuse_what_cannot_be(found: Status, request: AskRequest) -> None:
    state = found.story.state
    over = f"rollout `{found.rollout_id}` is over: {found.story.state.replace('_', ' ')}"
    if state in TERMINAL_ROLLOUT and request.ask is not Ask.ROLLBACK:
        raise PlanError(over, hint="start a new one with `rollout apply`", code="S201")
    if request.ask is Ask.RESUME and state is RolloutState.HALTED and not request.accept_failures:
        message = f"rollout `{found.rollout_id}` was halted by its limits"
        go_on = f"rollout resume {found.rollout_id} --accept-failures"
        hint = f"look at `rollout status`; to go on in spite of it: `{go_on}`"
        raise PlanError(message, hint=hint, code="S202")
    unknown = [name for name in request.devices if name not in found.resolved.devices]
    if unknown:
        raise PlanError(f"{_names(unknown)} not in this rollout", code="S203")
    waves = [wave.name for wave in found.resolved.waves]
    if request.wave is not None and request.wave not in waves:
        message = f"there is no wave `{request.wave}`"
        raise PlanError(message, hint=f"waves: {', '.join(waves)}", code="S204")
    nothing = not found.concerned(wave=request.wave, devices=request.devices)
    if state in TERMINAL_ROLLOUT and nothing:
        message = f"{over}, and none of these devices runs its version because of it"
        raise PlanError(message, hint="there is nothing to take back", code="S205")


async def _refuse_under_another(store: SqlStore, found: Status, request: AskRequest) -> None:
    """A finished rollout is taken up again only where no other one works on the same devices."""
    concerned = found.concerned(wave=request.wave, devices=request.devices)
    for other in await store.under_way():
        shared = concerned & (await store.device_rows(other)).keys()
        if shared:
            message = f"rollout `{other}` is under way on {_names(sorted(shared))}"
            hint = f"end it first: `rollout rollback {other}` or `rollout abort {other}`"
            raise PlanError(message, hint=hint, code="S206")


def _names(devices: Sequence[str]) -> str:
    shown = ", ".join(f"`{name}`" for name in devices[:NAMES_MAX])
    more = len(devices) - NAMES_MAX
    return f"{shown} and {more} more" if more > 0 else shown
