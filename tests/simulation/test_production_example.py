"""The advanced example of the plan language, word for word, from its file to its end.

Method: `production.py` has the world; the engine is the real one, time is virtual. The first rollout
is applied on 1 December 2026, waits for the modems' plan, and goes over the freeze at year's end.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

import pytest

from orchestrator.device.model import DeviceId
from orchestrator.errors import ExitCode
from orchestrator.plan.resolved import HookEvent, ResolvedPlan
from orchestrator.rollout.events import JournalEntry
from orchestrator.rollout.notices import Reader
from orchestrator.rollout.states import RolloutState
from orchestrator.testing.clock import run_virtual
from tests.examples import ExampleProject
from tests.simulation.production import (
    AUTHOR,
    Production,
    activations,
    is_in_window,
    moves,
    plan_of_modems,
    simulated,
    site_of,
    utc,
)

GATEWAYS = "gateways"
WAVES = ("lab", "canary", "early", "broad")
SOAKS_S = {"lab": 900.0, "canary": 4 * 3600.0, "early": 3600.0, "broad": 3600.0}
CHANGE_S = 30.0 + 20 * 60.0 + 10 * 60.0  # connect, install and reboot: what must fit before an end
START_AT = utc("2026-12-01 01:00")
FREEZE = (utc("2026-12-18 00:00"), utc("2027-01-04 00:00"))
AT_WORK = frozenset({
    "preflight", "transferring", "staged", "activating", "rebooting", "verifying", "committing",
    "rolling_back", "uncertain",
})  # fmt: skip
QUIET = (
    ("2026-12-01 00:00", "2026-12-14 12:00"),
    ("2026-12-17 12:00", "2027-01-04 00:00"),
    ("2027-01-04 12:00", "2027-01-07 00:00"),
    ("2027-01-07 12:00", "2027-02-01 00:00"),
)


@dataclass(frozen=True, slots=True)
class Cast:
    """Which devices play which part; at most one of a site is away."""

    broken: tuple[DeviceId, ...]
    late_modem: DeviceId  # of early
    later_modem: DeviceId  # of broad
    away_canary: DeviceId
    away: DeviceId  # of broad, and back in January
    gone: DeviceId  # of broad, for ever


@dataclass(frozen=True, slots=True)
class Story:
    """A rollout that is over, or stands still."""

    plan: ResolvedPlan
    cast: Cast
    journal: tuple[JournalEntry, ...]
    state: RolloutState
    exit_code: ExitCode

    def at(self, kind: str, wave: str, **data: object) -> float:
        """When that happened first."""
        return next(
            one.at
            for one in self.journal
            if (one.type, one.wave) == (kind, wave) and data.items() <= one.data.items()
        )

    def due(self) -> list[HookEvent]:
        """What the hooks of the plan are to be told."""
        notices = Reader(self.plan, GATEWAYS).read(self.journal)
        [hook] = self.plan.hooks
        return [notice.event for notice in notices if notice.event in hook.events]


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> ExampleProject:
    made = ExampleProject(tmp_path_factory.mktemp("production"))
    made.release("gateway-1.4.2")
    return made


@pytest.fixture(scope="module")
def plan(project: ExampleProject) -> ResolvedPlan:
    return simulated(asyncio.run(project.example("gateway-production.yml")))


@pytest.fixture(scope="module")
def modems(project: ExampleProject) -> ResolvedPlan:
    return asyncio.run(plan_of_modems(project, "7.3"))


def cast_of(plan: ResolvedPlan) -> Cast:
    canary, early, broad = (wave.devices for wave in plan.waves[1:])

    def of(wave: tuple[DeviceId, ...], site: str) -> Iterator[DeviceId]:
        return (device for device in wave[10:] or wave if site_of(device) == site)

    berlin, lisbon, denver = (of(broad, site) for site in ("berlin", "lisbon", "denver"))
    others = of(early, "lisbon")
    return Cast(
        broken=(next(others), next(berlin), next(denver)),
        late_modem=next(others),
        later_modem=next(berlin),
        away_canary=next(device for device in canary if site_of(device) == "berlin"),
        away=next(denver),
        gone=next(lisbon),
    )


# --- through to the end --------------------------------------------------------------------------


@pytest.fixture(scope="module")
def story(project: ExampleProject, plan: ResolvedPlan, modems: ResolvedPlan) -> Story:
    """From 1 December to the middle of January."""
    cast = cast_of(plan)
    late = asyncio.run(plan_of_modems(project, "7.4.1", hosts=cast.late_modem))
    later = asyncio.run(plan_of_modems(project, "7.4.2", hosts=cast.later_modem))

    async def live() -> Story:
        world = Production(utc("2026-12-01 00:00"), plan.devices)
        world.gateways = world.fleet(plan, broken=cast.broken)
        world.modems = world.fleet(modems, late, later, broken=(cast.late_modem, cast.later_modem))
        for device, back in (
            (cast.away_canary, "2027-01-05 11:30"),
            (cast.away, "2027-01-06 11:30"),
            (cast.gone, "2028-01-01 00:00"),
        ):
            world.gateways[device].offline.append((world.clock.now(), utc(back)))
        world.monitoring.crashes = {name: float(n % 3) for n, name in enumerate(world.names)}
        await world.apply(GATEWAYS, plan)
        people = asyncio.ensure_future(_live_people(world, (modems, late, later)))
        ended = await world.run_by_cron(GATEWAYS, plan, rare=QUIET)
        await people
        journal = world.store.journal(GATEWAYS)
        return Story(plan, cast, journal, ended.rollout.state, ended.exit_code)

    return run_virtual(live())


async def _live_people(world: Production, modems: tuple[ResolvedPlan, ...]) -> None:
    first, late, later = modems
    await world.until("2026-12-14 11:00")
    await _update_modems(world, first)
    await world.until("2026-12-15 12:30")
    world.approve(GATEWAYS, AUTHOR, "ops")
    world.approve(GATEWAYS, "mallory@desk", "sales")
    world.approve(GATEWAYS, "olga@desk", "ops")
    world.approve(GATEWAYS, "olga@laptop", "safety")
    await world.until("2026-12-16 08:30")
    world.approve(GATEWAYS, "sam@desk", "safety")
    await world.until("2026-12-16 18:00")
    await _update_modems(world, late)
    await world.until("2026-12-22 18:00")
    await _update_modems(world, later)


async def _update_modems(world: Production, plan: ResolvedPlan) -> None:
    await world.apply(plan.release, plan)
    await world.run(plan.release, plan, world.modems)


def test_rollout_ends_with_the_right_counts(story: Story) -> None:
    ends = {device: to for _, _, device, _, to in moves(story.journal)}

    assert story.state is RolloutState.SUCCEEDED_WITH_EXCEPTIONS
    assert Counter(ends.values()) == {"succeeded": 394, "rolled_back": 3, "deferred": 1}
    assert {device for device, end in ends.items() if end == "rolled_back"} == set(
        story.cast.broken
    )
    assert ends[story.cast.gone] == "deferred"
    assert story.due() == []


def test_nothing_is_changed_before_the_start_outside_windows_or_in_the_freeze(
    story: Story,
) -> None:
    changed = activations(story.journal)
    begun = [at for at, _, _, _, to in moves(story.journal) if to == "transferring"]

    assert len(changed) >= 397
    assert min(at for at, _, _ in changed) >= START_AT
    assert [one for one in changed if not is_in_window(one[2], one[0], CHANGE_S)] == []
    assert [at for at in begun if FREEZE[0] <= at < FREEZE[1]] == []
    assert min(at for at, _, _ in changed if at >= FREEZE[0]) == FREEZE[1]


def test_at_most_two_devices_of_a_site_are_at_work(story: Story) -> None:
    busy: dict[str, set[str]] = {}
    most = Counter[str]()
    for _, _, device, _, to in moves(story.journal):
        here = busy.setdefault(site_of(device), set())
        here.discard(device)
        if to in AT_WORK:
            here.add(device)
        most[site_of(device)] = max(most[site_of(device)], len(here))

    assert most == {"berlin": 2, "lisbon": 2, "denver": 2}


def test_starts_keep_to_the_rate_that_successes_raise(story: Story) -> None:
    starts: list[float] = []
    successes = 0
    for at, _, _, before, to in moves(story.journal):
        successes += to == "committing"  # proven by then
        if to == "transferring" and before != "retry_wait":
            starts.append(at)
            within = sum(at - 60 < one for one in starts[-201:])
            assert within <= min(200, 20 * 2 ** (successes // 100))


def test_waves_come_in_order_and_soak(story: Story) -> None:
    started = {wave: story.at("wave_started", wave) for wave in WAVES}
    soaking = {wave: story.at("soak_started", wave) for wave in WAVES}
    passed = {wave: story.at("wave_done", wave, state="passed") for wave in WAVES}
    touched = {
        wave: [at for at, name, *_ in moves(story.journal) if name == wave] for wave in WAVES
    }

    for before, after in pairwise(WAVES):
        assert started[before] < soaking[before] < passed[before] <= started[after]
        assert min(touched[after]) >= passed[before]
    for wave in WAVES:
        assert passed[wave] - soaking[wave] >= SOAKS_S[wave]
        assert not [at for at in touched[wave] if soaking[wave] < at < passed[wave]]


def test_early_wave_waits_for_two_people_who_are_not_the_author(story: Story) -> None:
    answers = [
        (str(one.data["who"]), str(one.data["answer"]))
        for one in story.journal
        if one.type == "operator"
    ]

    assert answers == [
        (AUTHOR, "refused"),
        ("mallory@desk", "refused"),
        ("olga@desk", "done"),
        ("olga@laptop", "already"),
        ("sam@desk", "done"),
    ]
    assert story.at("paused", "early", cause="approval") < utc("2026-12-15 13:00")
    assert story.at("wave_started", "early") >= utc("2026-12-16 08:30")


def test_rollout_and_single_devices_wait_for_what_the_plan_requires(story: Story) -> None:
    begun: dict[str, float] = {}
    for at, _, device, _, to in moves(story.journal):
        if to == "transferring":
            begun.setdefault(device, at)

    assert min(begun.values()) >= utc("2026-12-14 11:00")
    assert begun[story.cast.late_modem] >= utc("2026-12-16 18:00")
    assert begun[story.cast.later_modem] >= FREEZE[1]
    waited = {str(one.data["for"]) for one in story.journal if one.type == "waiting"}
    assert "requires" in waited


def test_canary_that_is_away_is_replaced_and_follows(story: Story) -> None:
    cast = story.cast
    canary = {device for _, wave, device in activations(story.journal) if wave == "canary"}
    changed = {device: at for at, _, device in activations(story.journal)}
    followed = story.at("catching_up", "")

    assert len(canary - {cast.away_canary}) == 11
    assert [device for device in (cast.away_canary, cast.away) if changed[device] < followed] == []
    assert cast.gone not in changed
    assert story.journal[-1].at >= followed + 14 * 86400


def test_dry_run_of_a_gate_decides_nothing(story: Story) -> None:
    """The simulated devices have one byte of memory left."""
    verdicts = {
        str(one.data["verdict"])
        for one in story.journal
        if one.type == "gate_result" and one.data["gate"] == "memory trend"
    }

    assert verdicts == {"failed"}


# --- stopped in the canary -----------------------------------------------------------------------


def stopped(
    plan: ResolvedPlan,
    modems: ResolvedPlan,
    *,
    firing_from: float = float("inf"),
    bad_canary: bool = False,
) -> Story:
    """Applied the day before its start, with everything that it requires."""

    async def live() -> Story:
        world = Production(utc("2026-11-30 12:00"), plan.devices)
        world.gateways, world.modems = world.fleet(plan), world.fleet(modems)
        world.monitoring.firing_from = firing_from
        updated = plan.waves[1].devices if bad_canary else ()
        world.monitoring.crashes = {
            name: float(n % 3 + 5 * (name in updated)) for n, name in enumerate(world.names)
        }
        await _update_modems(world, modems)
        await world.apply(GATEWAYS, plan)
        ended = await world.run_by_cron(GATEWAYS, plan)
        untold = await world.store.outbox.untold()
        assert untold == [GATEWAYS]
        journal = world.store.journal(GATEWAYS)
        return Story(plan, cast_of(plan), journal, ended.rollout.state, ended.exit_code)

    return run_virtual(live())


def check_halt(story: Story, gate: str) -> None:
    """Halted by that gate in the canary, and nothing began later, nor anywhere else."""
    [halt] = [one for one in story.journal if one.type == "halted"]
    assert halt.data["cause"] == "gate"
    assert halt.data["detail"].startswith(f"gate `{gate}` failed: ")
    assert (story.state, story.exit_code) == (RolloutState.HALTED, ExitCode.HALTED)
    assert 0 <= min(at for at, _, _ in activations(story.journal)) - START_AT < 1
    assert {wave for _, wave, _ in activations(story.journal)} == {"lab", "canary"}
    later = {to for at, _, _, _, to in moves(story.journal) if at > halt.at}
    assert not later & {"transferring", "activating"}
    assert story.due() == [HookEvent.HALTED]


@pytest.mark.parametrize(
    ("firing", "within_s"),
    [
        ("2026-12-01 09:00", 4 * 60.0),  # it soaks: sampled every minute
        ("2026-12-01 02:30", 3 * 3600.0),  # it waits for a window: sampled whenever cron comes
    ],
)
def test_pages_that_fire_in_the_canary_halt_the_rollout(
    plan: ResolvedPlan, modems: ResolvedPlan, firing: str, within_s: float
) -> None:
    story = stopped(plan, modems, firing_from=utc(firing))

    check_halt(story, "no firing alerts")
    halted_at = next(one.at for one in story.journal if one.type == "halted")
    assert 120 <= halted_at - utc(firing) < within_s  # failure_limit 2


def test_canary_that_crashes_more_than_its_controls_halts_the_rollout(
    plan: ResolvedPlan, modems: ResolvedPlan
) -> None:
    story = stopped(plan, modems, bad_canary=True)

    check_halt(story, "crash rate not worse than control")
    assert story.at("gate_result", "canary", gate="crash rate not worse than control") >= (
        story.at("soak_started", "canary") + SOAKS_S["canary"]
    )
