"""What others mean for a rollout: conflicts, requirements and the freeze of all, by the rules' text."""

from dataclasses import replace
from fractions import Fraction

import pytest

from orchestrator.device.model import Address
from orchestrator.device.reason import Reason
from orchestrator.errors import ExitCode
from orchestrator.plan.requires import unmet
from orchestrator.plan.resolved import (
    Freeze,
    OnConflict,
    PlannedDevice,
    Requirement,
    RequirePer,
    ResolvedWave,
    Schedule,
    Window,
)
from orchestrator.plan.schedule import Day
from orchestrator.rollout.around import FleetFreeze, Neighbour, Surroundings, goes_first
from orchestrator.rollout.events import Ask
from orchestrator.rollout.held import Held
from orchestrator.rollout.states import DeviceState, RolloutState
from orchestrator.rollout.story import tell
from orchestrator.rollout.why import why
from orchestrator.testing.hand import Hand
from orchestrator.testing.plans import device_ids, make_plan

A, B, C, D = device_ids(4)
OTHER = Neighbour("r-old", "base", 500, begun=True, driven=True, shared=2, device=A)
FROZEN = FleetFreeze("incident", "ann@desk", 0.0)


def hand(*, around=None, waves=None, **choices):
    waves = waves or [ResolvedWave("canary", "1", (A,)), ResolvedWave("rest", "rest", (B, C))]
    return Hand(make_plan(waves, **choices), around=around)


def busy(*others):
    return Surroundings(busy=others)


class TestConflict:
    def test_alone_it_begins_and_claims_its_devices_once(self):
        rollout = hand()
        rollout.succeed(A)

        assert rollout.rollout.state is RolloutState.RUNNING
        assert rollout.claims[:2] == [False, True]
        assert not any(rollout.claims[2:])

    def test_queued_it_stays_scheduled_starts_nothing_and_says_for_whom(self):
        rollout = hand(around=busy(OTHER))

        story = tell(rollout.rollout)
        assert (story.state, story.waits_for) == (RolloutState.SCHEDULED, ("rollout",))
        assert story.held_up == ("rollout `r-old` of plan `base` works on 2 of its devices",)
        assert rollout.wanted() == {}
        assert rollout.rollout.exit_code is ExitCode.WAITING
        assert rollout.rollout.is_resting
        assert rollout.rollout.is_waiting
        assert not any(rollout.claims)

    def test_next_command_is_about_the_one_that_has_the_devices(self):
        rollout = hand(around=busy(OTHER))
        rollout.restart()

        story = tell(rollout.rollout)

        assert story.rivals == ("r-old",)
        assert story.next_commands[0] == "rollout status r-old"
        assert "rollout pause r-hand" not in story.next_commands
        rollout.look()
        assert tell(rollout.rollout).rivals == ()

    def test_it_begins_when_the_other_is_over(self):
        rollout = hand(around=busy(OTHER))

        rollout.look()

        assert rollout.rollout.state is RolloutState.RUNNING
        assert rollout.claims[-1]
        assert tell(rollout.rollout).held_up == ()

    def test_who_only_looks_on_sees_what_is_so_now_and_decides_nothing(self):
        rollout = hand(around=busy(OTHER, replace(OTHER, rollout_id="r-gone")))
        row = rollout.rollout_row

        rollout.rollout.look_on(busy(OTHER), at=rollout.now)

        assert tell(rollout.rollout).rivals == ("r-old",)
        rollout.rollout.look_on(Surroundings(frozen=FROZEN), at=rollout.now)
        story = tell(rollout.rollout)
        assert (story.waits_for, story.held_up) == (("freeze",), (FROZEN.text,))
        rollout.rollout.look_on(Surroundings(), at=rollout.now)
        assert tell(rollout.rollout).waits_for == ("start",)
        assert rollout.rollout.state is RolloutState.SCHEDULED
        assert rollout.rollout_row is row

    def test_who_looks_on_outside_its_hours_is_told_of_those(self):
        rollout = hand(around=busy(OTHER), schedule=Schedule(start_at=10_000.0))

        rollout.rollout.look_on(busy(OTHER), at=rollout.now)

        assert tell(rollout.rollout).waits_for == ("start",)
        assert tell(rollout.rollout).held_up == ()

    def test_the_same_neighbour_is_journalled_once(self):
        rollout = hand(around=busy(OTHER))
        rollout.look(busy=(OTHER,))
        rollout.look(busy=(replace(OTHER, driven=False),))

        assert len(rollout.lines("waiting")) == 1

    def test_place_in_the_queue_survives_a_restart(self):
        rollout = hand(around=busy(OTHER))

        rollout.restart()

        assert rollout.rollout_row["waiting"].keys() == {"rollout"}
        assert rollout.rollout.state is RolloutState.SCHEDULED

    @pytest.mark.parametrize(
        ("ours", "theirs", "asked"), [(500, 500, True), (501, 500, True), (499, 500, False)]
    )
    def test_it_supersedes_what_has_no_higher_priority(self, ours, theirs, asked):
        other = replace(OTHER, priority=theirs)
        choices = {"on_conflict": OnConflict.SUPERSEDE, "priority": ours}
        rollout = hand(around=busy(other), **choices)

        assert [(to, one.ask) for to, one in rollout.asks] == [("r-old", Ask.SUPERSEDE)] * asked
        assert len(rollout.lines("superseding")) == asked
        assert rollout.rollout.state is RolloutState.SCHEDULED
        assert rollout.rollout.is_resting is not asked  # it does not take long

    def test_the_other_is_asked_once_also_over_a_restart(self):
        rollout = hand(around=busy(OTHER), on_conflict=OnConflict.SUPERSEDE)

        rollout.look(busy=(OTHER,))
        rollout.restart()

        assert len(rollout.asks) == 1

    def test_one_that_no_engine_drives_is_named_and_not_waited_for(self):
        other = replace(OTHER, driven=False)
        rollout = hand(around=busy(other), on_conflict=OnConflict.SUPERSEDE)

        assert rollout.rollout.orphans == ("r-old",)
        assert rollout.rollout.is_resting

    def test_with_fail_it_is_rejected_before_anything_started(self):
        rollout = hand(around=busy(OTHER), on_conflict=OnConflict.FAIL)

        assert rollout.rollout.state is RolloutState.REJECTED
        assert rollout.rollout.exit_code is ExitCode.REFUSED
        assert rollout.wanted() == {}
        assert not any(rollout.claims)

    @pytest.mark.parametrize(
        ("on_conflict", "ours", "theirs", "asked"),
        [
            (OnConflict.SUPERSEDE, 500, 500, True),
            (OnConflict.SUPERSEDE, 499, 500, False),
            (OnConflict.QUEUE, 900, 500, False),
            (OnConflict.FAIL, 900, 500, False),
        ],
    )
    def test_older_one_that_has_not_begun_is_superseded_too(self, on_conflict, ours, theirs, asked):
        older = replace(OTHER, priority=theirs, begun=False, driven=False)
        around = Surroundings(older=(older,))
        rollout = hand(around=around, on_conflict=on_conflict, priority=ours)

        assert [(to, one.ask) for to, one in rollout.asks] == [("r-old", Ask.SUPERSEDE)] * asked
        assert rollout.rollout.orphans == ("r-old",) * asked
        begun = RolloutState.SCHEDULED if asked else RolloutState.RUNNING
        assert rollout.rollout.state is begun
        rollout.look()
        assert rollout.rollout.state is RolloutState.RUNNING

    @pytest.mark.parametrize(
        ("on_conflict", "ours", "asked", "state"),
        [
            (OnConflict.QUEUE, 500, True, RolloutState.SCHEDULED),
            (OnConflict.QUEUE, 499, False, RolloutState.SCHEDULED),
            (OnConflict.SUPERSEDE, 500, True, RolloutState.SCHEDULED),
            (OnConflict.FAIL, 500, False, RolloutState.REJECTED),
        ],
    )
    def test_one_that_catches_up_gives_way(self, on_conflict, ours, asked, state):
        follower = replace(OTHER, follows=True, driven=False)
        rollout = hand(around=busy(follower), on_conflict=on_conflict, priority=ours)

        assert [(to, one.ask) for to, one in rollout.asks] == [("r-old", Ask.SUPERSEDE)] * asked
        assert rollout.rollout.orphans == ("r-old",) * asked
        assert rollout.rollout.state is state

    @pytest.mark.parametrize("in_flight", [False, True])
    def test_giving_way_leaves_those_away_and_ends_as_done_with_exceptions(self, in_flight):
        rollout = hand(
            waves=[ResolvedWave("all", "rest", (A, B), max_unreachable_share=Fraction(1))]
        )
        rollout.report(B, Reason.UNREACHABLE, reached=False)
        rollout.succeed(A)
        while rollout.state(B) is not DeviceState.DEFERRED:
            rollout.tick(rollout.rollout.next_wakeup)
            rollout.report(B, Reason.UNREACHABLE, reached=False)
        before = rollout.rollout.state
        if in_flight:
            rollout.tick(rollout.rollout.next_wakeup)
        rollout.ask(Ask.SUPERSEDE, who="rollout r-new")

        assert before is RolloutState.CATCHING_UP
        assert rollout.rollout.state is RolloutState.SUCCEEDED_WITH_EXCEPTIONS
        assert rollout.state(B) is (DeviceState.CANCELLED if in_flight else DeviceState.DEFERRED)
        assert rollout.wanted() == {}

    def test_one_that_others_keep_from_beginning_stands_in_nobodys_way(self):
        rollout = hand(around=busy(OTHER), requires=(Requirement("base", ">=7"),))
        runs_it = {"base": dict.fromkeys((A, B, C), "7")}
        rollout.look(busy=(OTHER,), running=runs_it)
        in_line = dict(rollout.rollout_row["waiting"])
        rollout.look(busy=(OTHER,))

        assert in_line.keys() == {"rollout"}
        assert rollout.rollout_row["waiting"].keys() == {"requires"}
        assert rollout.lines("waiting")[-1].data["for"] == "requires"

    def test_one_whose_window_has_closed_stands_in_nobodys_way(self):
        window = Window(tuple(Day), "00:00", 3600.0, "UTC")
        rollout = hand(around=busy(OTHER), schedule=Schedule(windows=(window,)))
        in_line, wakeup = dict(rollout.rollout_row["waiting"]), rollout.rollout.next_wakeup
        rollout.tick(3600.0)

        assert (in_line.keys(), wakeup) == ({"rollout"}, 3600.0)
        assert rollout.rollout_row["waiting"] == {}
        assert rollout.lines("waiting")[-1].data["for"] == "start"  # so that it is written
        assert tell(rollout.rollout).waits_for == ("window",)
        assert rollout.rollout.next_wakeup == 86400.0

    def test_freeze_of_all_costs_nobody_the_place_in_the_queue(self):
        rollout = hand(around=busy(OTHER))
        rollout.look(busy=(OTHER,), frozen=FROZEN)

        assert rollout.rollout_row["waiting"].keys() == {"rollout", "freeze"}

    def test_before_its_time_nobody_is_asked_anything(self):
        schedule = Schedule(start_at=100.0)
        choices = {"on_conflict": OnConflict.SUPERSEDE, "schedule": schedule}
        rollout = hand(around=busy(OTHER), **choices)
        before = len(rollout.asks)

        rollout.tick(100.0)

        assert (before, len(rollout.asks)) == (0, 1)

    @pytest.mark.parametrize("one_is_at_work", [False, True])
    def test_superseded_one_ends_after_its_devices_in_flight(self, one_is_at_work):
        rollout = hand()
        if one_is_at_work:
            rollout.ready(A)
        else:
            rollout.ask(Ask.PAUSE)
        rollout.ask(Ask.SUPERSEDE, who="rollout r-new")
        if one_is_at_work:
            assert rollout.rollout.state is RolloutState.ABORTING
            rollout.activate(A)
            rollout.report(A, status=rollout.status(A, "probation"))
            rollout.report(A)

        assert rollout.rollout.state is RolloutState.SUPERSEDED
        assert rollout.rollout.exit_code in (ExitCode.HALTED, ExitCode.ROLLED_BACK)
        assert rollout.state(B) is DeviceState.CANCELLED
        assert rollout.lines("operator")[-1].data["who"] == "rollout r-new"

    def test_queued_one_can_be_superseded_and_aborted(self):
        for ask, end in ((Ask.SUPERSEDE, "superseded"), (Ask.ABORT, "aborted")):
            rollout = hand(around=busy(OTHER))
            rollout.ask(ask)

            assert rollout.rollout.state.value == end
            assert not any(rollout.claims)

    def test_paused_and_halted_ones_keep_their_claims(self):
        rollout = hand()
        rollout.ask(Ask.PAUSE)
        rollout.restart()
        rollout.ask(Ask.RESUME)

        assert rollout.claims.count(True) == 1

    def test_finished_one_is_not_rolled_back_beside_another(self):
        rollout = hand(waves=[ResolvedWave("all", "rest", (A,))])
        rollout.succeed(A)
        rollout.look(busy=(OTHER,))
        rollout.around = busy(OTHER)
        rollout.restart()
        rollout.ask(Ask.ROLLBACK)
        refused = rollout.lines("operator")[-1].data["done"]

        rollout.around = Surroundings()
        rollout.restart(3)
        rollout.ask(Ask.ROLLBACK)

        assert refused is False
        assert rollout.rollout.state is RolloutState.ROLLING_BACK
        assert rollout.claims[-1]

    def test_turns_go_by_priority_then_age_then_name(self):
        ranks = [(600, 9.0, "r-z"), (500, 1.0, "r-a"), (500, 1.0, "r-b"), (500, 2.0, "r-0")]

        for place, one in enumerate(ranks):
            for later in ranks[place + 1 :]:
                assert goes_first(one, later)
                assert not goes_first(later, one)


class TestFreezeOfAll:
    def test_running_one_pauses_and_goes_on_by_itself(self):
        rollout = hand()
        rollout.look(frozen=FROZEN)
        state, causes = rollout.rollout.state, dict(rollout.rollout.ledger.causes)
        waiting = rollout.rollout.is_waiting, rollout.rollout.exit_code
        rollout.ready(A)

        rollout.look()

        assert (state, causes) == (
            RolloutState.PAUSED,
            {"freeze": "incident (all rollouts, by ann@desk)"},
        )
        assert waiting[1] is ExitCode.WAITING
        assert rollout.rollout.state is RolloutState.RUNNING
        assert rollout.lines("paused")[0].data["detail"] == "incident (all rollouts, by ann@desk)"

    def test_journal_says_who_lifted_it_and_why(self):
        rollout = hand()
        rollout.look(frozen=FROZEN)

        rollout.look(frozen=replace(FROZEN, lifted_at=5.0, lifted_by="bob", lifted_why="over"))

        assert rollout.rollout.state is RolloutState.RUNNING
        (line,) = rollout.lines("resumed")
        assert line.data["detail"] == "all rollouts let go on by bob: over"

    def test_nothing_begins_while_it_lasts_and_it_runs_out(self):
        frozen = replace(FROZEN, until_at=50.0)
        rollout = hand(around=Surroundings(frozen=frozen))
        before = tell(rollout.rollout)

        rollout.tick(50.0)

        assert (before.state, before.waits_for) == (RolloutState.SCHEDULED, ("freeze",))
        assert rollout.rollout.state is RolloutState.RUNNING

    def test_pause_ends_when_it_runs_out(self):
        rollout = hand()
        rollout.look(frozen=replace(FROZEN, until_at=50.0))

        assert rollout.rollout.next_wakeup == 50.0
        rollout.tick(49.0)
        assert rollout.rollout.state is RolloutState.PAUSED
        rollout.tick(50.0)
        assert rollout.rollout.state is RolloutState.RUNNING

    @pytest.mark.parametrize("first_over", ["plan", "all"])
    def test_freeze_of_the_plan_and_of_all_do_not_clear_each_other(self, first_over):
        ends = 20.0 if first_over == "plan" else 40.0
        rollout = hand(schedule=Schedule(freezes=(Freeze(10.0, ends, "feast"),)))
        rollout.tick(10.0)
        rollout.look(frozen=replace(FROZEN, until_at=30.0))
        both = rollout.rollout.ledger.causes["freeze"]

        rollout.tick(min(ends, 30.0))
        still = rollout.rollout.state, rollout.rollout.ledger.causes["freeze"]
        rollout.tick(max(ends, 30.0))

        assert both == "feast; incident (all rollouts, by ann@desk)"
        assert still[0] is RolloutState.PAUSED
        assert still[1] == (FROZEN.text if first_over == "plan" else "feast")
        assert rollout.rollout.state is RolloutState.RUNNING

    def test_ways_back_are_free(self):
        rollout = hand()
        rollout.succeed(A)
        rollout.look(frozen=FROZEN)

        rollout.ask(Ask.ROLLBACK)

        assert rollout.state(A) is DeviceState.ROLLING_BACK

    def test_resume_does_not_break_it(self):
        rollout = hand()
        rollout.look(frozen=FROZEN)

        rollout.ask(Ask.RESUME)

        assert rollout.rollout.state is RolloutState.PAUSED
        assert rollout.wanted().keys() == {A}  # what was in flight

    def test_it_lasts_over_a_restart(self):
        rollout = hand()
        rollout.look(frozen=FROZEN)

        rollout.restart()

        assert rollout.rollout.state is RolloutState.PAUSED


def held(device=A, **values):
    values = {
        "since": 5.0,
        "why": "rolled back",
        "rollout_id": "r-old",
        "everywhere": False,
    } | values
    return {device: Held(device, **values)}


class TestHeldMeanwhile:
    """Pairs that others held after the plan was made: in a queue, or with a saved plan."""

    def test_device_is_left_out_when_its_turn_comes_and_says_why(self):
        rollout = hand(
            waves=[ResolvedWave("all", "rest", (A, B))], around=Surroundings(held=held(A))
        )
        rollout.succeed(B)

        rec = rollout.rollout.ledger.devices[A]
        assert (rec.state, rec.reason) == (DeviceState.SKIPPED, Reason.HELD)
        assert rec.detail == "rolled back in rollout `r-old`"
        assert rec.attempt == 0
        assert rollout.rollout.state is RolloutState.SUCCEEDED_WITH_EXCEPTIONS

    def test_canary_that_is_held_is_no_evidence(self):
        rollout = hand(around=Surroundings(held=held(A)))

        assert rollout.state(A) is DeviceState.SKIPPED
        assert rollout.rollout.state is RolloutState.PAUSED
        assert rollout.rollout.ledger.causes.keys() == {"insufficient_evidence"}
        assert rollout.wanted() == {}

    def test_base_of_a_budget_shrinks_by_it(self):
        wave = ResolvedWave("all", "rest", (A, B, C, D), max_fail_share=Fraction(1, 4))
        rollout = hand(waves=[wave], around=Surroundings(held=held(D)))
        rollout.succeed(A)

        assert (rollout.rollout.ledger.waves[0].base, rollout.rollout.ledger.waves[0].allowed) == (
            3,
            0,
        )

    @pytest.mark.parametrize("slow_start", [True, False])
    def test_nothing_starts_after_a_device_whose_leaving_out_trips_the_budget(self, slow_start):
        """29 % of 4 is one failure; of the 3 that are left it is none."""
        choices = {"max_fail_share": Fraction(29, 100), "max_parallel": 1, "slow_start": slow_start}
        waves = [ResolvedWave("all", "rest", (A, B, C, D), **choices)]
        rollout = hand(waves=waves, around=Surroundings(held=held(C)))
        rollout.succeed(A)

        rollout.report(B, Reason.INSTALL)

        assert rollout.states() == ["succeeded", "failed", "skipped", "pending"]
        assert rollout.rollout.state is RolloutState.HALTED
        assert rollout.wanted() == {}

    def test_device_that_was_let_go_before_its_turn_takes_part(self):
        rollout = hand(around=Surroundings(held=held(B)))
        rollout.look()
        rollout.succeed(A)

        assert rollout.wanted().keys() == {B, C}

    def test_device_in_flight_finishes_its_way(self):
        rollout = hand()
        rollout.look(held=held(A, everywhere=True))
        rollout.succeed(A)

        assert rollout.state(A) is DeviceState.SUCCEEDED
        assert rollout.wanted().keys() == {B, C}

    def test_retry_needs_it_let_go_first(self):
        rollout = hand(
            waves=[ResolvedWave("all", "rest", (A, B))], around=Surroundings(held=held(A))
        )
        rollout.ask(Ask.RETRY, devices=(A,))
        early = rollout.lines("operator")[-1].data["done"], rollout.state(A)
        rollout.look()
        rollout.ask(Ask.RETRY, devices=(A,))

        assert early == (False, DeviceState.SKIPPED)
        assert rollout.wanted().keys() == {A, B}

    def test_what_is_held_is_not_told_as_a_failure(self):
        rollout = hand(
            waves=[ResolvedWave("all", "rest", (A, B))], around=Surroundings(held=held(A))
        )

        assert rollout.rollout.ledger.waves[0].counted == 0
        assert rollout.rollout.state is RolloutState.RUNNING


def runs(**releases):
    return {"base": {device: releases[name] for name, device in NAMES.items() if name in releases}}


NAMES = {"a": A, "b": B, "c": C, "d": D}
SITES = {A: "x", B: "x", C: "y", D: None}


class TestRequires:
    @pytest.mark.parametrize(
        ("per", "release", "known", "waiting"),
        [
            ("device", ">=7.3", {}, "abcd"),
            ("device", ">=7.3", {"a": "7.3", "b": "7.2"}, "bcd"),
            ("device", ">=7.3", {"a": "7.10", "b": "7.3-rc1", "c": "8", "d": "7.3"}, "b"),
            ("device", "", {"a": "1", "b": "0"}, "cd"),
            ("device", ">=7, <8", {"a": "7", "b": "8", "c": "7.9", "d": "6.9"}, "bd"),
            ("site", ">=7", {"a": "7", "b": "7"}, "cd"),
            ("site", ">=7", {"a": "7", "c": "7"}, "adb"),
            ("site", ">=7", {"a": "7", "b": "7", "c": "7", "d": "7"}, ""),
            ("site", ">=7", {"d": "7"}, "abc"),
            ("all", ">=7", {"a": "7", "b": "7", "c": "7"}, "abcd"),
            ("all", ">=7", {"a": "7", "b": "7", "c": "7", "d": "7"}, ""),
        ],
    )
    def test_who_waits(self, per, release, known, waiting):
        plan = make_plan([ResolvedWave("all", "rest", (A, B, C, D))])
        devices = {
            device: PlannedDevice(Address("h"), {} if site is None else {"site": site})
            for device, site in SITES.items()
        }
        needs = Requirement("base", release, RequirePer(per))
        plan = replace(plan, devices=devices, requires=(needs,))

        found = unmet(plan, runs(**known))

        assert set(found) == {NAMES[name] for name in waiting}

    NEEDS = (Requirement("base", ">=7"),)

    def test_unmet_for_all_it_stays_scheduled_and_says_for_what(self):
        rollout = hand(requires=self.NEEDS)

        story = tell(rollout.rollout)
        assert (story.state, story.waits_for) == (RolloutState.SCHEDULED, ("requires",))
        assert story.held_up == ("plan `base` >=7 on the device (3 devices lack it)",)
        assert rollout.rollout.exit_code is ExitCode.WAITING

    def test_those_that_meet_it_go_and_the_others_follow(self):
        rollout = hand(requires=self.NEEDS, waves=[ResolvedWave("all", "rest", (A, B, C))])

        rollout.look(running=runs(b="7"))
        first = rollout.wanted().keys()
        rollout.succeed(B)
        rests = rollout.rollout.is_resting, rollout.rollout.exit_code, tell(rollout.rollout)
        rollout.look(running=runs(a="7", b="7", c="7.1"))

        assert first == {B}
        assert rests[:2] == (True, ExitCode.WAITING)
        assert rests[2].waits_for == ("requires",)
        assert rollout.wanted().keys() == {A, C}

    def test_it_ends_when_the_last_one_met_it(self):
        rollout = hand(requires=self.NEEDS, waves=[ResolvedWave("all", "rest", (A, B))])
        rollout.look(running=runs(a="7"))
        rollout.succeed(A)

        rollout.look(running=runs(a="7", b="7"))
        rollout.succeed(B)

        assert rollout.rollout.state is RolloutState.SUCCEEDED
        assert tell(rollout.rollout).held_up == ()

    def test_device_that_was_taken_back_since_waits_again(self):
        rollout = hand(requires=self.NEEDS)
        rollout.look(running=runs(a="7", b="7"))
        rollout.look(running=runs(a="7"))
        rollout.succeed(A)

        assert rollout.rollout.ledger.current == 1
        assert rollout.wanted() == {}

    def test_why_of_a_device_names_what_it_waits_for(self):
        rollout = hand(requires=self.NEEDS, waves=[ResolvedWave("all", "rest", (A, B))])
        rollout.look(running=runs(a="7"))

        (wait,) = why(rollout.rollout, B, now=0.0, running=runs(a="7")).waits

        assert (wait.what, wait.detail) == (
            "requires",
            "plan `base` >=7 on the device (1 device lacks it)",
        )


def test_why_of_a_device_names_the_rollout_that_goes_first():
    rollout = hand(around=busy(OTHER))

    waits = why(rollout.rollout, A, now=0.0).waits

    assert [wait.what for wait in waits] == ["start", "rollout"]
