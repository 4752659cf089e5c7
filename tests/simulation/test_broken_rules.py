"""Rules broken on purpose: the checker must notice, and the failure must shrink to what it takes.

A checker that sees nothing proves nothing; a failure that cannot be read helps nobody.
"""

import re
import shlex
import zlib
from collections import deque
from collections.abc import Iterable

import pytest

from orchestrator.engine import loop, perform
from orchestrator.engine.ports import Lease
from orchestrator.errors import ExitCode, LeaseError
from orchestrator.plan import filling, resolve_waves
from orchestrator.rollout import (
    approving,
    brakes,
    catching_up,
    comparing,
    gating,
    glass,
    hours,
    joining,
    ledger,
    moves,
    opening,
    outcome,
    pacing,
    passage,
    proof,
    readings,
    record,
    recovery,
    retreat,
    returned,
    sightings,
    slots,
    turn,
)
from orchestrator.rollout.placement import Place
from orchestrator.rollout.sightings import Left, Standing
from orchestrator.rollout.states import BEFORE_RETURN, PAST_RETURN, DeviceState, Pause, RolloutState
from orchestrator.testing import __main__ as command
from orchestrator.testing.faults import parse_faults
from orchestrator.testing.report import SimulationFailed
from orchestrator.testing.scenario import draw
from orchestrator.testing.shrink import explained, shrink
from orchestrator.testing.simulation import simulate
from orchestrator.testing.store import MemoryStore


def nothing_where_accepted(wave):
    """Whoever accepts failures takes no success for one."""
    return 0 if wave.promised else REQUIRED.fget(wave)


def hurried_settle(led, wave):
    """The next wave begins while this one is still to be watched and judged."""
    if led.current + 1 < len(led.waves):
        led.current += 1
    else:
        SETTLE(led, wave)


def last_in_order(led, wave):
    """The last device of the next wave takes a place, not the first."""
    for donor in led.waves[wave.index + 1 :]:
        donor.members.reverse()
    try:
        return BACKFILL(led, wave)
    finally:
        for donor in led.waves[wave.index + 1 :]:
            donor.members.reverse()


def back_in_order_of_start(led):
    QUEUE_SCOPE(led)
    led.back_queue.reverse()


def shut_for_all(led, rec):
    """Also who has no trust root waits for its line."""
    at = opening.opening_of(led, rec.id)
    return at if at is not None and at > led.now else None


def no_pause_for_reverted(led, cause, detail=""):
    if cause is not Pause.REVERTED_UNCONFIRMED:
        PAUSE(led, cause, detail)


def always_delivered(self, verb, txn, **params):
    """Whatever the device runs already."""
    params.pop("unless", None)
    return MUTATION(self, verb, txn, **params)


IN_ORDER = resolve_waves.in_order
BEFORE_GROUPS = comparing.before_groups
REQUIRED = record.WaveRecord.required
SETTLE, BACKFILL = passage._settle, slots._backfill
QUEUE_SCOPE, PAUSE, MUTATION = retreat.queue_scope, brakes.pause, perform.Conversation._mutation


def blind_replay(led, event):
    led.epoch = event.epoch
    led.note("engine_started", data={"epoch": event.epoch})
    for rec in led.devices.values():
        if rec.state in PAST_RETURN or rec.state in BEFORE_RETURN:
            led.new_attempt(rec)
            moves.enqueue(led, rec)


async def commit_after_acting(self, lease, rollout, changes):
    self.executor.ensure(rollout.in_flight)
    await self._ports.store.commit(lease, [changes])


def sixth(rules: Iterable[str]) -> list[object]:
    """A sixth of the rules for `make test`, always the same: each costs a second of a core."""
    return [
        rule if zlib.crc32(rule.encode()) % 6 == 0 else pytest.param(rule, marks=pytest.mark.night)
        for rule in rules
    ]


BROKEN = {
    "slow start": (record.WaveRecord, "bound", property(lambda wave: wave.plan.max_parallel)),
    "budget": (brakes, "check_budget", lambda _led, _wave: None),
    "pause": (moves, "may_start", lambda _led: True),
    "inquiry": (recovery, "engine_started", blind_replay),
    "drain": (retreat, "_flying", lambda _led: 0),
    "evidence": (passage, "_was_tried", lambda _led: True),
    "checks of the way back": (returned, "_gates", lambda _led, _rec: ()),
    "their verdict": (
        returned,
        "_decide",
        lambda led, rec: moves.finish(led, rec, DeviceState.ROLLED_BACK, "ok"),
    ),
    "read-back": (proof, "_ON_TARGET", frozenset(Place)),
    "catching up": (catching_up, "begin", lambda _led: False),
}


# What `rollout drift` would hold devices against, read wrongly out of the rows.
BROKEN_LEFT = {
    "what is committed": (sightings, "_PROVEN", frozenset({DeviceState.UNCHANGED})),
    "what went back": (sightings, "_text", lambda row, key: str(row.get("since") or "x")),
    "what was changed without proof": (
        sightings, "_unknown", lambda rollout_id, at: Left(rollout_id, at, Standing.PROVEN, "x"),
    ),
    "what was never begun": (
        sightings, "_PROVEN", frozenset({DeviceState.SUCCEEDED, DeviceState.CANCELLED}),
    ),
    "which rollout was the last": (sightings, "_later", lambda _last, before: before),
}  # fmt: skip


@pytest.mark.parametrize("rule", sixth(BROKEN_LEFT))
def test_checker_notices_what_is_not_what_was_left(monkeypatch, rule):
    monkeypatch.setattr(*BROKEN_LEFT[rule])

    assert first_noticed(range(400)).rule.startswith("left: ")


@pytest.mark.parametrize("rule", sixth(BROKEN))
def test_checker_notices_a_broken_rule(monkeypatch, rule):
    monkeypatch.setattr(*BROKEN[rule])

    assert first_noticed(range(400)) is not None


# With the key of the language without which a plan does not know the rule, and what is said of it.
BROKEN_CONTROLS = {
    "windows": ("windows", "R12", hours.Hours, "start", lambda *_: None),
    "windows of what was staged ahead": (
        "stage_outside_window", "R12", hours.Hours, "change", lambda *_: None,
    ),
    "windows of a way back": ("respect_windows", "R12", hours.Hours, "back", lambda *_: None),
    "rate": ("rate", "rate", pacing, "next_start_at", lambda *_: None),
    "growth of the rate": (
        "rate", "rate", pacing, "per_minute", lambda rate, _successes: 60.0 * rate.per_minute,
    ),
    "slots of a label": (
        "max_parallel_per", "max_parallel_per", pacing.Slots, "full", lambda *_, **_away: None,
    ),
    "deadlines": ("deadline", "deadline", passage, "_look_at_deadlines", lambda _led: None),
    "budget of the rollout": ("budget", "R6", brakes, "_check_rollout", lambda _led: None),
    "bursts": ("window", "R6", brakes, "is_burst", lambda *_: False),
    "approvals": ("approval", "approval", approving, "is_given", lambda *_: True),
    "one approval of each person": (
        '"required": 2', "approval", approving, "person_of", lambda who: who,
    ),
    "roles of those who approve": ('"from": [', "approval", approving, "_stranger", lambda *_: None),
    "the author approves nothing": (
        "not_author", "approval", approving, "_of_the_author", lambda *_: None,
    ),
    "gates before a wave": ("ready", "R9", gating, "before_wave", lambda *_: True),
    "gates of a wave": ("load", "R9", passage, "_gates_passed", lambda *_: True),
    "gates beside a wave": ("alerts", "R9", gating, "background_passed", lambda *_: True),
    "checks before a device": (
        "before", "R9", ledger.Ledger, "device_gates", lambda *_: (),
    ),
    "checks of a device": ("service", "R9", proof, "decide", proof._passed),
    "controls of a comparison": ('"control"', "R11", readings, "_controls", lambda led: [*led.devices]),
    "values from before a wave": (
        '"before"', "R11", comparing, "before_groups",
        lambda values, _before, *, updated: BEFORE_GROUPS(values, values, updated=updated),
    ),
    "chance": ('"compare"', "R11", comparing, "_p", lambda *_: 1.0),
    "harm": ('"compare"', "R11", comparing, "_is_harmful", lambda *_: False),
    "lines of a ticket": ("!ticket", "ticket", opening, "shut_until", lambda *_: None),
    "order by a ticket": (
        "!ticket", "R2", resolve_waves, "in_order",
        lambda some, seed, order, _ticket: IN_ORDER(some, seed, order),
    ),
    "waiting for a line": ("!ticket", "R3", opening, "shut_until", shut_for_all),
    "a glass of which nothing is told": (
        "approval", "approval", approving, "pass_over", lambda *_: None,
    ),
    "how long a glass is broken": ("approval", "approval", glass, "GLASS_S", 9000.0),
    "exit code of who is refused": ("!rival", "exit 8", LeaseError, "exit_code", ExitCode.DONE),
    "joining a rollout that is stopped": (
        "late_joiners", "R1", joining, "_OPEN", frozenset(RolloutState),
    ),
    "freeze of all rollouts": ("!freeze_all", "freeze", turn, "fleet_freeze", lambda _led: None),
    "devices held back": ("second", "held", turn, "held_by_others", lambda *_: None),
    "requirements": ("requires", "requires", turn, "require", lambda _led: None),
    "successes that a wave needs": ("waves", "R8", record, "required_successes", lambda *_: 0),
    "a success besides what is accepted": (
        "!resume", "R8", record.WaveRecord, "required", property(nothing_where_accepted),
    ),
    "order of waves": ("waves", "waves", passage, "_settle", hurried_settle),
    "order within a wave": (
        "waves", "R3", passage, "deque", lambda members: deque(reversed(tuple(members))),
    ),
    "who takes a place": ("backfill", "R7", slots, "_backfill", last_in_order),
    "places to take": ("backfill", "R7", resolve_waves, "_backfill_limit", lambda *_: 9),
    "order of a plan": ("waves", "R2", resolve_waves, "in_order", lambda some, *_: tuple(some)),
    "spread": ("spread", "R2", resolve_waves, "spread", lambda some, *_: tuple(some)),
    "cover": ("cover", "R2", filling._Filler, "_cover", lambda *_: ((), False)),
    "size of a share": (
        "waves", "R2", filling, "size_count",
        lambda size, left, base, **_: min(left, 1 + int(getattr(size, "share", 1) * base)),
    ),
    "order of a way back": (
        "waves", "rollback", retreat, "queue_scope", back_in_order_of_start,
    ),
    "ways back at once": ("waves", "rollback", retreat, "_returning", lambda _led: 0),
    "pause of what went back by itself": ("waves", "R6", brakes, "pause", no_pause_for_reverted),
    "applying again": ("!again", "I10", perform.Conversation, "_mutation", always_delivered),
    "exit code of what was taken back": ("waves", "exit 4", outcome, "runs_new", lambda _led: True),
    "exit code of what still runs": ("waves", "exit 5", outcome, "runs_new", lambda _led: False),
    "exit code of unknown devices": ("waves", "exit", outcome, "needs_human", lambda _led: False),
}  # fmt: skip

# The first seeds to look at, where many hundreds before them show nothing.
SELDOM = {"one approval of each person": 1040}


def text_of(seed):
    """A scenario's plans, and what goes wrong in it as `!kind`."""
    scenario = draw(seed)
    again = ('"second"',) * (len(scenario.plans) - 1)
    tickets = ("!ticket",) * any(known.ticket and known.ticket.openings for known in scenario.known)
    faults = (f"!{fault}" for fault in scenario.planned)
    return " ".join((*scenario.texts, *again, *tickets, *faults))


@pytest.mark.parametrize("rule", sixth(BROKEN_CONTROLS))
def test_checker_notices_a_broken_control(monkeypatch, rule):
    key, says, *broken = BROKEN_CONTROLS[rule]
    monkeypatch.setattr(*broken)

    wanted = key if key[0] in '"!' else f'"{key}"'
    seeds = range(SELDOM.get(rule, 0), 2000)
    failure = first_noticed(seed for seed in seeds if wanted in text_of(seed))

    assert failure.rule.startswith(says)


def test_checker_notices_a_way_back_that_nobody_read(monkeypatch):
    """Two places look at it."""
    monkeypatch.setattr(retreat, "_is_back", lambda _led, _rec, _status: True)
    monkeypatch.setattr(returned, "is_back", lambda _led, _rec, _status: True)

    assert first_noticed(range(400)) is not None


def test_checker_notices_effects_before_their_commit(monkeypatch):
    work = loop.Engine._loop

    async def remember(self, lease, rollout, executor):
        self.executor = executor
        await work(self, lease, rollout, executor)

    monkeypatch.setattr(loop.Engine, "_loop", remember)
    monkeypatch.setattr(loop.Engine, "_commit", commit_after_acting)

    assert first_noticed(range(100)) is not None


async def epochs_of_each_rollout(self, rollout_id, owner, *, ttl_s, now):
    epochs = self.__dict__.setdefault("epochs", {})
    epochs[rollout_id] = epochs.get(rollout_id, 0) + 1
    self._epoch = epochs[rollout_id]
    self._leases[rollout_id] = Lease(rollout_id, owner, epochs[rollout_id], now + ttl_s)
    return self._leases[rollout_id]


def test_checker_notices_epochs_that_begin_anew_with_each_rollout(monkeypatch):
    monkeypatch.setattr(MemoryStore, "acquire", epochs_of_each_rollout)

    assert first_noticed(range(100)) is not None


SMALL = 8  # devices: shrinking runs such a scenario often
BUGS = {
    "drain": (retreat, "_flying", lambda _led: 0),
    "inquiry": (recovery, "engine_started", blind_replay),
    "epochs": (MemoryStore, "acquire", epochs_of_each_rollout),
}


@pytest.mark.parametrize("bug", BUGS)
def test_failure_shrinks_to_a_few_faults_that_still_break_the_rule(monkeypatch, bug):
    monkeypatch.setattr(*BUGS[bug])
    failure = first_noticed(small_seeds())

    least = shrink(failure)

    assert len(least.faults) <= 8
    assert set(least.faults) <= set(failure.faults)
    with pytest.raises(SimulationFailed):
        simulate(failure.seed, faults=least.faults)
    for index in range(len(least.faults)):  # each of them is needed
        fewer = least.faults[:index] + least.faults[index + 1 :]
        assert rule(fails(failure.seed, fewer)) != rule(failure)


def rule(failure):
    return None if failure is None else re.split(r"[\d(`]|dev-", failure.rule)[0]


def test_printed_commands_repeat_the_failure(monkeypatch, capsys):
    monkeypatch.setattr(*BUGS["drain"])
    failure = first_noticed(small_seeds())

    lines = explained(failure).splitlines()
    commands = [shlex.split(line.partition(": ")[2], comments=True) for line in lines[1:]]

    assert lines[0].startswith(f"seed {failure.seed}: ")
    for program in commands:
        assert program[:3] == ["python", "-m", "orchestrator.testing"]
        assert command.main(program[3:]) == 1
        assert f"seed {failure.seed}: {rule(failure)}" in capsys.readouterr().out
    assert len(parse_faults(commands[1][-1])) < len(failure.faults)


def test_shrinking_ends_when_its_runs_are_used_up(monkeypatch):
    monkeypatch.setattr(*BUGS["drain"])
    failure = first_noticed(small_seeds())

    least = shrink(failure, runs_max=3)

    assert least.runs <= 3
    assert set(least.faults) <= set(failure.faults)


def small_seeds():
    return (seed for seed in range(2000) if len(draw(seed).devices) <= SMALL)


def first_noticed(seeds):
    return next(filter(None, map(fails, seeds)), None)


def fails(seed, faults=None):
    try:
        simulate(seed, faults=faults)
    except SimulationFailed as failure:
        return failure
    return None
