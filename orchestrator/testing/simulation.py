"""Whole rollouts from a seed: random plan, random faults, crashing engines, asking operators.

`simulate(seed)` runs one or two rollouts on one fleet and one store to their end, in virtual time,
and checks `invariants`. The same seed gives the same journal on every machine, and so does the
list of faults that struck; `python -m orchestrator.testing --seed N [--faults LIST]` repeats it.
"""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import Collection, Mapping, Sequence

from orchestrator.engine.loop import Ended, Pace
from orchestrator.engine.ports import Changes, Lease
from orchestrator.errors import ExitCode, StoreError
from orchestrator.plan.digest import digest_of
from orchestrator.plan.resolved import ResolvedPlan
from orchestrator.rollout.events import Ask, JournalEntry
from orchestrator.rollout.machine import Rollout
from orchestrator.testing.beyond_rules import (
    FreezesOfAll,
    HeldBack,
    Required,
    held_back,
    proven_in,
)
from orchestrator.testing.clock import EPOCH_S, VirtualClock, VirtualLoop, run_virtual
from orchestrator.testing.comparison_rules import Comparisons
from orchestrator.testing.control_rules import Hours, waits_in
from orchestrator.testing.differences import differences
from orchestrator.testing.drawn_controls import claims_of, labels_of
from orchestrator.testing.engines import Engines
from orchestrator.testing.evidence_rules import Evidence, Measured
from orchestrator.testing.exit_rules import ExitCodes
from orchestrator.testing.faults import Fault, FaultKind, FaultSource
from orchestrator.testing.invariants import Checker
from orchestrator.testing.left_rules import WhatWasLeft
from orchestrator.testing.operators import Operators
from orchestrator.testing.order_rules import WaveOrder
from orchestrator.testing.people import AUTHOR, Approvals
from orchestrator.testing.plan_rules import check_waves
from orchestrator.testing.report import Report, SimulationFailed
from orchestrator.testing.return_rules import WayBack
from orchestrator.testing.scenario import FROST_S_MAX, LIES, Scenario, draw
from orchestrator.testing.seen import Books, InvariantBroken
from orchestrator.testing.store import MemoryStore
from orchestrator.testing.surroundings import DrawnProber, clock_offset_s, make_devices
from orchestrator.testing.ticket_rules import Lines, never_open
from orchestrator.testing.transport import SimulatedTransport
from orchestrator.testing.world import World, old_release

VIRTUAL_S_MAX = 30 * 86400.0  # a window may open once a week
ENGINES_MAX = 40
SILENCE_S = 2000.0  # longer than any wait of a drawn plan for something that is journalled
PACE = Pace(poll_s=2.0)
CRON_S = 900.0  # a rollout that waits is gone on with as often
WAITS_MAX = 40  # and after so many looks at a rollout that waits, or so long
PATIENT_S = 8 * 86400.0
_BUGS = (AssertionError, RuntimeError, LookupError, TypeError, ValueError, AttributeError)


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

    async def commit(self, lease: Lease, batch: Sequence[Changes]) -> str:
        await self._run.pause()
        if self._run.source.strikes(FaultKind.STORE_FAILS, self._run.scenario.store_rate):
            message = "the disk is full"
            raise StoreError(message)
        last = await super().commit(lease, batch)
        for changes in batch:
            self._run.committed(changes.journal)
        await self._run.pause()
        return last


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
        self.left = WhatWasLeft(self.fleet, liars=self.liars)
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
        self.world.differences = differences(
            scenario.artifacts, old_release().manifest, self.planned
        )
        took_over = any(one.kind is FaultKind.TAKEOVER for one in self.planned)
        self.freezes = FreezesOfAll(self.clock.now, frozen_engines=took_over)
        self.engines = Engines(
            self.world,
            self.planned,
            self.source,
            offset_s=self._clock_offset_s,
            report_rate=scenario.report_rate,
        )
        self.operators = Operators(
            scenario,
            self.planned,
            self.source,
            self.world,
            freezes=self.freezes,
            offset_s=self._clock_offset_s,
        )
        self.waits = self.began_engines = 0
        self.began_at = self.journalled_at = 0.0
        self.broken: InvariantBroken | None = None
        self.first: Books | None = None  # of the first rollout, once it is over
        self._watch(0)

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
        approvals = Approvals(self.checker.books, self.digest)
        self.operators.turn_to(approvals, self.digest)
        books = self.checker.books
        measured = Measured(books, self.fleet, self.prober.taken, self.clock.now, self.liars)
        evidence = Evidence(measured)
        self.exits = ExitCodes(self.checker.truth)
        self.checker.rules += (self.exits, approvals, evidence, self.freezes, HeldBack(held))
        asked = {name for name, one in plan.devices.items() if one.current_manifest is not None}
        joining = (
            self.scenario.joiners.keys() - plan.devices.keys()
        )  # they are asked when they come
        lines = Lines(plan.artifact.ticket, self.fleet, asked | joining)
        order = WaveOrder(books, waits_in(books, lines.waits))
        way_back = WayBack(books, Hours(books).keeps_from_return, liars=self.liars)
        compared = Comparisons(measured)
        self.checker.rules += (Required(books, others), order, way_back, compared, lines)

    def _held(self, number: int) -> frozenset[str]:
        """Devices that the first rollout keeps the second one from."""
        if not number or self.first is None:
            return frozenset()
        artifacts = self.scenario.artifacts
        return held_back(self.first, same_artifact=artifacts[0] == artifacts[number])

    def _proven(self, number: int) -> Mapping[str, frozenset[str]]:
        """By plan, where the first rollout proved its release."""
        if not number or self.first is None:
            return {}
        return {self.scenario.plans[0].name: proven_in(self.first)}

    async def run(self) -> Report:
        """To the end; leaves no task behind."""
        loop = asyncio.get_running_loop()
        assert isinstance(loop, VirtualLoop)
        loop.on_turn = self.engines.turn
        operator = asyncio.ensure_future(self.operators.work())
        try:
            return await self._run()
        finally:
            operator.cancel()
            await self.engines.close()
            await asyncio.gather(operator, return_exceptions=True)

    async def _run(self) -> Report:
        ends = []
        journal: list[JournalEntry] = []
        for number, plan in enumerate(self.scenario.plans):
            self._check_plan(number)
            ended = await self._roll_out(f"r-{number + 1}", number)
            if Fault(FaultKind.REGRET, number + 1) in self.planned:
                self.checker.books.touched = True
                wanted = await self.operators.regret(plan)
                ended = await self._until_terminal()
                self.exits.check_rollback(ended.rollout.exit_code_of(Ask.ROLLBACK), **wanted)
            await self._check(number, ended)
            self.first = self.first or self.checker.books
            ends.append(ended)
            journal += self.world.store.journal(self.world.rollout_id)
            if (
                Fault(FaultKind.AGAIN, number + 1) in self.planned
                and ended.exit_code is ExitCode.DONE
            ):
                await self._apply_again(number)
                journal += self.world.store.journal(self.world.rollout_id)
        return Report(
            self.scenario.seed,
            tuple(ended.exit_code for ended in ends),
            tuple(ended.rollout.state for ended in ends),
            len(self.fleet),
            self.engines.count,
            self.engines.turns,
            self.clock.now() - EPOCH_S,
            tuple(journal),
            self.faults,
            tuple(self.source.struck),
        )

    async def _roll_out(self, rollout_id: str, number: int) -> Ended:
        plan = self.scenario.plans[number]
        self.world.begin(rollout_id, plan)
        self._watch(number)
        self.began_at = self.journalled_at = self.clock.now()
        self.began_engines, self.waits = self.engines.count, 0
        await self._create(plan)
        return await self._until_terminal()

    async def _apply_again(self, number: int) -> None:
        """I10: the plan of a rollout that is done changes no device."""
        honest = [device for name, device in self.fleet.items() if name not in self.liars]
        before = [len(device.mutations) for device in honest]
        ended = await self._roll_out(f"r-{number + 1}-again", number)
        await self._check(number, ended)
        changed = [
            device.name
            for device, count in zip(honest, before, strict=True)
            if len(device.mutations) > count
        ]
        if changed:
            message = f"I10: {changed} were changed by a plan that was done"
            raise InvariantBroken(message)

    def _check_plan(self, number: int) -> None:
        """R1 to R5, before anything begins."""
        scenario = self.scenario
        text, plan = scenario.texts[number], scenario.plans[number]
        joiners = scenario.joiners if not number else ()
        known = scenario.known[number]
        left_out = never_open(known.ticket, known.rooted, known.asked)
        devices = [one for one in scenario.devices if one not in joiners and one not in left_out]
        claims = claims_of(json.loads(text)["waves"], devices)
        check_waves(text, plan, devices, self.checker.books.labels, claims=claims)

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
        await self.engines.check_old()
        stored = await self.world.store.load(self.world.rollout_id)
        assert stored is not None
        self.checker.truth.finish(rows=stored.devices)
        await self.left.check(self.world.store)
        self.exits.check(ended.exit_code)
        self.exits.check_stored(stored.rollout.get("exit_code"), ended.exit_code)
        if Fault(FaultKind.BRICKS, number + 1) in self.planned and not self._crashed:
            self.checker.truth.check_blast_radius()

    @property
    def _crashed(self) -> bool:
        """Whether an engine died: then a reverted device is excused, and tried again."""
        return self.engines.count > self.began_engines + 1

    # --- engines -----------------------------------------------------------------------------

    async def _until_terminal(self) -> Ended:
        while True:
            self._expect_progress()
            ended = await self.engines.run_one(self._while_idle)
            if ended is not None:
                self.exits.check(ended.exit_code)
            if ended is None:
                await self.clock.sleep(self.random.choice((0.0, 1.0, 30.0, 500.0)))
            elif ended.rollout.is_terminal:
                return ended
            elif ended.stopped:
                await self.clock.sleep(1.0)
            elif ended.rollout.is_waiting:
                await self._wait(ended.rollout)
            else:
                self.operators.decide(ended)

    async def _wait(self, rollout: Rollout) -> None:
        """Until cron comes, and finds something to do; who waits for long is there in time."""
        self.waits += 1
        wakeup = rollout.next_wakeup
        left_s = 0.0 if wakeup is None else wakeup - self.clock.now() - self._clock_offset_s()
        distance_s = max(CRON_S, left_s + 1.0)
        if self.waits > WAITS_MAX or self.clock.now() - self.began_at > PATIENT_S:
            self.operators.ask(Ask.ABORT)
            distance_s = left_s + 1.0 if left_s > 0 else CRON_S
        await self.clock.sleep(distance_s)

    def _clock_offset_s(self) -> float:
        return clock_offset_s(self.planned, self.clock.now() - EPOCH_S)

    def _expect_progress(self) -> None:
        killed = sum(one.kind is FaultKind.STORE_FAILS for one in self.source.struck)
        engines = self.engines.count - self.began_engines - self.waits - killed
        if self.clock.now() - self.began_at > VIRTUAL_S_MAX or engines > ENGINES_MAX:
            stuck = {name: seen.state for name, seen in self.checker.seen.items()}
            message = f"I8: no end after {engines} engines; {stuck}"
            raise InvariantBroken(message)

    def _while_idle(self) -> None:
        self._expect_progress()
        self._expect_movement()
        self.operators.ask(Ask.RESUME)  # somebody paused and forgot

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
                self.operators.answer(entry)

    async def pause(self) -> None:
        """A commit takes a moment, sometimes a long one."""
        await asyncio.sleep(self.random.choice((0.001, 0.002, 0.3)))
