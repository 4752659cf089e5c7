"""Whole rollouts from a seed: random plan, random faults, crashing engines, asking operators.

`simulate(seed)` runs one or two rollouts on one fleet and one store to their end, in virtual time,
and checks `invariants`. The same seed gives the same journal on every machine, and so does the
list of faults that struck; `python -m orchestrator.testing --seed N [--faults LIST]` repeats it.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace

from orchestrator.device.model import DeviceId
from orchestrator.device.reason import FailureClass
from orchestrator.engine.loop import Ended, Engine, Pace
from orchestrator.engine.ports import Changes, Lease
from orchestrator.errors import ExitCode, LeaseError, StoreError
from orchestrator.plan.digest import digest_of
from orchestrator.plan.resolved import ResolvedPlan
from orchestrator.rollout.around import FleetFreeze
from orchestrator.rollout.events import Ask, JournalEntry, OperatorAsked, TakeBack
from orchestrator.rollout.machine import Rollout
from orchestrator.rollout.states import RolloutState
from orchestrator.testing.beyond_rules import (
    FreezesOfAll,
    HeldBack,
    Required,
    held_back,
    proven_in,
)
from orchestrator.testing.clock import EPOCH_S, VirtualClock, VirtualLoop, run_virtual
from orchestrator.testing.drawn_controls import labels_of
from orchestrator.testing.evidence_rules import Evidence
from orchestrator.testing.faults import Fault, FaultKind, FaultSource
from orchestrator.testing.frozen import Freezer, FreezingStore, FreezingTransport
from orchestrator.testing.invariants import Checker, check_counters
from orchestrator.testing.people import AUTHOR, Approvals, answers
from orchestrator.testing.scenario import FROST_S_MAX, LIES, TURN_KINDS, Scenario, draw
from orchestrator.testing.seen import InvariantBroken
from orchestrator.testing.store import MemoryStore
from orchestrator.testing.surroundings import (
    DrawnProber,
    StutteringEngine,
    clock_offset_s,
    make_devices,
)
from orchestrator.testing.transport import SimulatedTransport
from orchestrator.testing.world import World

VIRTUAL_S_MAX = 30 * 86400.0  # a window may open once a week
ENGINES_MAX = 40
PATIENCE_S = 2500.0
SILENCE_S = 2000.0  # longer than any wait of a drawn plan for something that is journalled
PACE = Pace(poll_s=2.0)
CRON_S = 900.0  # a rollout that waits is gone on with as often
STOPS_MAX = 4  # after so many decisions the operator gives up
WAITS_MAX = 40  # and after so many looks at a rollout that waits, or so long
PATIENT_S = 8 * 86400.0
_FIRST = asyncio.FIRST_COMPLETED
_ASKS = {
    FaultKind.PAUSE: Ask.PAUSE,
    FaultKind.RESUME: Ask.RESUME,
    FaultKind.HALT: Ask.HALT,
    FaultKind.PROMOTE: Ask.PROMOTE,
    FaultKind.RETRY: Ask.RETRY,
    FaultKind.ABORT: Ask.ABORT,
    FaultKind.ROLL_BACK: Ask.ROLLBACK,
    FaultKind.JOIN: Ask.JOIN,
}
_BY_PEOPLE = frozenset({*_ASKS, FaultKind.FREEZE_ALL})
HALF = 0.5
_BUGS = (AssertionError, RuntimeError, LookupError, TypeError, ValueError, AttributeError)


class SimulationFailed(InvariantBroken):
    """A seed under which a rule did not hold.

    Attributes:
        seed: that one.
        rule: what did not hold.
        faults: what struck until then: the same list fails again.
        journal: of the rollout that broke it.
    """

    def __init__(
        self,
        seed: int,
        rule: str,
        faults: tuple[Fault, ...],
        journal: tuple[JournalEntry, ...] = (),
    ) -> None:
        super().__init__(f"{rule} - repeat with: python -m orchestrator.testing --seed {seed}")
        self.seed = seed
        self.rule = rule
        self.faults = faults
        self.journal = journal


@dataclass(frozen=True, slots=True)
class Report:
    """How a simulation ended; states and exit codes by rollout.

    `journal` is for comparing two runs; `faults` are those planned and those that struck on the
    way, `struck` only the latter.
    """

    seed: int
    exit_codes: tuple[ExitCode, ...]
    states: tuple[RolloutState, ...]
    devices: int
    engines: int
    turns: int
    virtual_s: float
    journal: tuple[JournalEntry, ...]
    faults: tuple[Fault, ...]
    struck: tuple[Fault, ...]


def simulate(seed: int, *, faults: Collection[Fault] | None = None, twice: bool = False) -> Report:
    """Runs the seed's rollouts to their end.

    Args:
        seed: what to draw.
        faults: these happen, and no others; drawn when not given.
        twice: run it again and compare the journals.

    Raises:
        SimulationFailed: a rule did not hold.
    """
    report = _simulate(seed, faults)
    if twice and _simulate(seed, faults).journal != report.journal:
        raise SimulationFailed(seed, "two runs of the same seed differ", report.faults)
    return report


def _simulate(seed: int, faults: Collection[Fault] | None) -> Report:
    run = _Simulation(draw(seed), faults)
    try:
        return run_virtual(run.run())
    except BaseExceptionGroup as group:
        error: BaseException = group
        while isinstance(error, BaseExceptionGroup):
            error = error.exceptions[0]
        raise run.failed(error) from group
    except _BUGS as error:
        raise run.failed(error) from error


class _CheckedStore(MemoryStore):
    """Shows every commit to the checker; fails now and then."""

    def __init__(self, run: _Simulation) -> None:
        super().__init__()
        self._run = run

    async def create(self, rollout_id: str, plan_json: bytes, changes: Changes) -> None:
        await super().create(rollout_id, plan_json, changes)
        self._run.committed(changes.journal)
        await self._run.pause()

    async def commit(self, lease: Lease, batch: Sequence[Changes]) -> None:
        await self._run.pause()
        if self._run.source.strikes(FaultKind.STORE_FAILS, self._run.scenario.store_rate):
            message = "the disk is full"
            raise StoreError(message)
        await super().commit(lease, batch)
        for changes in batch:
            self._run.committed(changes.journal)
        await self._run.pause()


class _CounterWatch:
    """Counts the books anew now and then."""

    def __init__(self) -> None:
        self._commits = 0

    def committed(self, rollout: Rollout, journal: Sequence[JournalEntry]) -> None:
        self._commits += bool(journal)
        if journal and self._commits % 5 == 0:
            check_counters(rollout)

    def progressed(self, device: DeviceId, sent_bytes: int) -> None:
        """Not looked at."""


class _Simulation:
    """One simulation: rollouts one after another on the same devices and the same store."""

    def __init__(self, scenario: Scenario, faults: Collection[Fault] | None) -> None:
        self.scenario = scenario
        self.planned = scenario.planned if faults is None else tuple(faults)
        self.source = FaultSource(scenario.seed, faults)
        self.random = random.Random(f"run/{scenario.seed}")  # noqa: S311  delays, not secrets
        self.clock = VirtualClock()
        self.fleet = make_devices(scenario, self.planned, self.clock)
        self.liars = frozenset(one.device for one in self.planned if one.kind in LIES)
        self.transport = SimulatedTransport(
            self.fleet,
            random_source=self.random,
            faults=scenario.rates,
            source=self.source,
            wire=scenario.seed % 10 == 0,
        )
        self.prober = DrawnProber(self.planned, self.clock, self.fleet)
        self.world = World(
            scenario.plans[0], self.transport, clock=self.clock, prober=self.prober, pace=PACE
        )
        self.world.store = _CheckedStore(self)
        took_over = any(one.kind is FaultKind.TAKEOVER for one in self.planned)
        self.freezes = FreezesOfAll(self.clock.now, frozen_engines=took_over)
        self._watch(0)
        self.turn_faults = sorted(
            (one for one in self.planned if one.kind in TURN_KINDS), key=lambda one: -one.at
        )
        self.turns = self.engines = self.stops = self.waits = self.began_engines = 0
        self.began_at = self.journalled_at = 0.0
        self.task: asyncio.Task[Ended] | None = None
        self.engine: Engine | None = None
        self.broken: InvariantBroken | None = None
        self.freezer = Freezer()
        self.store = FreezingStore(self.world.store, self.freezer)
        self.lease_lost = False
        self.taken_over = asyncio.Event()
        self.old_engines: list[asyncio.Task[Ended]] = []

    def failed(self, error: BaseException) -> SimulationFailed:
        """This error, or the first of them, with what it takes to see it again."""
        error = self.broken or error
        known = isinstance(error, AssertionError)
        rule = str(error) if known else f"{type(error).__name__}: {error}"
        store, rollout_id = self.world.store, self.world.rollout_id
        journal = store.journal(rollout_id) if rollout_id in store.known() else ()
        return SimulationFailed(self.scenario.seed, rule, self.faults, journal)

    @property
    def faults(self) -> tuple[Fault, ...]:
        """All that was planned, and all that struck so far."""
        return tuple(sorted({*self.planned, *self.source.struck}))

    def _watch(self, number: int) -> None:
        """Rules are checked of this rollout from now on."""
        forward = any(one.kind is FaultKind.CLOCK_JUMP and one.span > 0 for one in self.planned)
        clock = None if forward else self.clock.now  # downtime and such a jump look alike
        held, others = self._held(number), self._proven(number)
        labels = {device: labels_of(device) for device in self.scenario.devices}
        plan = self.scenario.plans[number]
        self.checker = Checker(plan, self.fleet, labels=labels, liars=self.liars, now=clock)
        self.digest = digest_of(self.world.plan_json)
        self.approvals = Approvals(self.checker.books, self.digest)
        books, now = self.checker.books, self.clock.now
        evidence = Evidence(books, self.fleet, self.prober.taken, now=now, liars=self.liars)
        self.checker.rules += (self.approvals, evidence, self.freezes, HeldBack(held))
        self.checker.rules.append(Required(books, others))

    def _held(self, number: int) -> frozenset[str]:
        """Devices that the first rollout keeps the second one from."""
        if not number:
            return frozenset()
        artifacts = self.scenario.artifacts
        return held_back(self.checker.books, same_artifact=artifacts[0] == artifacts[number])

    def _proven(self, number: int) -> Mapping[str, frozenset[str]]:
        """By plan, where the first rollout proved its release."""
        if not number:
            return {}
        return {self.scenario.plans[0].name: proven_in(self.checker.books)}

    async def run(self) -> Report:
        """To the end; leaves no task behind."""
        loop = asyncio.get_running_loop()
        assert isinstance(loop, VirtualLoop)
        loop.on_turn = self.turn
        operator = asyncio.ensure_future(self._operate())
        try:
            return await self._run()
        finally:
            tasks = [task for task in (self.task, operator, *self.old_engines) if task is not None]
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _run(self) -> Report:
        ends = []
        journal: list[JournalEntry] = []
        for number, plan in enumerate(self.scenario.plans):
            self.world.begin(f"r-{number + 1}", plan)
            self._watch(number)
            self.began_at = self.journalled_at = self.clock.now()
            self.began_engines, self.stops, self.waits = self.engines, 0, 0
            await self._create(plan)
            ended = await self._until_terminal()
            if Fault(FaultKind.REGRET, number + 1) in self.planned:
                ended = await self._roll_back_the_end(plan)
            await self._check(number, ended)
            ends.append(ended)
            journal += self.world.store.journal(self.world.rollout_id)
        return Report(
            self.scenario.seed,
            tuple(ended.exit_code for ended in ends),
            tuple(ended.rollout.state for ended in ends),
            len(self.fleet),
            self.engines,
            self.turns,
            self.clock.now() - EPOCH_S,
            tuple(journal),
            self.faults,
            tuple(self.source.struck),
        )

    async def _create(self, plan: ResolvedPlan) -> None:
        """Somebody applies the plan; often the first engine does so itself."""
        if plan.approval is None and not any(wave.approval for wave in plan.waves):
            return
        at = self.clock.now() + self._clock_offset_s()
        rollout_id = self.world.rollout_id
        rollout = Rollout.start(plan, rollout_id, at=at, author=AUTHOR, digest=self.digest)
        await self.world.store.create(rollout_id, self.world.plan_json, rollout.collect())

    async def _check(self, number: int, ended: Ended) -> None:
        await self.clock.sleep(self.world.plan.timeouts.confirm_s + FROST_S_MAX + 60)
        await self._check_old_engines()
        stored = await self.world.store.load(self.world.rollout_id)
        assert stored is not None
        self.checker.finish(ended.exit_code, rows=stored.devices)
        if Fault(FaultKind.BRICKS, number + 1) in self.planned and not self._crashed:
            self.checker.check_blast_radius()

    @property
    def _crashed(self) -> bool:
        """Whether an engine died: then a reverted device is excused, and tried again."""
        return self.engines > self.began_engines + 1

    # --- engines -----------------------------------------------------------------------------

    async def _until_terminal(self) -> Ended:
        while True:
            self._expect_progress()
            ended = await self._one_engine()
            if ended is None:
                await self.clock.sleep(self.random.choice((0.0, 1.0, 30.0, 500.0)))
            elif ended.rollout.is_terminal:
                return ended
            elif ended.stopped:
                await self.clock.sleep(1.0)
            elif ended.rollout.is_waiting:
                await self._wait(ended.rollout)
            else:
                self._decide(ended)

    async def _wait(self, rollout: Rollout) -> None:
        """Until cron comes, and finds something to do; nobody waits for ever."""
        self.waits += 1
        if self.waits > WAITS_MAX or self.clock.now() - self.began_at > PATIENT_S:
            self._ask(Ask.ABORT)
        wakeup = rollout.next_wakeup
        left_s = 0.0 if wakeup is None else wakeup - self.clock.now() - self._clock_offset_s()
        await self.clock.sleep(max(CRON_S, left_s + 1.0))

    async def _roll_back_the_end(self, plan: ResolvedPlan) -> Ended:
        """Somebody wants a rollout back that is over: all of it, a wave or some devices."""
        place = self.world.rollout_id
        await self.clock.sleep(self.source.share("regret", place) * 1000)
        kind = int(self.source.share("scope", place) * 3)
        wave = plan.waves[int(self.source.share("wave", place) * len(plan.waves))].name
        some = [one for one in plan.devices if self.source.share("some", place, one) < 0.5]  # noqa: PLR2004
        self.checker.touched = True
        self._ask(
            Ask.ROLLBACK,
            wave=wave if kind == 1 else None,
            devices=tuple(some) if kind == 2 else (),  # noqa: PLR2004
        )
        return await self._until_terminal()

    async def _one_engine(self) -> Ended | None:
        """Runs an engine until it ends, or dies, or another one takes over."""
        self.engines += 1
        self.taken_over.clear()
        self.lease_lost = False
        self.freezer = Freezer()
        self.engine = self._engine()
        task = asyncio.ensure_future(self.engine.run())
        self.task = task
        turn = asyncio.ensure_future(self.taken_over.wait())
        try:
            while not (await asyncio.wait((task, turn), timeout=PATIENCE_S, return_when=_FIRST))[0]:
                self._expect_progress()
                self._expect_movement()
                self._ask(Ask.RESUME)  # somebody paused and forgot
            if task.done():
                return await self._result(task)
            self.old_engines.append(task)  # it goes on, and must notice by itself
            return None
        finally:
            turn.cancel()
            await asyncio.gather(turn, return_exceptions=True)

    async def _result(self, task: asyncio.Task[Ended]) -> Ended | None:
        if task.cancelled():
            return None
        error = task.exception()
        newest = self.store.epoch == await self.world.store.last_epoch()
        if isinstance(error, LeaseError) and newest and not self.lease_lost:
            message = f"I9: the newest engine was refused: {error}"
            raise InvariantBroken(message)
        return None if isinstance(error, StoreError) else task.result()

    def _engine(self) -> Engine:
        ports, job = self.world.parts("engine", VirtualClock(EPOCH_S + self._clock_offset_s()))
        self.store = FreezingStore(self.world.store, self.freezer)
        transport = FreezingTransport(self.transport, self.freezer)
        ports = replace(ports, store=self.store, leases=self.store, transport=transport)
        return StutteringEngine(
            ports,
            job,
            observer=_CounterWatch(),
            pace=PACE,
            source=self.source,
            rate=self.scenario.report_rate,
        )

    def _clock_offset_s(self) -> float:
        return clock_offset_s(self.planned, self.clock.now() - EPOCH_S)

    async def _check_old_engines(self) -> None:
        """I9: an engine that was taken over from has noticed and stopped."""
        if any(not task.done() for task in self.old_engines):
            message = "I9: an engine works on after another took over"
            raise InvariantBroken(message)
        results = await asyncio.gather(*self.old_engines, return_exceptions=True)
        for result in results:
            # it may have ended in order, when its last commit came before the other's start
            if not isinstance(result, Ended | StoreError | asyncio.CancelledError):
                message = f"I9: an engine that was taken over from ended with {result!r}"
                raise InvariantBroken(message)

    def _expect_progress(self) -> None:
        killed = sum(one.kind is FaultKind.STORE_FAILS for one in self.source.struck)
        engines = self.engines - self.began_engines - self.waits - killed
        if self.clock.now() - self.began_at > VIRTUAL_S_MAX or engines > ENGINES_MAX:
            stuck = {name: seen.state for name, seen in self.checker.seen.items()}
            message = f"I8: no end after {engines} engines; {stuck}"
            raise InvariantBroken(message)

    def _expect_movement(self) -> None:
        """I8: an engine that nothing is journalled of was paused by a person, or should rest."""
        still_s = self.clock.now() - self.journalled_at
        if still_s >= SILENCE_S and "operator" not in self.checker.paused_by:
            states = {name: seen.state for name, seen in self.checker.seen.items()}
            message = f"I8: an engine neither ends nor rests for {still_s:.0f} s; {states}"
            raise InvariantBroken(message)

    def committed(self, entries: Sequence[JournalEntry]) -> None:
        """The rules are checked, and people hear of what they are asked."""
        try:
            self.checker.see(entries)
        except InvariantBroken as error:  # in an engine that may have been taken over from
            self.broken = self.broken or error
            raise
        if entries:
            self.journalled_at = self.clock.now()
        for entry in entries:
            if entry.type == "approval" and entry.data["what"] == "asked":
                self._answer(entry)

    # --- what happens to it ------------------------------------------------------------------

    def turn(self) -> None:
        """Between two steps of the world: perhaps the engine dies here."""
        self.turns += 1
        while self.turn_faults and self.turn_faults[-1].at <= self.turns:
            fault = self.turn_faults.pop()
            if fault.kind is FaultKind.TAKEOVER:
                self.taken_over.set()
                self.freezer.freeze(fault.span)
            elif fault.kind is FaultKind.LEASE_LOST:
                self.lease_lost = True
                self.world.store.forget_lease(self.world.rollout_id)
            elif fault.kind is FaultKind.STOP and self.engine is not None:
                self.engine.stop()
            elif self.task is not None:
                self.task.cancel()

    async def pause(self) -> None:
        """A commit takes a moment, sometimes a long one."""
        await asyncio.sleep(self.random.choice((0.001, 0.002, 0.3)))

    async def _operate(self) -> None:
        """An operator asks what was planned, at its time."""
        asks = sorted((one.at, one) for one in self.planned if one.kind in _BY_PEOPLE)
        for at, fault in asks:
            await asyncio.sleep(max(0.0, EPOCH_S + at - self.clock.now()))
            if fault.kind is FaultKind.FREEZE_ALL:
                self._freeze_all(fault.span)
                continue
            ask = _ASKS[fault.kind]
            self._ask(ask, joins=fault.device, **self._choices(ask, at))
            if fault.kind is FaultKind.PAUSE:
                await asyncio.sleep(fault.span)
                self._ask(Ask.RESUME)

    def _choices(self, ask: Ask, at: float) -> Mapping[str, object]:
        """What goes with a request, as an operator would choose it."""
        wave = self.world.plan.waves[-1 if self._share("wave", ask, at) < HALF else 0].name
        some = tuple(
            one for one in self.world.plan.devices if self._share("some", ask, at, one) < HALF
        )
        third = int(self._share("kind", ask, at) * 3)
        match ask:
            case Ask.ABORT:
                return {"take_back": tuple(TakeBack)[third]}
            case Ask.PROMOTE:
                return {"full": third == 0}
            case Ask.RETRY:
                only = tuple(FailureClass)[int(self._share("only", ask, at) * len(FailureClass))]
                return ({}, {"only": only}, {"devices": some})[third]
            case Ask.ROLLBACK:
                return ({}, {"wave": wave}, {"devices": some})[third]
            case Ask.RESUME:
                return {"accept_failures": third > 0}
            case _:
                return {}

    def _share(self, *place: object) -> float:
        return self.source.share(*place)

    def _freeze_all(self, span: float) -> None:
        """Somebody freezes all rollouts."""
        at = self.clock.now() + self._clock_offset_s()
        self.freezes.begin(at + span)
        self.world.store.freeze(FleetFreeze("drawn", "simulated", at, at + span))

    def _answer(self, asked: JournalEntry) -> None:
        """People hear that an approval is wanted, and say something in their time."""
        rollout_id = self.world.rollout_id
        place = f"answer/{self.scenario.seed}/{rollout_id}/{asked.wave}/{asked.seq}"
        for said in answers(random.Random(place), self.digest):  # noqa: S311  delays, not secrets
            request = OperatorAsked(
                0.0, said.ask, said.who, digest=said.digest, roles=said.roles, wave=asked.wave
            )
            loop = asyncio.get_running_loop()
            loop.call_later(said.delay_s, self._say, rollout_id, request)

    def _say(self, rollout_id: str, request: OperatorAsked) -> None:
        at = self.clock.now() + self._clock_offset_s()  # another machine, another clock
        request = replace(request, at=at)
        number = self.world.store.ask(rollout_id, request)
        if rollout_id == self.world.rollout_id:
            self.approvals.hear(number, request)

    def _ask(self, ask: Ask, *, joins: str = "", **choices: object) -> None:
        rollout_id = self.world.rollout_id
        if rollout_id not in self.world.store.known():
            return
        joiners = {name: one for name, one in self.scenario.joiners.items() if name == joins}
        fields = {"why": "drawn", "joiners": joiners, **choices}
        request = OperatorAsked(0.0, ask, "simulated", **fields)  # type: ignore[arg-type]  # by name
        self._say(rollout_id, request)

    def _decide(self, ended: Ended) -> None:
        """The rollout rests: an operator decides, and gives up in the end."""
        self.stops += 1
        if self.stops > STOPS_MAX:
            self._ask(Ask.ABORT)
            return
        place = (self.world.rollout_id, self.stops)
        halted = ended.rollout.state is RolloutState.HALTED
        asks = [Ask.RESUME, Ask.ROLLBACK, Ask.ABORT]
        if not halted:
            asks += [Ask.RESUME, Ask.PROMOTE]
        ask = asks[int(self.source.share("ask", *place) * len(asks))]
        self._ask(ask, accept_failures=halted or self.source.share("accept", *place) < 0.5)  # noqa: PLR2004
