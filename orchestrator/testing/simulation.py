"""Whole rollouts from a seed: random plan, random faults, crashing engines, asking operators.

`simulate(seed)` runs one to its end in virtual time and checks `invariants`. The same seed gives
the same journal on every machine; `python -m orchestrator.testing --seed N` repeats it.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Sequence
from dataclasses import dataclass

from orchestrator.device.model import DeviceId
from orchestrator.engine.loop import Ended, Engine, Pace
from orchestrator.engine.ports import Changes, Lease
from orchestrator.errors import ExitCode, StoreError
from orchestrator.rollout.events import Ask, JournalEntry, OperatorAsked
from orchestrator.rollout.machine import Rollout
from orchestrator.rollout.states import RolloutState
from orchestrator.testing.clock import EPOCH_S, VirtualClock, run_virtual
from orchestrator.testing.device import SimulatedDevice
from orchestrator.testing.invariants import Checker, InvariantBroken, check_counters
from orchestrator.testing.scenario import HTTP_URL, TIMES, WAVE_URL, Scenario, draw
from orchestrator.testing.store import MemoryStore
from orchestrator.testing.transport import SimulatedTransport
from orchestrator.testing.world import (
    ROLLOUT_ID,
    SimulatedProber,
    World,
    make_fleet,
)

VIRTUAL_S_MAX = 2 * 86400.0
ENGINES_MAX = 40
PATIENCE_S = 2500.0
SILENCE_S = 2000.0  # longer than any wait of a drawn plan for something that is journalled
_FIRST = asyncio.FIRST_COMPLETED
PACE = Pace(poll_s=2.0)
STOPS_MAX = 4  # after so many decisions the operator gives up


@dataclass(frozen=True, slots=True)
class Report:
    """How a simulation ended; `journal` is for comparing two runs."""

    seed: int
    exit_code: ExitCode
    state: RolloutState
    devices: int
    engines: int
    virtual_s: float
    journal: tuple[JournalEntry, ...]


def simulate(seed: int, *, twice: bool = False) -> Report:
    """Runs the seed's rollout to its end.

    Args:
        seed: what to draw.
        twice: run it again and compare the journals.

    Raises:
        InvariantBroken: a rule did not hold; the message ends with the command that repeats it.
    """
    try:
        report = run_virtual(_Run(draw(seed)).run())
        if twice and run_virtual(_Run(draw(seed)).run()).journal != report.journal:
            message = "two runs of the same seed differ"
            raise InvariantBroken(message)
    except BaseExceptionGroup as group:
        raise _named(seed, _first_broken(group)) from group
    except (InvariantBroken, AssertionError, RuntimeError) as error:
        raise _named(seed, error) from error
    return report


def _named(seed: int, error: BaseException) -> InvariantBroken:
    text = f"{error} - repeat with: python -m orchestrator.testing --seed {seed}"
    return InvariantBroken(text)


def _first_broken(error: BaseException) -> BaseException:
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error


class _CheckedStore(MemoryStore):
    """Shows every commit to the checker; crashes engines before or after one."""

    def __init__(self, run: _Run) -> None:
        super().__init__()
        self._run = run

    async def create(self, rollout_id: str, plan_json: bytes, changes: Changes) -> None:
        await super().create(rollout_id, plan_json, changes)
        self._run.checker.see(changes.journal)
        await self._run.step()

    async def commit(self, lease: Lease, batch: Sequence[Changes]) -> None:
        await self._run.step()
        if self._run.random.random() < self._run.scenario.store_fails:
            message = "the disk is full"
            raise StoreError(message)
        await super().commit(lease, batch)
        for changes in batch:
            self._run.checker.see(changes.journal)
        await self._run.step()


class _CounterWatch:
    """Counts the books anew now and then."""

    def __init__(self, random_source: random.Random) -> None:
        self._random = random_source

    def committed(self, rollout: Rollout, journal: Sequence[JournalEntry]) -> None:
        if journal and self._random.randrange(5) == 0:
            check_counters(rollout)

    def progressed(self, device: DeviceId, sent_bytes: int) -> None:
        """Not looked at."""


class _Run:
    """One simulation."""

    def __init__(self, scenario: Scenario) -> None:
        self.scenario = scenario
        self.random = random.Random(f"run/{scenario.seed}")  # noqa: S311  faults, not secrets
        self.clock = VirtualClock()
        plan = scenario.plan
        ids = tuple(plan.devices)
        self.fleet: dict[DeviceId, SimulatedDevice] = make_fleet(
            ids,
            self.clock,
            release=scenario.release,
            odd=scenario.odd,
            before=scenario.before,
            keeps_previous=not scenario.late,
        )
        for device, (start, end) in scenario.offline.items():
            self.fleet[device].offline.append((EPOCH_S + start, EPOCH_S + end))
        self.transport = SimulatedTransport(
            self.fleet,
            random_source=self.random,
            faults=scenario.faults,
            on_step=self.count,
            wire=scenario.seed % 10 == 0,
        )
        self.prober = SimulatedProber()
        self.world = World(plan, self.transport, clock=self.clock, prober=self.prober, pace=PACE)
        self.checker = Checker(plan, self.fleet)
        self.world.store = _CheckedStore(self)
        self.crashes = list(scenario.crashes)
        self.steps = 0
        self.engines = 0
        self.stops = 0
        self.task: asyncio.Task[Ended] | None = None
        self.total_steps = 0
        self.taken_over = asyncio.Event()
        self.old_engines: list[asyncio.Task[Ended]] = []

    async def run(self) -> Report:
        """To the end; leaves no task behind."""
        try:
            return await self._run()
        finally:
            tasks = [task for task in (self.task, *self.old_engines) if task is not None]
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _run(self) -> Report:
        ended = await self._until_terminal()
        if self.scenario.regret:
            ended = await self._roll_back_the_end()
        await self.clock.sleep(TIMES.confirm_s + 60)
        await self._check_old_engines()
        stored = await self.world.store.load(ROLLOUT_ID)
        assert stored is not None
        self.checker.finish(ended.exit_code, rows=stored.devices)
        self._check_blast_radius()
        return Report(
            self.scenario.seed,
            ended.exit_code,
            ended.rollout.state,
            len(self.fleet),
            self.engines,
            self.clock.now() - EPOCH_S,
            self.world.store.journal(ROLLOUT_ID),
        )

    async def _until_terminal(self) -> Ended:
        while True:
            self._expect_progress()
            ended = await self._one_engine()
            if ended is None:
                await self.clock.sleep(self.random.choice((0.0, 1.0, 30.0, 500.0)))
                continue
            if ended.rollout.is_terminal:
                return ended
            self._decide(ended)

    async def _roll_back_the_end(self) -> Ended:
        """Somebody wants a rollout back that is over: all of it, a wave or some devices."""
        await self.clock.sleep(self.random.random() * 1000)
        waves = [wave.name for wave in self.scenario.plan.waves]
        some = self.random.sample(list(self.fleet), self.random.randint(1, len(self.fleet)))
        scope = self.random.choice(({}, {"wave": self.random.choice(waves)}, {"devices": some}))
        self.checker.touched = True
        self._ask(Ask.ROLLBACK, **scope)
        return await self._until_terminal()

    async def _one_engine(self) -> Ended | None:
        """Runs an engine until it ends, or dies."""
        self.engines += 1
        self.steps = 0
        task = asyncio.ensure_future(self._engine().run())
        self.task = task
        helper = asyncio.ensure_future(self._operator())
        turn = asyncio.ensure_future(self.taken_over.wait())
        try:
            while not (await asyncio.wait((task, turn), timeout=PATIENCE_S, return_when=_FIRST))[0]:
                self._expect_progress()
                self._expect_movement()
                self._ask(Ask.RESUME)  # somebody paused and forgot
            if task.done():
                return self._result(task)
            self.taken_over.clear()
            self.old_engines.append(task)  # it goes on, and must notice by itself
            return None
        finally:
            for other in (helper, turn):
                other.cancel()
            await asyncio.gather(helper, turn, return_exceptions=True)

    def _result(self, task: asyncio.Task[Ended]) -> Ended | None:
        if task.cancelled() or isinstance(task.exception(), StoreError):
            return None
        return task.result()

    async def _check_old_engines(self) -> None:
        """I9: an engine that was taken over from has noticed and stopped."""
        for task in self.old_engines:
            if not task.done():
                message = "I9: an engine works on after another took over"
                raise InvariantBroken(message)
        results = await asyncio.gather(*self.old_engines, return_exceptions=True)
        for result in results:
            # it may have ended in order, when its last commit came before the other's start
            if not isinstance(result, Ended | StoreError | asyncio.CancelledError):
                message = f"I9: an engine that was taken over from ended with {result!r}"
                raise InvariantBroken(message)

    def _engine(self) -> Engine:
        return self.world.engine(owner="engine", observer=_CounterWatch(self.random))

    def _expect_progress(self) -> None:
        if self.clock.now() - EPOCH_S > VIRTUAL_S_MAX or self.engines > ENGINES_MAX:
            stuck = {name: seen.state for name, seen in self.checker.seen.items()}
            message = f"I8: no end after {self.engines} engines; {stuck}"
            raise InvariantBroken(message)
        failing = self.scenario.failing_from
        bad = failing is not None and self.clock.now() - EPOCH_S > failing
        for url in (HTTP_URL, WAVE_URL):
            self.prober.answers[url] = {"value": 0 if bad else 1}

    def _expect_movement(self) -> None:
        """I8: an engine that nothing is journalled of was paused by a person, or should rest."""
        checker = self.checker
        still_s = self.clock.now() - checker.entries[-1].at
        if still_s >= SILENCE_S and "operator" not in checker.paused_by:
            states = {name: seen.state for name, seen in checker.seen.items()}
            message = f"I8: an engine neither ends nor rests for {still_s:.0f} s; {states}"
            raise InvariantBroken(message)

    def count(self) -> None:
        """Something happens in the world: perhaps the engine dies of it."""
        self.steps += 1
        self.total_steps += 1
        if self.total_steps in self.scenario.takeovers:
            self.taken_over.set()
        if self.crashes and self.steps >= self.crashes[0]:
            self.crashes.pop(0)
            self.steps = 0
            if self.task is not None:
                self.task.cancel()

    async def step(self) -> None:
        """A commit takes a moment, sometimes a long one, and may be the engine's last."""
        self.count()
        await asyncio.sleep(self.random.choice((0.001, 0.002, 0.3)))

    async def _operator(self) -> None:
        """Asks something at the drawn times, and lets gates turn bad."""
        for at in self.scenario.asks:
            await asyncio.sleep(max(0.0, EPOCH_S + at - self.clock.now()))
            self._expect_progress()
            ask = self.random.choice((Ask.PAUSE, Ask.RETRY, Ask.ABORT, Ask.ROLLBACK, Ask.PAUSE))
            self._ask(ask)
            if ask is Ask.PAUSE:
                await asyncio.sleep(self.random.random() * 60)
                self._ask(Ask.RESUME)
        if self.scenario.failing_from is not None:
            await asyncio.sleep(max(0.0, EPOCH_S + self.scenario.failing_from - self.clock.now()))
            await asyncio.sleep(0.5)
            self._expect_progress()

    def _ask(
        self,
        ask: Ask,
        *,
        accept: bool = False,
        wave: str | None = None,
        devices: Sequence[DeviceId] = (),
    ) -> None:
        if ROLLOUT_ID not in self.world.store.known():
            return
        request = OperatorAsked(
            self.clock.now(), ask, "simulated", "drawn", accept_failures=accept, wave=wave,
            devices=tuple(devices),
        )  # fmt: skip
        self.world.store.ask(ROLLOUT_ID, request)

    def _decide(self, ended: Ended) -> None:
        """The rollout rests: an operator decides, and gives up in the end."""
        self.stops += 1
        if self.stops > STOPS_MAX:
            self._ask(Ask.ABORT)
            return
        if ended.rollout.state is RolloutState.HALTED:
            ask = self.random.choice((Ask.RESUME, Ask.ROLLBACK, Ask.ABORT))
            self._ask(ask, accept=True)
        else:
            ask = self.random.choice((Ask.RESUME, Ask.RESUME, Ask.ROLLBACK, Ask.ABORT))
            self._ask(ask, accept=self.random.choice((True, False)))

    def _check_blast_radius(self) -> None:
        """A release that always bricks costs at most allowed + 1 devices of the first wave (R16)."""
        plan, checker = self.scenario.plan, self.checker
        everywhere = self.scenario.release.bricks and not self.scenario.odd
        wave = plan.waves[0]
        if not everywhere or not wave.slow_start or checker.touched or self.crashes_happened:
            return
        hit = sum(bool(seen.activations) for seen in checker.seen.values())
        limit = checker.allowed(wave.name) + 1
        if plan.on_failure.value != "continue" and hit > limit:
            message = f"R16: a bricking release hit {hit} devices, at most {limit} may be"
            raise InvariantBroken(message)

    @property
    def crashes_happened(self) -> bool:
        """Whether an engine died: then a reverted device is excused, and tried again."""
        return self.engines > 1
