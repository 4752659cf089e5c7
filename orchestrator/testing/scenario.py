# ruff: noqa: PLR2004  the numbers are probabilities of a drawing, nothing else
"""What a seed draws before a simulation begins: fleet, plans, and what will go wrong when."""

from __future__ import annotations

import itertools
import json
import random
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from orchestrator.device.model import DeviceId
from orchestrator.plan.joiners import Joiner, joiners
from orchestrator.plan.resolved import ResolvedPlan
from orchestrator.testing.differences import draw_differences
from orchestrator.testing.drawn_plan import Draws, Known, draw_plan, resolve
from orchestrator.testing.drawn_tickets import draw_tickets, slow_clocks
from orchestrator.testing.faults import Fault, FaultKind
from orchestrator.testing.plans import device_ids
from orchestrator.testing.transport import Faults

DEVICES_MAX = 200
FROST_S_MAX = 600.0
FIRST, SECOND = "new", "second"  # what rollouts bring; the second one sometimes the first again

_RATES = (
    Faults(),
    Faults(refuse=0.03, lose_request=0.01, lose_reply=0.01, cut_transfer=0.02),
    Faults(
        refuse=0.1, lose_request=0.03, lose_reply=0.05, cut_transfer=0.05, reboot=0.005,
        repeat=0.05, stall=0.02, drop_ready=0.1,
    ),
    Faults(
        refuse=0.25, lose_request=0.08, lose_reply=0.12, cut_transfer=0.1, reboot=0.02,
        repeat=0.1, stall=0.05, drop_ready=0.2,
    ),
)  # fmt: skip

K = FaultKind
RELEASE_KINDS = (
    K.UNHEALTHY, K.BRICKS, K.RESTARTS, K.INSTALL_FAILS, K.ACTIVATE_FAILS, K.COMMIT_FAILS, K.STUCK,
    K.COMMIT_STUCK, K.SILENT_CHECK, K.CORRUPT,
)  # fmt: skip
OLD_KINDS = (K.OLD_UNHEALTHY, K.OLD_SILENT, K.OLD_LACKS_CHECKS, K.OLD_NOTHING)
LIES = (K.LIES_TARGET, K.LIES_OLD, K.LIES_STATE, K.LIES_NONCE, K.LIES_WELL)
TURN_KINDS = (K.CRASH, K.TAKEOVER, K.RIVAL, K.LEASE_LOST, K.STOP)


@dataclass(frozen=True, slots=True)
class Scenario:
    """One drawn simulation: one or two rollouts on one fleet.

    Attributes:
        devices: the fleet.
        texts: the plans as written in the language, `plans` as resolved; one per rollout.
        joiners: devices that the first plan does not know, as they join it.
        late: the devices' module cannot go back after commit.
        known: what each plan was made with, beside its text.
        rates: how likely each fault on the way to a device is.
        report_rate: how likely an event reaches the rollout twice or late.
        store_rate: how likely a commit fails.
        planned: everything else that goes wrong.
    """

    seed: int
    devices: tuple[DeviceId, ...]
    texts: tuple[str, ...]
    plans: tuple[ResolvedPlan, ...]
    joiners: Mapping[DeviceId, Joiner]
    late: bool
    known: tuple[Known, ...]
    rates: Faults
    report_rate: float
    store_rate: float
    planned: tuple[Fault, ...]

    @property
    def artifacts(self) -> tuple[str, ...]:
        """What each rollout brings."""
        return tuple(plan.artifact.name for plan in self.plans)


def draw(seed: int) -> Scenario:
    """The scenario of a seed; the same on every machine."""
    rng = random.Random(seed)  # noqa: S311  scenarios, not secrets
    devices = device_ids(_fleet_size(rng))
    late = rng.random() < 0.25
    rollouts = 2 if rng.random() < 0.3 else 1
    new = _late_joiners(seed, devices)
    trust = draw_tickets(seed, devices)
    known = Known(_asked(seed, devices, len(new)), late, trust.tickets[0], trust.rooted)
    keys: dict[str, object] = {"late_joiners": "append"} if new else {}
    there = devices[: len(devices) - len(new)]
    first = draw_plan(_draws(rng, seed, 1), there, FIRST, known=known, keys=keys)
    drawn, knowns = [first], [known]
    if rollouts > 1:
        draws, second = _draws(rng, seed, 2), _second(seed)
        keys = _requires(draws.controls, first[1].name)
        # what was said before the first one is old where both bring the same
        asked = known.asked if second != FIRST else ()
        knowns.append(replace(known, asked=asked, ticket=trust.tickets[1]))
        drawn.append(draw_plan(draws, devices, second, known=knowns[1], keys=keys))
    grown = _grown(first[0], devices, known) if new else first[1]
    before = tuple(_before(rng, first[1]))
    return Scenario(
        seed=seed,
        devices=devices,
        texts=tuple(text for text, _ in drawn),
        plans=tuple(_unasked(plan, before) for _, plan in drawn),
        joiners=joiners(first[1], grown) if new else {},
        late=late,
        known=tuple(knowns),
        rates=rng.choice(_RATES),
        report_rate=rng.choice((0.0, 0.0, 0.02, 0.1)),
        store_rate=rng.choice((0.0, 0.0, 0.0, 0.02)),
        planned=(
            *_planned(rng, devices, rollouts),
            *before,
            *new,
            *slow_clocks(seed, trust.rooted),
            *_more(seed, devices),
            *draw_differences(seed, devices, rollouts),
            *_worse(seed, [plan for _, plan in drawn]),
            *(Fault(K.REGRET, n + 1) for n in range(rollouts) if rng.random() < 0.2),
        ),
    )


def _asked(seed: int, devices: Sequence[DeviceId], joiners_count: int) -> Collection[DeviceId]:
    """Devices that said what they run when plans were made: all, some or none, and who joins."""
    rng = random.Random(f"asked/{seed}")  # noqa: S311  scenarios, not secrets
    share = rng.choice((1.0, 1.0, 1.0, 0.7, 0.0))
    first = len(devices) - joiners_count
    return {one for at, one in enumerate(devices) if at >= first or rng.random() < share}


def _grown(text: str, devices: Sequence[DeviceId], known: Known) -> ResolvedPlan:
    """The plan with the devices that join; its comparisons are of the sizes that it was made with."""
    words = json.loads(text)
    words["gates"] = [gate for gate in words["gates"] if "compare" not in gate]
    return resolve(json.dumps(words), devices, FIRST, known)


def _unasked(plan: ResolvedPlan, before: Collection[Fault]) -> ResolvedPlan:
    """The plan without what devices said that run something else than was drawn for most."""
    strange = {one.device for one in before if one.kind in (K.AHEAD, K.OLD_NOTHING)}
    silent = {"current": None, "current_manifest": None, "trust": None}
    devices = {
        name: replace(planned, **silent) if name in strange else planned  # type: ignore[arg-type]  # by name
        for name, planned in plan.devices.items()
    }
    return replace(plan, devices=devices)


def _draws(rng: random.Random, seed: int, number: int) -> Draws:
    """Where the plan of a rollout is drawn from."""
    apart = (random.Random(f"{what}/{seed}/{number}") for what in ("controls", "place"))  # noqa: S311
    return Draws(rng, *apart)


def _requires(rng: random.Random, first: str) -> dict[str, object]:
    """What the second plan needs: often nothing, else that the first one runs."""
    if rng.random() < 0.55:
        return {}
    return {"requires": [{"plan": first, "per": rng.choice(("device", "site", "all"))}]}


def _second(seed: int) -> str:
    """What a second rollout brings: sometimes what the first one did."""
    rng = random.Random(f"second/{seed}")  # noqa: S311  scenarios, not secrets
    return FIRST if rng.random() < 0.25 else SECOND


def _more(seed: int, devices: Sequence[DeviceId]) -> Iterator[Fault]:
    """More requests and ends; drawn apart, so that other scenarios stay what they are."""
    rng = random.Random(f"more/{seed}")  # noqa: S311  scenarios, not secrets
    if rng.random() < 0.25:
        for _ in range(rng.randint(1, 3)):
            kinds = (K.HALT, K.PROMOTE, K.PROMOTE, K.RETRY, K.RESUME, K.ABORT, K.ROLL_BACK)
            yield Fault(rng.choice(kinds), _seconds(rng, rng.choice((60, 600))))
    if rng.random() < 0.1:
        yield Fault(K.STOP, int(rng.expovariate(1 / 150)) + 1)
    if rng.random() < 0.1:
        yield Fault(K.RIVAL, int(rng.expovariate(1 / 150)) + 1)
    if rng.random() < 0.08:
        yield Fault(K.FREEZE_ALL, _seconds(rng, 120), span=rng.choice((20.0, 300.0, 4000.0)))
    if rng.random() < 0.1:
        for device in rng.sample(devices, max(1, len(devices) // 10)):
            yield Fault(rng.choice((*LIES, K.LIES_WELL)), device=device)
    for number in (1, 2):
        if rng.random() < 0.15:
            yield Fault(K.AGAIN, number)


def _worse(seed: int, plans: Sequence[ResolvedPlan]) -> Iterator[Fault]:
    """What comparisons ought to find, where a plan has one."""
    rng = random.Random(f"worse/{seed}")  # noqa: S311  scenarios, not secrets
    compares = any(gate.compare for plan in plans for gate in plan.gates)
    if compares and rng.random() < 0.5:
        yield Fault(K.WORSE, rng.choice((0.0, _seconds(rng, 60))), span=100_000.0)


def _late_joiners(seed: int, devices: Sequence[DeviceId]) -> tuple[Fault, ...]:
    """When the last devices join; drawn apart, so that other scenarios stay what they are."""
    rng = random.Random(f"join/{seed}")  # noqa: S311  scenarios, not secrets
    if len(devices) < 2 or rng.random() < 0.8:
        return ()
    count = rng.randint(1, min(5, len(devices) - 1))
    at = _seconds(rng, 300)
    times = (at if rng.random() < 0.5 else _seconds(rng, 900) for _ in range(count))
    return tuple(
        Fault(K.JOIN, at, device) for at, device in zip(times, devices[-count:], strict=True)
    )


def _fleet_size(rng: random.Random) -> int:
    draw_ = rng.random()
    if draw_ < 0.3:
        return rng.choice((1, 1, 2, 3))
    if draw_ < 0.75:
        return rng.randint(4, 14)
    return rng.randint(10, 40) if draw_ < 0.97 else rng.randint(40, DEVICES_MAX)


def _planned(rng: random.Random, devices: Sequence[DeviceId], rollouts: int) -> Iterator[Fault]:
    for number in range(1, rollouts + 1):
        yield from _releases(rng, devices, number)
    yield from _deaths(rng)
    yield from _absences(rng, devices)
    yield from _surroundings(rng)
    yield from _operators(rng)
    if rng.random() < 0.1:
        for device in rng.sample(devices, max(1, len(devices) // 10)):
            yield Fault(rng.choice(LIES[:4]), device=device)


def _releases(rng: random.Random, devices: Sequence[DeviceId], number: int) -> Iterator[Fault]:
    draw_ = rng.random()
    if draw_ < 0.35:
        return
    if draw_ < 0.6:
        yield Fault(rng.choice(RELEASE_KINDS), number)
        return
    share = rng.choice((0.05, 0.2, 0.5))
    for device in devices:
        if rng.random() < share:
            yield Fault(rng.choice(RELEASE_KINDS), number, device)


def _before(rng: random.Random, plan: ResolvedPlan) -> Iterator[Fault]:
    share = rng.choice((0.0, 0.0, 0.1, 0.5))
    for device in plan.devices:
        if rng.random() < share:
            yield Fault(rng.choice(OLD_KINDS), device=device)
    if rng.random() < 0.1:
        for device in rng.choice(plan.waves).devices:
            yield Fault(K.AHEAD, device=device)


def _deaths(rng: random.Random) -> Iterator[Fault]:
    """Ends and losses of engines, anywhere between two steps of any task."""
    crashes = rng.choice((0, 0, 1, 2, 4))
    gaps = [int(rng.expovariate(1 / 150)) + 1 for _ in range(crashes)]
    for at in itertools.accumulate(gaps):
        yield Fault(K.CRASH, at)
    if rng.random() < 0.25:
        frost_s = rng.choice((0.0, 1.0, 5.0, 30.0, FROST_S_MAX))
        yield Fault(K.TAKEOVER, int(rng.expovariate(1 / 200)) + 1, span=frost_s)
    if rng.random() < 0.1:
        yield Fault(K.LEASE_LOST, int(rng.expovariate(1 / 200)) + 1)


def _absences(rng: random.Random, devices: Sequence[DeviceId]) -> Iterator[Fault]:
    if rng.random() < 0.5:
        for device in devices:
            if rng.random() < 0.05:
                start = rng.choice((0.0, _seconds(rng, 60)))
                yield Fault(K.OFFLINE, start, device, rng.choice((30.0, 300.0, 3000.0)))
    if rng.random() < 0.1:
        device = rng.choice(devices)
        yield Fault(K.REBOOT_LOOP, _seconds(rng, 120), device, rng.choice((60.0, 600.0, 3000.0)))


def _surroundings(rng: random.Random) -> Iterator[Fault]:
    if rng.random() < 0.15:
        yield Fault(K.GATES_BAD, _seconds(rng, 120), span=rng.choice((30.0, 100_000.0)))
    if rng.random() < 0.1:
        yield Fault(K.GATES_SILENT, _seconds(rng, 120), span=rng.choice((30.0, 300.0, 100_000.0)))
    for _ in range(rng.choice((0, 0, 0, 0, 1, 2))):
        yield Fault(
            K.CLOCK_JUMP, _seconds(rng, 200), span=rng.choice((-7200.0, -60.0, 60.0, 7200.0))
        )


def _operators(rng: random.Random) -> Iterator[Fault]:
    for _ in range(rng.choice((0, 0, 0, 1, 3))):
        kind = rng.choice((K.PAUSE, K.PAUSE, K.RETRY, K.ABORT, K.ROLL_BACK))
        span = 1.0 + _seconds(rng, 60) if kind is K.PAUSE else 0.0
        yield Fault(kind, _seconds(rng, 200), span=span)


def _seconds(rng: random.Random, most: int) -> float:
    return round(rng.random() * most, 1)
