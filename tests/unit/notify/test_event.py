"""CloudEvents against the rules of their specification, which are written out here."""

import json
import re
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import jsonschema
import pytest

from orchestrator.notify.event import CONTENT_TYPE, cloud_event, source_of
from orchestrator.plan.resolved import HookEvent
from orchestrator.testing.notifier_contract import NOTICE

SCHEMA = json.loads((Path(__file__).parents[3] / "schemas/hook.v1.json").read_text())
SOURCE = source_of("0123abcd")


def made(notice=NOTICE):
    return json.loads(cloud_event(notice, SOURCE))


@pytest.mark.parametrize("event", HookEvent)
def test_event_keeps_the_rules_of_cloudevents(event):
    """Required attributes, names, types, times and JSON data of the specification, 1.0."""
    found = made(replace(NOTICE, event=event))

    for name in ("id", "source", "specversion", "type"):
        assert isinstance(found[name], str), name
        assert found[name], name
    assert found["specversion"] == "1.0"
    for name, value in found.items():
        assert re.fullmatch(r"[a-z0-9]{1,20}", name), "names are lower-case letters and digits"
        assert name == "data" or isinstance(value, str)
    assert re.fullmatch(r"[A-Za-z][A-Za-z0-9+.-]*:[^\s]+", found["source"]), "a URI reference"
    assert re.fullmatch(r"[A-Za-z][A-Za-z0-9+.-]*:[^\s]+", found["dataschema"]), "an absolute URI"
    assert datetime.fromisoformat(found["time"]).tzinfo is not None, "RFC 3339, with a zone"
    assert found["datacontenttype"] == "application/json"
    assert "data_base64" not in found
    assert CONTENT_TYPE.split(";")[0] == "application/cloudevents+json"


@pytest.mark.parametrize("event", HookEvent)
def test_event_fits_its_schema(event):
    jsonschema.validate(made(replace(NOTICE, event=event)), SCHEMA)


def test_schema_knows_every_event():
    assert SCHEMA["properties"]["data"]["properties"]["event"]["enum"] == list(HookEvent)


def test_id_names_rollout_and_entry_and_the_type_the_event():
    found = made()

    assert (found["id"], found["subject"]) == ("r-contract/7", "r-contract")
    assert found["type"] == "rollout-orchestrator.rollout.halted"
    assert found["time"] == "2027-01-15T08:00:00.250000Z"
    assert found["data"]["counts"] == {"pending": 19, "rolled_back": 1}
    assert found["data"]["reasons"] == {"check_failed": 1}


def test_same_notice_is_the_same_bytes_and_ascii():
    assert cloud_event(NOTICE, SOURCE) == cloud_event(replace(NOTICE), SOURCE)
    assert cloud_event(NOTICE, SOURCE).isascii()
    assert b"\n" not in cloud_event(NOTICE, SOURCE)
