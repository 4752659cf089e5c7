from fractions import Fraction

from orchestrator.device.reason import Reason
from orchestrator.errors import ExitCode
from orchestrator.plan.resolved import Gate, Probe, ProbeKind, ResolvedWave, Skipped, Stage
from orchestrator.rollout.around import Neighbour, Surroundings
from orchestrator.rollout.events import Ask
from orchestrator.rollout.states import DeviceState, Halt, RolloutState
from orchestrator.rollout.story import TakenBack, tell, tell_waves
from orchestrator.testing.hand import Hand
from orchestrator.testing.plans import device_ids, make_plan

A, B, C = device_ids(3)
CHECK = Gate(
    "service", Stage.DEVICE, Probe(ProbeKind.CHECK, check="s"), success_when="result.exit == 0"
)


def hand(around=None, **choices):
    waves = [ResolvedWave("canary", "1", (A,), soak_s=10.0), ResolvedWave("rest", "rest", (B, C))]
    return Hand(make_plan(waves, gates=(CHECK,), **choices), around=around)


def test_story_of_a_halted_canary():
    rollout = hand()
    rollout.fail(A)

    story = tell(rollout.rollout)

    assert story.state is RolloutState.HALTED
    assert story.wave == "canary"
    assert [(stop.cause, stop.detail) for stop in story.stops] == [
        (Halt.BUDGET, "1 failure, 0 allowed")
    ]
    [trouble] = story.troubles
    assert (trouble.state, trouble.reason, trouble.devices) == (
        DeviceState.ROLLED_BACK,
        Reason.CHECK,
        (A,),
    )
    assert trouble.detail == "gate `service` failed"
    assert (story.untouched, story.on_new, story.exit_code) == (2, 0, ExitCode.ROLLED_BACK)
    assert story.waits_for == ("operator",)
    assert "rollout resume r-hand --accept-failures" in story.next_commands


def test_what_it_waited_for_is_no_longer_said_when_it_is_over():
    other = Neighbour("r-other", "other", 500, begun=True, driven=False, shared=1, device=A)
    rollout = hand(around=Surroundings(busy=(other,)))
    before = tell(rollout.rollout)

    rollout.ask(Ask.ABORT)

    story = tell(rollout.rollout)
    assert (before.begun, bool(before.held_up)) == (False, True)
    assert (story.state, story.begun, story.held_up) == (RolloutState.ABORTED, False, ())


def test_rollback_that_a_person_asked_for_is_told_with_its_scope():
    by_wave, by_device, by_plan = hand(), hand(), hand()
    for rollout in (by_wave, by_device):
        rollout.succeed(A)
        rollout.ask(Ask.PAUSE)
    by_wave.ask(Ask.ROLLBACK, wave="canary")
    by_device.ask(Ask.ROLLBACK, devices=(A,))
    by_plan.fail(A)

    stories = [tell(rollout.rollout) for rollout in (by_wave, by_device, by_plan)]

    assert [story.state for story in stories[:2]] == [RolloutState.ROLLING_BACK] * 2
    assert [one.taken_back for one in stories] == [TakenBack("canary"), TakenBack("", 1), None]


def test_what_a_part_of_a_rollback_left_can_still_be_taken_back():
    rollout = hand()
    rollout.succeed(A)
    rollout.tick(10.0)
    rollout.prove(A)
    rollout.succeed(B, C)
    rollout.ask(Ask.ROLLBACK, devices=(B,))
    rollout.go_back(B)

    story = tell(rollout.rollout)

    assert (story.state, story.on_new) == (RolloutState.ROLLED_BACK, 2)
    assert story.next_commands[0] == "rollout rollback r-hand --all"


def test_story_of_a_soak():
    rollout = hand()
    rollout.succeed(A)

    story = tell(rollout.rollout)

    assert story.waits_for == ("soak",)
    assert story.waves[0].soak_until == 10.0
    assert (story.succeeded, story.on_new, story.untouched) == (1, 1, 2)


def test_soak_takes_longer_by_the_stretch_that_nobody_saw():
    watched = Gate(
        "site", Stage.BACKGROUND, Probe(ProbeKind.HTTP, url="http://h/"), interval_s=10.0,
        success_when="value > 0",
    )  # fmt: skip
    rollout = Hand(make_plan([ResolvedWave("all", "all", (A,), soak_s=60.0)], gates=(watched,)))
    rollout.tick(0.0)
    rollout.sample(1)
    rollout.succeed(A)
    rollout.tick(50.0)
    rollout.sample(1)

    assert tell(rollout.rollout).waves[0].soak_until == 110.0


def test_story_of_the_end_counts_what_was_left_out():
    rollout = hand(skipped=(Skipped("dev-9", Reason.INCOMPATIBLE),))
    rollout.succeed(A)
    rollout.tick(10.0)
    rollout.prove(A)
    rollout.succeed(B, C)

    story = tell(rollout.rollout)

    assert story.state is RolloutState.SUCCEEDED_WITH_EXCEPTIONS
    assert (story.excluded, story.exit_code, story.waits_for) == (1, ExitCode.PARTIAL, ())


def test_waves_tell_counts_by_state():
    rollout = hand()

    [canary, rest] = tell_waves(rollout.rollout)

    assert canary.counts == {DeviceState.TRANSFERRING: 1}
    assert rest.counts == {DeviceState.PENDING: 2}
    assert (canary.allowed, canary.required, canary.bound) == (0, 1, 1)


def test_device_that_was_tried_is_not_untouched_after_a_retry():
    rollout = hand()
    rollout.fail(A)

    rollout.ask(Ask.RETRY)

    story = tell(rollout.rollout)
    assert rollout.state(A) is DeviceState.QUEUED
    assert (story.untouched, story.on_new) == (2, 0)


def test_device_that_was_tried_is_not_untouched_after_a_restart():
    rollout = hand()
    rollout.fail(A)
    rollout.ask(Ask.RETRY)

    rollout.restart()

    assert tell(rollout.rollout).untouched == 2


def test_device_that_never_got_beyond_its_delivery_is_untouched_after_a_retry():
    rollout = hand()
    rollout.report(A, Reason.INSTALL)

    rollout.ask(Ask.RETRY)

    assert tell(rollout.rollout).untouched == 3


def test_pause_for_want_of_evidence_names_the_command_that_goes_on():
    rollout = hand()
    rollout.report(A, Reason.INCOMPATIBLE)

    commands = tell(rollout.rollout).next_commands

    assert commands == (
        "rollout status r-hand",
        "rollout promote r-hand --reason TEXT",
        "rollout abort r-hand",
    )


def test_trouble_is_grouped_by_its_words_and_knows_when_it_began():
    waves = [ResolvedWave("all", "rest", (A, B, C), backfill_limit=3, max_fail_share=Fraction(1))]
    rollout = Hand(make_plan(waves))
    rollout.tick(5.0)
    rollout.report(A, Reason.INSTALL, detail="no space")
    rollout.tick(7.0)
    rollout.report(B, Reason.INSTALL, detail="no space")
    rollout.report(C, Reason.INSTALL, detail="bad magic")

    told = [(t.detail, t.devices, t.first_at) for t in tell(rollout.rollout).troubles]

    assert told == [("no space", (A, B), 5.0), ("bad magic", (C,), 7.0)]


def test_trouble_began_when_its_reason_came_up_and_not_when_the_device_was_back():
    rollout = hand()
    rollout.tick(3.0)
    rollout.activate(A)
    rollout.prove(A, 1)
    rollout.tick(9.0)
    rollout.go_back(A)
    rollout.restart()

    [trouble] = tell(rollout.rollout).troubles

    assert (trouble.state, trouble.first_at) == (DeviceState.ROLLED_BACK, 3.0)
