"""All that the journal has of one device."""

import json
from pathlib import Path

import jsonschema
import pytest

from orchestrator.device.reason import Reason
from orchestrator.render.logs import LogFacts, document, text
from orchestrator.render.text import Look
from orchestrator.render.why import LINES_MAX, WhyFacts
from orchestrator.rollout.events import JournalEntry
from tests.unit.render.test_why import ENGINE, GO_ON, STORY, entries

SCHEMA = json.loads((Path(__file__).parents[3] / "schemas/logs.v1.json").read_text())


def told(journal) -> WhyFacts:
    return WhyFacts("r-1", STORY, journal, 100.0, ENGINE, GO_ON)


def test_every_entry_is_there_however_many():
    shown = text(told(entries(LINES_MAX + 30)), None, Look(width=100))

    assert shown.count("transferring -> retry wait") == LINES_MAX + 30
    assert shown.startswith("lab-03: will retry (not reachable: no \\x1b[31mroute) since ")
    assert "older lines" not in shown


def test_device_that_waits_still_says_so():
    assert "nothing was done with it yet" in text(told(()), None, Look(width=100))


def test_what_a_device_said_reaches_no_terminal_as_it_is():
    sample = JournalEntry(1, 60.0, "gate_sample", device="lab-03", data={"value": "\x1b[2J\n7"})

    shown = text(told((sample,)), None, Look(width=100))

    assert r"gate sample value=\x1b[2J\x0a7" in shown
    assert "\x1b" not in shown


def test_document_fits_its_schema():
    found = document(told(entries(2)), None)

    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    jsonschema.validate(found, SCHEMA)
    assert [entry["seq"] for entry in found["history"]] == [1, 2]


def test_log_of_the_device_comes_last_line_by_line_and_escaped():
    log = LogFacts("-- activate\ncopying\n\x1b[31mno space\n", Reason.OK, "")

    lines = text(told(entries(1)), log, Look(width=100)).splitlines()

    assert lines[-4:] == [
        "what its update module said last", "  -- activate", "  copying", r"  \x1b[31mno space",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("log", "words"),
    [
        (LogFacts("", Reason.OK, ""), "its update module said nothing"),
        (
            LogFacts("", Reason.UNREACHABLE, "no route"),
            "no log of its update module: not reachable: no route",
        ),
    ],
)
def test_that_there_is_no_log_is_said(log, words):
    assert text(told(entries(1)), log, Look(width=100)).splitlines()[-1] == words
    found = document(told(()), log)
    jsonschema.validate(found, SCHEMA)
    assert found["module_log"]["text"] == ("" if log.reason is Reason.OK else None)
