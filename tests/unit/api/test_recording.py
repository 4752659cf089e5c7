"""What is done beside rollouts is recorded before it happens, signed, and shown."""

import asyncio
import json
from pathlib import Path

import jsonschema
import pytest

from orchestrator import api
from orchestrator.api.recording import recording
from orchestrator.api.sealing import places
from orchestrator.cli.app import invoke
from orchestrator.device.model import Address, Device, DeviceId
from orchestrator.errors import DeviceError, PlanError, StoreError
from orchestrator.rollout.acts import ActKind
from orchestrator.rollout.audit import Fault
from orchestrator.store.sql import open_store

SCHEMA = json.loads((Path(__file__).parents[3] / "schemas/acts.v1.json").read_text())
DEVICE = Device(DeviceId("gw"), Address("192.0.2.1"))


@pytest.fixture
def settings(tmp_path):
    return api.Settings(root=tmp_path, state=str(tmp_path / ".rollout/state.db"))


async def ends(settings):
    return [(one.kind, one.end.result, one.end.detail) for one in await api.acts(settings)]


async def test_act_is_durable_before_it_begins(settings):
    async def one(device):
        (act,) = await api.acts(settings)
        assert (act.kind, act.device, act.is_open) == ("device_enroll", device.id, True)
        assert act.what == {"address": "192.0.2.1:22"}
        return api.DeviceAnswer(device.id, True)

    async with recording(settings) as recorder:
        await recorder.each(ActKind.DEVICE_ENROLL, one)(DEVICE)

    assert await ends(settings) == [("device_enroll", "ok", "")]


async def test_what_cannot_be_recorded_is_not_done(settings, tmp_path):
    done = []

    async def one(device):
        done.append(device)

    (tmp_path / ".rollout").write_text("no directory")

    with pytest.raises(StoreError):
        async with recording(settings) as recorder:
            await recorder.each(ActKind.DEVICE_ENROLL, one)(DEVICE)
    assert done == []


@pytest.mark.parametrize(
    ("error", "result"),
    [
        (DeviceError("gone", reason="unreachable"), "unreachable"),
        (PlanError("no", code="D120"), "D120"),
        (asyncio.CancelledError(), "cancelled"),
        (ZeroDivisionError(), "internal_error"),
    ],
)
async def test_end_is_recorded_whatever_ended_it(settings, error, result):
    async def one(_device):
        raise error

    with pytest.raises(type(error)):
        async with recording(settings) as recorder:
            await recorder.each(ActKind.DEVICE_RELEASE, one)(DEVICE)

    ((_kind, ended, _detail),) = await ends(settings)
    assert ended == result


async def test_keys_by_which_a_device_is_known_from_now_on_are_recorded(settings):
    async def one(device):
        return api.DeviceAnswer(device.id, True, "ok", "", {"rollout_host_keys": "ssh-ed25519 AA"})

    async with recording(settings) as recorder:
        await recorder.each(ActKind.DEVICE_PIN, one)(DEVICE)

    (act,) = await api.acts(settings)
    assert act.end.what == {"rollout_host_keys": "ssh-ed25519 AA"}


async def test_answer_that_is_not_well_is_the_end(settings):
    async def one(device):
        return api.DeviceAnswer(device.id, False, "fenced", "by another")

    async with recording(settings) as recorder:
        await recorder.each(ActKind.DEVICE_ROOT, one)(DEVICE)

    assert await ends(settings) == [("device_root", "fenced", "by another")]


async def test_end_of_the_journal_is_signed_so_that_a_cut_is_found(settings):
    await api.freeze(settings, reason="storm", until=None)
    await api.unfreeze(settings)
    before = await api.audit_verify(settings, None)
    store = await open_store(settings.state)

    def cut(connection):
        connection.exec_driver_sql("DELETE FROM acts WHERE seq = 2")
        connection.exec_driver_sql("UPDATE meta SET value = '1' WHERE key = 'last_act'")

    await store._writer.write(cut)
    await store.close()
    found = await api.audit_verify(settings, None)

    assert (before.audit.findings, before.audit.act_count, before.audit.unsealed_count) == (
        (),
        2,
        0,
    )
    assert [(one.fault, one.rollout_id, one.seq) for one in found.audit.findings] == [
        (Fault.CUT, "acts", 2)
    ]


async def test_what_could_not_be_signed_stops_nothing_and_is_made_up_for(settings):
    places(settings).checkpoints.mkdir(parents=True)
    await api.freeze(settings, reason="storm", until=None)
    places(settings).checkpoints.rmdir()

    made, _file = await api.audit_checkpoint(settings)

    assert made == 1
    assert (await api.audit_checkpoint(settings))[0] == 0


async def test_store_that_failed_is_not_asked_where_its_journal_ends(settings):
    async def acting():
        async with recording(settings) as recorder:
            await recorder.begin(ActKind.DEVICE_SHELL, "gw-1")
            raise StoreError("cannot be reached")

    with pytest.raises(StoreError, match="cannot be reached"):
        await acting()

    assert (await api.audit_checkpoint(settings))[0] == 1


def test_acts_are_listed_and_nothing_in_them_reaches_the_terminal_raw(settings, capsys):
    here = ("-C", str(settings.root))
    nothing = invoke([*here, "audit", "list"])
    asyncio.run(api.freeze(settings, reason="\x1b[2Jstorm", until="12h"))
    said = invoke([*here, "audit", "list"])
    text = capsys.readouterr().out
    invoke([*here, "audit", "list", "--format", "json", "--last", "1"])
    document = json.loads(capsys.readouterr().out)

    assert nothing == said == 0
    assert text.startswith("nothing was done here beside rollouts\n1 ")
    assert "why: \\x1b[2Jstorm" in text
    assert "until 20" in text
    jsonschema.validate(document, SCHEMA)
    assert [one["act"] for one in document["acts"]] == ["freeze"]
    assert not document["acts"][0]["open"]
