"""All that the journal has of one device."""

import json
from pathlib import Path

import jsonschema

from orchestrator.render.logs import document, text
from orchestrator.render.text import Look
from orchestrator.render.why import LINES_MAX, WhyFacts
from orchestrator.rollout.events import JournalEntry
from tests.unit.render.test_why import ENGINE, GO_ON, STORY, entries

SCHEMA = json.loads((Path(__file__).parents[3] / "schemas/logs.v1.json").read_text())


def told(journal) -> WhyFacts:
    return WhyFacts("r-1", STORY, journal, 100.0, ENGINE, GO_ON)


def test_every_entry_is_there_however_many():
    shown = text(told(entries(LINES_MAX + 30)), Look(width=100))

    assert shown.count("transferring -> retry wait") == LINES_MAX + 30
    assert shown.startswith("lab-03: will retry (not reachable: no \\x1b[31mroute) since ")
    assert "older lines" not in shown


def test_device_that_waits_still_says_so():
    assert "nothing was done with it yet" in text(told(()), Look(width=100))


def test_what_a_device_said_reaches_no_terminal_as_it_is():
    sample = JournalEntry(1, 60.0, "gate_sample", device="lab-03", data={"value": "\x1b[2J\n7"})

    shown = text(told((sample,)), Look(width=100))

    assert r"gate sample value=\x1b[2J\x0a7" in shown
    assert "\x1b" not in shown


def test_document_fits_its_schema():
    found = document(told(entries(2)))

    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    jsonschema.validate(found, SCHEMA)
    assert [entry["seq"] for entry in found["history"]] == [1, 2]
