import json
from dataclasses import replace
from pathlib import Path

import jsonschema

from orchestrator.device.reason import Reason
from orchestrator.render.text import Look
from orchestrator.render.why import _WAITS, LINES_MAX, WhyFacts, document, text
from orchestrator.rollout.events import JournalEntry
from orchestrator.rollout.states import DeviceState, RolloutState
from orchestrator.rollout.why import DeviceStory, Missed, Wait

SCHEMA = json.loads((Path(__file__).parents[3] / "schemas/why.v1.json").read_text())
ENGINE, GO_ON = "ann@ops:812", "rollout resume r-1"
STORY = DeviceStory(
    "lab-03", "canary", DeviceState.RETRY_WAIT, Reason.UNREACHABLE, "no \x1b[31mroute", 100.0, 2,
    False, (Wait("retry", "unreachable", 160.0), Wait("hours", "Europe/Berlin", None)),
)  # fmt: skip


def entries(count):
    return [
        JournalEntry(
            number, 60.0, "device_state", "canary", "lab-03",
            {"from": "transferring", "to": "retry_wait", "reason": "unreachable"},
        )
        for number in range(1, count + 1)
    ]  # fmt: skip


def test_the_story_says_state_reason_waits_and_history():
    shown = text(WhyFacts("r-1", STORY, entries(1), 100.0, ENGINE, GO_ON), Look(width=100))

    assert shown.splitlines() == [
        "lab-03: will retry (not reachable: no \\x1b[31mroute) since 1970-01-01 00:01:40Z, in wave canary of",
        "  rollout r-1, attempt 2",
        "  waits: it is tried again after unreachable, until 1970-01-01 00:02:40Z (in 1m)",
        "  waits: it may not be changed at this hour Europe/Berlin",
        "",
        "history:",
        "  1970-01-01 00:01:00Z transferring -> retry wait: not reachable",
    ]


def test_a_device_whose_turn_never_came_says_how_the_rollout_ended():
    never = DeviceStory(
        "lab-03", "rest", DeviceState.CANCELLED, Reason.CANCELLED, "", 100.0, 0, False, (),
        Missed(RolloutState.ROLLED_BACK, ("budget: 1 failure, 0 allowed",)),
    )  # fmt: skip
    facts = WhyFacts("r-1", never, [], 100.0, "", "")

    assert text(facts, Look(width=120)).splitlines() == [
        "lab-03: cancelled since 1970-01-01 00:01:40Z, in wave rest of rollout r-1",
        "  never begun: the rollout was over before its turn: rolled back; budget: 1 failure, 0 allowed",
    ]
    jsonschema.validate(document(facts), SCHEMA)


def test_history_says_who_signed_what_the_device_was_committed_by():
    to = {"from": "verifying", "to": "committing"}
    signed = JournalEntry(1, 60.0, "device_state", data=to | {"signed": True, "key": "SHA256:ab"})
    unsigned = JournalEntry(2, 60.0, "device_state", data=to | {"signed": False})
    read = JournalEntry(3, 60.0, "device_read_back", data={"signed": True, "key": "SHA256:ab"})
    told = (signed, unsigned, read)

    shown = text(WhyFacts("r-1", STORY, told, 0.0, ENGINE, GO_ON), Look(width=100))

    assert [line.partition("Z ")[2] for line in shown.splitlines()[-3:]] == [
        "verifying -> committing; report signed by SHA256:ab",
        "verifying -> committing; report unsigned",
        "read back at the end of the soak; report signed by SHA256:ab",
    ]


def test_a_long_history_is_cut_with_the_command_that_shows_all():
    shown = text(
        WhyFacts("r-1", STORY, entries(LINES_MAX + 3), 100.0, ENGINE, GO_ON), Look(width=100)
    )

    assert shown.count("->") == LINES_MAX
    assert "3 older lines: rollout logs r-1 lab-03" in shown


def test_a_narrow_terminal_is_kept():
    shown = text(WhyFacts("r-1", STORY, entries(2), 100.0, ENGINE, GO_ON), Look(width=60))

    assert max(len(line) for line in shown.splitlines()) <= 60


def test_the_document_fits_its_schema():
    found = document(WhyFacts("r-1", STORY, entries(2), 100.0, ENGINE, GO_ON))

    jsonschema.validate(found, SCHEMA)
    assert found["waits"][0] == {"what": "retry", "detail": "unreachable", "until": 160.0}


def test_waits_that_nobody_makes_are_said_to_be_so():
    shown = text(WhyFacts("r-1", STORY, (), 100.0, "", GO_ON), Look(width=120))

    assert (
        "\n  no engine drives the rollout: none of this goes on before `rollout resume r-1`\n"
        in shown
    )


def test_a_device_at_work_that_nobody_drives_does_not_wait_for_nothing():
    story = replace(STORY, state=DeviceState.ACTIVATING, waits=())

    shown = text(WhyFacts("r-1", story, (), 100.0, "", GO_ON), Look(width=120))

    assert "waits for nothing" not in shown
    assert "no engine drives the rollout" in shown


def test_a_rollout_that_is_over_wants_no_engine():
    story = replace(STORY, state=DeviceState.CANCELLED, waits=())

    shown = text(WhyFacts("r-1", story, (), 100.0, "", ""), Look(width=120))

    assert "no engine" not in shown
    assert "waits for nothing" in shown


def test_reasons_and_waits_in_the_schema_are_those_that_there_are():
    properties = SCHEMA["properties"]

    assert properties["reason"]["enum"] == [reason.value for reason in Reason]
    assert properties["waits"]["items"]["properties"]["what"]["enum"] == list(_WAITS)
