import json
from pathlib import Path

import jsonschema

from orchestrator.device.reason import Reason
from orchestrator.render.text import Look
from orchestrator.render.why import LINES_MAX, WhyFacts, document, text
from orchestrator.rollout.events import JournalEntry
from orchestrator.rollout.states import DeviceState
from orchestrator.rollout.why import DeviceStory, Wait

SCHEMA = json.loads((Path(__file__).parents[3] / "schemas/why.v1.json").read_text())
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
    shown = text(WhyFacts("r-1", STORY, entries(1), 100.0), Look(width=100))

    assert shown.splitlines() == [
        "lab-03: will retry (not reachable: no \\x1b[31mroute) since 1970-01-01 00:01:40Z, in wave canary of",
        "  rollout r-1, attempt 2",
        "  waits: it is tried again after unreachable, until 1970-01-01 00:02:40Z (in 1m)",
        "  waits: it may not be changed at this hour Europe/Berlin",
        "",
        "history:",
        "  1970-01-01 00:01:00Z transferring -> retry wait: not reachable",
    ]


def test_a_long_history_is_cut_with_the_command_that_shows_all():
    shown = text(WhyFacts("r-1", STORY, entries(LINES_MAX + 3), 100.0), Look(width=100))

    assert shown.count("->") == LINES_MAX
    assert "3 older lines: rollout events r-1" in shown


def test_a_narrow_terminal_is_kept():
    shown = text(WhyFacts("r-1", STORY, entries(2), 100.0), Look(width=60))

    assert max(len(line) for line in shown.splitlines()) <= 60


def test_the_document_fits_its_schema():
    found = document(WhyFacts("r-1", STORY, entries(2), 100.0))

    jsonschema.validate(found, SCHEMA)
    assert found["waits"][0] == {"what": "retry", "detail": "unreachable", "until": 160.0}
