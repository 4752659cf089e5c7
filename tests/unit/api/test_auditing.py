"""Checkpoints are signed as journals grow, and an audit compares; a kill in between harms nothing."""

import asyncio
import sys

import pytest

from orchestrator import api
from orchestrator.api import sealing
from orchestrator.api.sealing import Sealer, places, seal
from orchestrator.errors import ExitCode, StoreError, TrustError
from orchestrator.rollout.audit import Fault
from orchestrator.store.sql import open_store
from orchestrator.trust.checkpoint_file import read
from tests.unit.store.samples import PLAN, REPOSITORY, changes, entry
from tests.unit.trust.ssh_keys import SshKeys, line


@pytest.fixture
def settings(tmp_path):
    return api.Settings(root=tmp_path, state=str(tmp_path / ".rollout/state.db"))


@pytest.fixture
async def store(settings):
    store = await open_store(settings.state)
    await store.create("r-1", PLAN, changes(entry(1, "rollout_started")))
    yield store
    await store.close()


async def grow(store, first, last):
    lease = await store.acquire("r-1", "me", ttl_s=15, now=0)
    entries = [entry(seq) for seq in range(first, last + 1)]
    await store.commit(lease, [changes(*entries)])
    await store.release(lease)
    return entries


def sealer_of(settings, store):
    return Sealer(settings, store, "r-1", controller_id=store.controller_id())


def seal_count(settings):
    return read(places(settings).checkpoints).count(b"rollout-audit 1\n")


async def faults(settings, checkpoints=None):
    found = await api.audit_verify(settings, checkpoints)
    return [one.fault for one in found.audit.findings]


async def test_end_of_a_run_is_signed(settings, store):
    sealer = sealer_of(settings, store)
    sealer.take(await grow(store, 2, 5))
    await sealer.finish()

    found = await api.audit_verify(settings, None)

    assert (sealer.trouble, found.audit.findings) == ("", ())
    assert (found.audit.seal_count, found.audit.unsealed_count) == (1, 0)
    assert found.checkpoints == places(settings).checkpoints
    assert found.signers[0].startswith("engine SHA256:")


async def test_run_that_wrote_nothing_signs_nothing(settings, store):
    await sealer_of(settings, store).finish()

    assert not places(settings).checkpoints.exists()


async def test_long_run_is_signed_in_between(settings, store, monkeypatch):
    monkeypatch.setattr(sealing, "EVERY_COUNT", 10)
    sealer = sealer_of(settings, store)
    for first in (2, 12, 22):
        sealer.take(await grow(store, first, first + 9))
        await asyncio.gather(*(task for task in [sealer._work] if task))

    before = seal_count(settings)
    await sealer.finish()

    assert (before, seal_count(settings)) == (3, 3)
    assert await faults(settings) == []


async def test_checkpoint_that_cannot_be_written_stops_nothing_and_is_told(settings, store):
    places(settings).checkpoints.mkdir()
    sealer = sealer_of(settings, store)
    sealer.take(await grow(store, 2, 5))

    await sealer.finish()

    assert "cannot write" in sealer.trouble


async def test_journal_without_a_checkpoint_holds_and_nothing_vouches_for_it(settings, store):
    found = await api.audit_verify(settings, None)

    assert (found.audit.findings, found.audit.last_sealed_at) == ((), None)
    assert found.audit.unsealed_count == 1


@pytest.mark.parametrize("left", [None, b""])
async def test_checkpoints_that_were_taken_away_are_missed(settings, store, left):
    await api.audit_checkpoint(settings)
    places(settings).checkpoints.unlink()
    if left is not None:
        places(settings).checkpoints.write_bytes(left)

    assert await faults(settings) == [Fault.SEALS_GONE]
    await api.audit_checkpoint(settings)
    assert await faults(settings) == []


async def test_copy_without_a_checkpoint_vouches_for_nothing(settings, store, tmp_path):
    await api.audit_checkpoint(settings)
    (tmp_path / "copy").write_bytes(b"")

    assert await faults(settings, tmp_path / "copy") == [Fault.SEALS_GONE]


async def test_named_file_of_checkpoints_must_be_there(settings, store, tmp_path):
    with pytest.raises(TrustError) as caught:
        await api.audit_verify(settings, tmp_path / "none")

    assert caught.value.code == "J120"


async def test_without_a_store_there_is_nothing_to_judge(settings):
    for work in (api.audit_verify(settings, None), api.audit_checkpoint(settings)):
        with pytest.raises(StoreError) as caught:
            await work
        assert caught.value.exit_code is ExitCode.REFUSED


async def test_every_end_that_has_no_checkpoint_gets_one_by_hand(settings, store):
    await store.create("r-2", PLAN, changes(entry(1, "rollout_started")))
    first, _file = await api.audit_checkpoint(settings)
    again, _file = await api.audit_checkpoint(settings)
    await grow(store, 2, 2)
    grown, _file = await api.audit_checkpoint(settings)

    assert (first, again, grown) == (2, 0, 1)
    assert await faults(settings) == []


async def test_kill_9_between_append_and_checkpoint_leaves_journals_that_hold(settings, store):
    await api.audit_checkpoint(settings)
    words = (sys.executable, "-m", "tests.unit.store.committer", settings.state, "other")
    process = await asyncio.create_subprocess_exec(
        *words, cwd=REPOSITORY, stdout=asyncio.subprocess.PIPE
    )
    said = [await process.stdout.readline() for _ in range(4)]
    process.kill()
    await process.communicate()
    last = int(said[-1])

    killed = await api.audit_verify(settings, None)
    await seal(settings, store, "r-1", controller_id=store.controller_id())
    after = await api.audit_verify(settings, None)

    assert killed.audit.findings == after.audit.findings == ()
    assert killed.audit.unsealed_count >= last - 1
    assert (after.audit.seal_count, after.audit.unsealed_count) == (2, 0)


async def test_tail_that_was_cut_off_is_found_by_a_copy_of_the_checkpoints(
    settings, store, tmp_path
):
    early = tmp_path / "early"
    await api.audit_checkpoint(settings)
    early.write_bytes(read(places(settings).checkpoints))
    await grow(store, 2, 9)
    await api.audit_checkpoint(settings)

    def cut(connection):
        connection.exec_driver_sql("DELETE FROM journal WHERE seq > 4")
        connection.exec_driver_sql("UPDATE rollouts SET last_seq = 4")

    await store._writer.write(cut)

    assert await faults(settings, early) == []
    assert await faults(settings) == [Fault.CUT]


async def test_list_of_the_operator_says_who_may_sign_in_the_engine_s_place(
    settings, store, tmp_path
):
    keys, fleet = SshKeys(tmp_path), "acme"
    public = keys.make("witness")
    listed = tmp_path / "allowed"
    listed.write_text(line("witness", public, f'namespaces="rollout-audit@{fleet}"'))
    plain = api.Settings(root=settings.root, state=settings.state, fleet=fleet)
    strict = api.Settings(
        root=settings.root, state=settings.state, fleet=fleet, allowed_signers=listed
    )
    signing = api.Settings(
        root=settings.root, state=settings.state, fleet=fleet, audit_key=keys.path("witness"),
        audit_checkpoints=tmp_path / "witnessed",
    )  # fmt: skip
    for one in (plain, signing):
        await api.audit_checkpoint(one)

    assert await faults(plain) == []
    assert await faults(strict) == [Fault.SEAL_UNSIGNED]
    assert await faults(strict, tmp_path / "witnessed") == []
    assert not places(signing).is_own_key


async def test_checkpoints_of_the_time_before_the_fleet_had_a_name_count_on(settings, store):
    await api.audit_checkpoint(settings)

    named = api.Settings(root=settings.root, state=settings.state, fleet="acme")

    assert await faults(named) == []


async def test_revoked_key_vouches_for_nothing_any_more(settings, store, tmp_path):
    await api.audit_checkpoint(settings)
    revoked = tmp_path / "revoked"
    revoked.write_bytes(places(settings).key.with_name("audit.key.pub").read_bytes())

    found = api.Settings(root=settings.root, state=settings.state, revoked_signers=revoked)

    assert await faults(found) == [Fault.SEAL_UNSIGNED]
    with pytest.raises(TrustError):
        await api.audit_verify(
            api.Settings(root=settings.root, state=settings.state, revoked_signers=tmp_path / "x"),
            None,
        )


def test_store_on_a_server_keeps_key_and_checkpoints_in_the_project(tmp_path):
    found = places(api.Settings(root=tmp_path, state="postgresql://db.example.net/rollout"))

    assert found.key == tmp_path / ".rollout/audit.key"
    assert found.checkpoints == tmp_path / ".rollout/checkpoints"
