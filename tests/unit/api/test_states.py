"""Export: what a reader can check without this program."""

import hashlib
import json
from pathlib import Path

import jsonschema
import pytest

from orchestrator import api
from orchestrator.api import Settings
from orchestrator.engine.ports import Changes
from orchestrator.errors import StoreError
from orchestrator.rollout.acts import ACTS
from orchestrator.rollout.around import FleetFreeze
from orchestrator.rollout.events import JournalEntry
from orchestrator.store.sql import open_store

SCHEMA = json.loads((Path(__file__).parents[3] / "schemas/export.v1.json").read_text())
PLAN = '{"name":"wéb"}'.encode()
ENTRIES = 2500  # more than a page


def entries(count):
    return [
        JournalEntry(seq, 1000.5 + seq, "device_state", "canary", "a", {"detail": "\x00é\u2028"})
        for seq in range(1, count + 1)
    ]


@pytest.fixture
async def settings(tmp_path):
    settings = Settings(root=tmp_path, state=str(tmp_path / "state.db"))
    store = await open_store(settings.state)
    devices = {name: {"state": "committed", "n": 1.5} for name in ("a", "b")}
    await store.create("r-1", PLAN, Changes({"state": "succeeded"}, devices, entries(ENTRIES)))
    await store.create("r-2", PLAN, Changes({"state": "running"}, {}, entries(1)))
    await store.close()
    return settings


async def test_export_has_plan_snapshot_and_journal(settings):
    lines = [json.loads(line) async for line in api.state_export(settings, "r-1")]

    assert [line["type"] for line in lines[:5]] == [
        "version", "plan", "rollout", "device", "device",
    ]  # fmt: skip
    assert lines[2] == {"type": "rollout", "last_seq": ENTRIES, "row": {"state": "succeeded"}}
    assert lines[3]["row"] == {"state": "committed", "n": 1.5}
    assert [line["seq"] for line in lines[5:-1]] == list(range(1, ENTRIES + 1))
    assert lines[5]["data"] == {"detail": "\x00é\u2028"}


async def test_reader_can_verify_it_by_hashes_alone(settings):
    lines = [line async for line in api.state_export(settings, "r-1")]
    head, plan, end = json.loads(lines[0]), json.loads(lines[1]), json.loads(lines[-1])

    assert head["plan_sha256"] == hashlib.sha256(plan["json"].encode()).hexdigest()
    assert plan["json"].encode() == PLAN
    assert end["lines"] == len(lines) - 1
    assert end["sha256"] == hashlib.sha256("".join(lines[:-1]).encode()).hexdigest()


async def test_each_line_fits_the_schema_and_is_ascii(settings):
    validator = jsonschema.Draft202012Validator(SCHEMA)
    jsonschema.Draft202012Validator.check_schema(SCHEMA)

    async for line in api.state_export_all(settings):
        assert line.isascii()
        assert line.count("\n") == 1
        validator.validate(json.loads(line))


async def test_all_rollouts_follow_one_another(settings):
    lines = [json.loads(line) async for line in api.state_export_all(settings)]

    assert [line["rollout"] for line in lines if line["type"] == "version"] == ["r-1", "r-2"]
    assert [line["type"] for line in lines].count("end") == 2


async def test_acts_follow_the_rollouts_with_the_hash_that_checkpoints_have(settings):
    store = await open_store(settings.state)
    await store.freeze(FleetFreeze("storm \x00", "ann@desk", 5.0))
    head = await store.head(ACTS)
    await store.close()

    lines = [line async for line in api.state_export_all(settings)]
    first, act, end = map(json.loads, lines[-3:])

    assert (first["type"], first["last_seq"], first["hash"]) == ("acts", 1, head.hash)
    assert (act["type"], act["entry"], act["data"]) == (
        "entry", "freeze", {"who": "ann@desk", "why": "storm \x00"},
    )  # fmt: skip
    assert (end["type"], end["lines"]) == ("end", 2)
    assert end["sha256"] == hashlib.sha256("".join(lines[-3:-1]).encode()).hexdigest()
    for line in lines[-3:]:
        jsonschema.validate(json.loads(line), SCHEMA)


async def test_newest_is_exported_where_none_is_named(settings):
    lines = [json.loads(line) async for line in api.state_export(settings, None)]

    assert lines[0]["rollout"] in ("r-1", "r-2")
    assert lines[-1]["type"] == "end"


@pytest.mark.parametrize("export", [lambda s: api.state_export(s, None), api.state_export_all])
async def test_without_a_store_there_is_nothing_to_export(tmp_path, export):
    settings = Settings(root=tmp_path, state=str(tmp_path / "state.db"))

    with pytest.raises(StoreError, match="no rollout was started here yet"):
        [line async for line in export(settings)]
    assert list(tmp_path.iterdir()) == []


def test_settings_do_not_show_their_address():
    settings = Settings(root=Path("/"), state="postgresql://ann:s3cret@db/fleet")

    assert "s3cret" not in repr(settings)
