from dataclasses import replace

import pytest

from orchestrator.device.model import DeviceId
from orchestrator.device.reason import Reason
from orchestrator.plan.resolved import Skipped
from orchestrator.render.causes import grouped_causes
from orchestrator.render.summary import summary
from orchestrator.render.text import Look, cells
from orchestrator.rollout.runs import Runs
from orchestrator.rollout.states import Halt, RolloutState
from orchestrator.rollout.story import Stop, TakenBack
from tests.unit.render.told import facts_of


def lines_of(plan, book, code: int, look: Look, **told: object) -> list[str]:
    return summary(facts_of(plan, book.entries, **told), look, exit_code=code)


@pytest.mark.parametrize("width", [60, 80, 120])
def test_halted_and_rolled_back(plan, bad_release, width, golden) -> None:
    lines = lines_of(plan, bad_release, 5, Look(width))

    golden(f"summary-bad-{width}.txt", "\n".join(lines) + "\n")


def test_succeeded(plan, good_release, golden) -> None:
    lines = lines_of(plan, good_release, 0, Look(80))

    golden("summary-good-80.txt", "\n".join(lines) + "\n")


def test_in_colour(plan, bad_release, golden) -> None:
    lines = lines_of(plan, bad_release, 5, Look(80, colour=True))

    golden("summary-bad-colour.txt", "\n".join(lines) + "\n")


def test_halted_groups_equal_causes_and_says_what_was_not_touched(plan, journal, golden) -> None:
    journal.add("rollout_started")
    journal.add("wave_started", wave="canary")
    journal.device("gw-001", "canary", "transferring", "confirmed", "succeeded")
    journal.add("wave_done", wave="canary", state="passed")
    journal.add("wave_started", wave="early")
    for name in ("gw-002", "gw-005"):
        journal.device(
            name, "early", "transferring", "failed", reason="low_space", detail="need 61 MiB"
        )
    journal.device("gw-003", "early", "activating", "uncertain", "lost", reason="lost")
    journal.device("gw-004", "early", "deferred", reason="unreachable")
    journal.device("gw-006", "early", "transferring", "cancelled")
    journal.add("budget", wave="early", counted=3, allowed=1)
    journal.add("halted", wave="early", cause="budget", detail="3 failures, 1 allowed")

    commands = ("rollout resume r-7f3a --accept-failures", "rollout rollback r-7f3a")
    facts = facts_of(plan, journal.entries, next_commands=commands, waits_for=("operator",))

    assert [(cause.reason, cause.devices) for cause in grouped_causes(facts.story)] == [
        ("low_space", ("gw-002", "gw-005")),
        ("lost", ("gw-003",)),
        ("unreachable", ("gw-004",)),
    ]
    golden("summary-halted-80.txt", "\n".join(summary(facts, Look(80), exit_code=4)) + "\n")


def test_a_way_back_that_is_not_proven_is_told_apart_from_an_unknown_state(plan, journal) -> None:
    detail = "gate `service healthy` failed on what ran before"
    journal.device("gw-001", "canary", "activating", "rolling_back", reason="check_failed")
    journal.device("gw-001", "canary", "rollback_failed", reason="unproven_return", detail=detail)

    text = "\n".join(lines_of(plan, journal, 6, Look(width=200)))

    assert "1 device is back, but not proven well there" in text
    assert "unknown state." not in text
    assert "went back, but is not proven well there: gate `service healthy` failed" in text


def test_an_interrupted_rollout_says_how_to_go_on(plan, journal) -> None:
    journal.add("wave_started", wave="canary")

    lines = lines_of(plan, journal, 130, Look(80))

    assert "  exit code 130: interrupted; the rollout is saved" in lines
    assert any("rollout resume r-7f3a" in line for line in lines)


@pytest.mark.parametrize(
    ("state", "words"),
    [(RolloutState.PAUSED, "after 10:00 "), (RolloutState.SUCCEEDED, "after 0.0 s ")],
)
def test_time_runs_on_until_a_rollout_is_over(plan, journal, state, words) -> None:
    journal.add("wave_started", wave="canary")
    facts = facts_of(plan, journal.entries, state=state)
    later = replace(facts, now=facts.story.started_at + 600.0)

    assert words in " ".join(summary(later, Look(80)))


def test_many_causes_are_counted_not_listed(plan, journal) -> None:
    for i in range(1, 8):
        journal.device(f"gw-{i:03}", "early", "failed", reason="io", detail=f"disk {'abcdefg'[-i]}")

    lines = lines_of(plan, journal, 4, Look(80))

    assert "Why (7 causes)" in lines
    assert "  … 2 more" in lines


def test_words_that_differ_in_numbers_only_are_told_once(plan, journal) -> None:
    for i in range(1, 8):
        journal.device(f"gw-{i:03}", "early", "failed", reason="io", detail=f"disk {i}")

    lines = lines_of(plan, journal, 4, Look(width=120))

    assert "Why (1 cause)" in lines
    [told] = [line for line in lines if "gw-00{1..7}" in line]
    assert "disk 1 (6 more wordings with other numbers or names; first after 0.0 s)" in told


def test_hostile_words_stay_words(plan, journal) -> None:
    journal.device(
        "gw-001", "canary", "failed", reason="io", detail="\x1b[2J\nSUCCEEDED " + "x" * 999
    )

    lines = lines_of(plan, journal, 4, Look(80))

    assert "\x1b" not in "".join(lines)
    assert all(cells(line) <= 80 for line in lines)
    assert not any(line.startswith("SUCCEEDED") for line in lines)


def test_a_command_to_copy_quotes_unusual_names(plan_of, journal) -> None:
    plan = plan_of(["a b;c"], (1,))
    journal.device("a b;c", "canary", "failed", reason="io")

    lines = lines_of(plan, journal, 4, Look(80))

    assert any("--why 'a b;c'" in line for line in lines)


def test_devices_that_ran_it_already_are_not_said_to_run_something_else(plan, journal) -> None:
    journal.add("wave_started", wave="canary")
    journal.device("gw-001", "canary", "transferring", "unchanged")
    journal.add("paused", wave="canary", cause="insufficient_evidence", detail="0 succeeded")

    lines = " ".join(lines_of(plan, journal, 7, Look(120)))

    assert "1 device ran the new version already; no other device runs it." in lines


def test_a_device_in_an_unknown_state_is_not_said_to_run_the_new_version_as_well(
    plan, journal
) -> None:
    journal.device("gw-001", "canary", "activating", "rolling_back", reason="activate_failed")
    journal.device("gw-001", "canary", "rollback_failed", reason="rollback_failed")

    lines = " ".join(lines_of(plan, journal, 6, Look(120)))

    assert "1 device is in an unknown state; no other device runs the new version." in lines


def test_a_wave_that_was_aborted_at_work_was_started_and_later_ones_were_not(plan, journal) -> None:
    journal.add("wave_started", wave="canary")
    journal.device("gw-001", "canary", "transferring", "unchanged")
    for wave in plan.waves[1:]:
        for name in wave.devices:
            journal.device(name, wave.name, "cancelled")
    for wave in plan.waves:
        journal.add("wave_done", wave=wave.name, state="cancelled")
    journal.add("rollout_done", state="aborted")

    lines = lines_of(plan, journal, 4, Look(80))

    assert "  · canary  0/1 updated, 1 unchanged" in lines
    assert "  · early, rest: never started (23 devices)" in lines


def test_devices_left_out_of_the_plan_are_named_in_the_last_words(plan, journal) -> None:
    lines = lines_of(plan, journal, 3, Look(80))

    assert "2 devices were left out of the plan (not enrolled): gw-10{1,2}" in lines
    assert "1 device was left out of the plan (not compatible): old-1" in lines


def test_who_is_held_back_may_be_let_go_and_the_last_words_say_how(plan, journal) -> None:
    held = replace(plan, skipped=(Skipped(DeviceId("gw-7"), Reason.HELD),))

    said = " ".join(" ".join(lines_of(held, journal, 3, Look(80))).split())

    assert "left out of the plan (held): gw-7; `rollout device unhold DEVICE` lets" in said


def test_a_success_counts_the_devices_that_ran_it_already(plan_of, journal) -> None:
    journal.device("a", "canary", "transferring", "confirmed", "succeeded")
    journal.device("b", "early", "transferring", "unchanged")
    journal.add("rollout_done", state="succeeded")

    lines = lines_of(plan_of(["a", "b"], (1, 1)), journal, 0, Look(80))

    assert "2 of 2 devices run the new version." in lines


@pytest.mark.parametrize(
    ("state", "code", "words"),
    [
        ("halted", 4, "halted"),
        ("aborted", 4, "aborted"),
        ("halted", 5, "halted: no device of the rollout runs the new version"),
        ("expired", 1, "refused: nothing was changed on any device"),
    ],
)
def test_the_exit_code_is_told_in_words_of_what_became_of_it(
    plan, journal, state, code, words
) -> None:
    lines = lines_of(plan, journal, code, Look(100), state=RolloutState(state))

    assert f"  exit code {code}: {words}" in lines


def test_exit_code_5_claims_no_more_than_is_known(plan, journal) -> None:
    runs = {Runs.UNSEEN: 2}

    lines = lines_of(plan, journal, 5, Look(100), state=RolloutState.HALTED, runs=runs)

    assert (
        "  exit code 5: halted: no device of the rollout is known to run the new version" in lines
    )
    assert "2 devices were never touched; no device is known to run the new version." in lines


def test_a_rollout_that_never_began_stood_in_no_wave(plan, journal) -> None:
    for wave in plan.waves:
        for name in wave.devices:
            journal.device(name, wave.name, "cancelled")
        journal.add("wave_done", wave=wave.name, state="cancelled")
    journal.add("rollout_done", state="aborted")

    lines = lines_of(plan, journal, 4, Look(80), begun=False)

    assert "ABORTED gateway-1.4.2 (r-7f3a) after " in lines[0]
    assert "  · canary, early, rest: never started (24 devices)" in lines


@pytest.mark.parametrize(
    ("back_on", "on_new", "word", "still"),
    [
        ({}, 1, "HALTED AND NOTHING ROLLED BACK", "1 device"),
        ({"app-1": 2}, 3, "HALTED AND ROLLED BACK IN PART", "3 devices"),
    ],
)
def test_a_halt_that_left_the_new_version_running_says_so(
    plan, good_release, back_on, on_new, word, still
) -> None:
    stops = (Stop(Halt.GATE, "gate `alerts` failed"),)
    told = {"state": RolloutState.ROLLED_BACK, "stops": stops}

    lines = lines_of(plan, good_release, 4, Look(120), back_on=back_on, on_new=on_new, **told)

    assert lines[0].startswith(f"✗ {word} gateway-1.4.2")
    assert f"  exit code 4: the new version still runs on {still}" in lines


@pytest.mark.parametrize(
    ("code", "words"),
    [
        (5, "halted: no device of the rollout runs the new version"),
        (4, "halted, and nothing was to be rolled back"),  # one ran it before
    ],
)
def test_a_halt_before_any_device_was_changed_rolled_nothing_back(
    plan, journal, code, words
) -> None:
    journal.device("gw-001", "canary", "transferring", "failed", reason="low_space")
    stops = (Stop(Halt.BUDGET, "1 failed, 0 allowed"),)

    lines = lines_of(plan, journal, code, Look(120), state=RolloutState.ROLLED_BACK, stops=stops)

    assert lines[0].startswith("✗ HALTED, NOTHING TO ROLL BACK gateway-1.4.2")
    assert f"  exit code {code}: {words}" in lines
    assert any("1 device failed before anything was changed there" in line for line in lines)


@pytest.mark.parametrize("with_others", ["rollout_halted", "taken_back"])
def test_the_device_to_look_at_is_one_that_failed_itself(plan, journal, with_others) -> None:
    for name in ("gw-002", "gw-003"):
        journal.device(
            name, "early", "succeeded", "rolling_back", "rolled_back", reason=with_others
        )
    taken_back = lines_of(plan, journal, 5, Look(80))
    journal.device("gw-005", "early", "activating", "rolled_back", reason="check_failed")

    lines = lines_of(plan, journal, 5, Look(80))

    assert not any("--why" in line for line in taken_back)
    assert " gw-005: " in lines[lines.index("Why (2 causes)") + 1]
    assert any("--why gw-005" in line for line in lines)


@pytest.mark.parametrize(
    ("asked", "on_new", "head"),
    [
        (TakenBack("canary"), 3, "ROLLED BACK IN PART gateway-1.4.2 (r-7f3a): wave canary after"),
        (TakenBack("canary", 2), 3, "ROLLED BACK IN PART gateway-1.4.2 (r-7f3a): 2 devices after"),
        (TakenBack("canary"), 0, "ROLLED BACK gateway-1.4.2 (r-7f3a): wave canary after"),
        (TakenBack(), 0, "ROLLED BACK gateway-1.4.2 (r-7f3a) after"),
    ],
)
def test_head_names_what_a_person_took_back(plan, good_release, asked, on_new, head) -> None:
    told = {"state": RolloutState.ROLLED_BACK, "taken_back": asked, "on_new": on_new}

    first = lines_of(plan, good_release, 0, Look(120), **told)[0]

    assert first.startswith(f"! {head}")
