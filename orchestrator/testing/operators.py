"""What people of a simulation ask of its rollouts, when they planned to or when one rests."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace

from orchestrator.device.reason import FailureClass
from orchestrator.engine.loop import Ended
from orchestrator.plan.resolved import ResolvedPlan
from orchestrator.rollout.around import FleetFreeze
from orchestrator.rollout.events import Ask, JournalEntry, OperatorAsked, TakeBack
from orchestrator.rollout.states import RolloutState
from orchestrator.testing.beyond_rules import FreezesOfAll
from orchestrator.testing.clock import EPOCH_S
from orchestrator.testing.faults import Fault, FaultKind, FaultSource
from orchestrator.testing.people import Approvals, answers, breaks_glass
from orchestrator.testing.scenario import Scenario
from orchestrator.testing.world import World

STOPS_MAX = 4  # after so many decisions the operator gives up
HALF = 0.5
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


class Operators:
    """Ask on a world, of the rollout that it is about now.

    Args:
        scenario: what is drawn.
        planned: faults; those by people happen at their time.
        source: of choices.
        world: whose store they leave their requests in.
        freezes: is told of each freeze of all rollouts.
        offset_s: how far the controller's wall clock is off now.
    """

    def __init__(
        self,
        scenario: Scenario,
        planned: Collection[Fault],
        source: FaultSource,
        world: World,
        *,
        freezes: FreezesOfAll,
        offset_s: Callable[[], float],
    ) -> None:
        self._scenario = scenario
        self._asks = sorted((one.at, one) for one in planned if one.kind in _BY_PEOPLE)
        self._source = source
        self._world = world
        self._freezes = freezes
        self._offset_s = offset_s
        self._approvals: Approvals | None = None
        self._digest = ""
        self._stops = 0

    def turn_to(self, approvals: Approvals, digest: str) -> None:
        """Another rollout begins, with this digest of its plan; `approvals` hears who agrees."""
        self._approvals, self._digest, self._stops = approvals, digest, 0

    async def work(self) -> None:
        """Asks what was planned, at its time."""
        for at, fault in self._asks:
            await asyncio.sleep(max(0.0, EPOCH_S + at - self._world.clock.now()))
            if fault.kind is FaultKind.FREEZE_ALL:
                self._freeze_all(fault.span)
                continue
            ask = _ASKS[fault.kind]
            self.ask(ask, joins=fault.device, **self._choices(ask, at))
            if fault.kind is FaultKind.PAUSE:
                await asyncio.sleep(fault.span)
                self.ask(Ask.RESUME)

    def ask(self, ask: Ask, *, joins: str = "", **choices: object) -> None:
        """Leaves a request; nobody can ask of a rollout that is not there yet."""
        rollout_id = self._world.rollout_id
        if rollout_id not in self._world.store.known():
            return
        joiners = {name: one for name, one in self._scenario.joiners.items() if name == joins}
        fields = {"why": "drawn", "joiners": joiners, **choices}
        request = OperatorAsked(0.0, ask, "simulated", **fields)  # type: ignore[arg-type]  # by name
        self._say(rollout_id, request)

    def decide(self, ended: Ended) -> None:
        """The rollout rests: somebody decides, and gives up in the end."""
        self._stops += 1
        if self._stops > STOPS_MAX:
            self.ask(Ask.ABORT)
            return
        place = (self._world.rollout_id, self._stops)
        halted = ended.rollout.state is RolloutState.HALTED
        asks = [Ask.RESUME, Ask.ROLLBACK, Ask.ABORT]
        if not halted:
            asks += [Ask.RESUME, Ask.PROMOTE]
        ask = asks[int(self._share("ask", *place) * len(asks))]
        self.ask(ask, accept_failures=halted or self._share("accept", *place) < HALF)

    async def regret(self, plan: ResolvedPlan) -> Mapping[str, object]:
        """Wants a rollout back that is over: all of it, a wave or some devices; tells which."""
        place = self._world.rollout_id
        await self._world.clock.sleep(self._share("regret", place) * 1000)
        kind = int(self._share("scope", place) * 3)
        wave = plan.waves[int(self._share("wave", place) * len(plan.waves))].name
        some = tuple(one for one in plan.devices if self._share("some", place, one) < HALF)
        choices: Sequence[Mapping[str, object]] = ({}, {"wave": wave}, {"devices": some})
        wanted = choices[kind]
        self.ask(Ask.ROLLBACK, joins="", **wanted)
        return wanted

    def answer(self, asked: JournalEntry) -> None:
        """People hear that an approval is wanted, and say something in their time."""
        rollout_id = self._world.rollout_id
        place = f"answer/{self._scenario.seed}/{rollout_id}/{asked.wave}/{asked.seq}"
        said_so = answers(random.Random(place), self._digest)  # noqa: S311  delays, not secrets
        broken = breaks_glass(random.Random(f"glass/{place}"), self._digest)  # noqa: S311
        for said in (*said_so, *broken):
            request = OperatorAsked(
                0.0, said.ask, said.who, said.why, digest=said.digest, roles=said.roles,
                wave=asked.wave,
            )  # fmt: skip
            loop = asyncio.get_running_loop()
            loop.call_later(said.delay_s, self._say, rollout_id, request)

    def _say(self, rollout_id: str, request: OperatorAsked) -> None:
        at = self._world.clock.now() + self._offset_s()  # another machine, another clock
        request = replace(request, at=at)
        number = self._world.store.ask(rollout_id, request)
        if rollout_id == self._world.rollout_id and self._approvals is not None:
            self._approvals.hear(number, request)

    def _choices(self, ask: Ask, at: float) -> Mapping[str, object]:
        """What goes with a request, as an operator would choose it."""
        plan = self._world.plan
        wave = plan.waves[-1 if self._share("wave", ask, at) < HALF else 0].name
        some = tuple(one for one in plan.devices if self._share("some", ask, at, one) < HALF)
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

    def _freeze_all(self, span: float) -> None:
        """Somebody freezes all rollouts."""
        at = self._world.clock.now() + self._offset_s()
        self._freezes.begin(at + span)
        self._world.store.freeze(FleetFreeze("drawn", "simulated", at, at + span))

    def _share(self, *place: object) -> float:
        return self._source.share(*place)
