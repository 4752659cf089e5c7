"""Somebody who can write into the database changes its journals: on both databases, as SQL."""

import hashlib
from dataclasses import replace

import pytest

from orchestrator.rollout import chain
from orchestrator.rollout.audit import Fault, Seal
from orchestrator.rollout.chain import Written
from orchestrator.rollout.journal_proof import proof_lines, prove
from orchestrator.store.sql import LeaseClock, open_store
from tests.unit.store.samples import PLAN, changes, entry

COUNT = 8  # entries of `r-1`
HASH = "0" * 64


@pytest.fixture(params=["sqlite", "postgresql"])
async def store(request):
    """Two rollouts: `r-1` with `COUNT` entries, `r-2` with one."""
    url = request.getfixturevalue("path" if request.param == "sqlite" else "postgres_url")
    store = await open_store(str(url), lease_clock=LeaseClock.CALLER)
    await store.create("r-1", PLAN, changes(entry(1, "rollout_started")))
    lease = await store.acquire("r-1", "me", ttl_s=15, now=0)
    for seq in range(2, COUNT + 1):
        await store.commit(lease, [changes(entry(seq, device="dev-1", data={"seq": seq}))])
    await store.create("r-2", PLAN, changes(entry(1, "rollout_started")))
    yield store
    await store.close()


async def tamper(store, *statements):
    def work(connection):
        for statement in statements:
            connection.exec_driver_sql(statement)

    await store._writer.write(work)


async def rechain(store, rollout_id, first):
    """What a thorough attacker does: makes all hashes from an entry on anew."""

    def work(connection):
        columns = "seq, at, type, wave, device, data, epoch, hash"
        query = f"SELECT {columns} FROM journal WHERE rollout_id = '{rollout_id}' ORDER BY seq"
        rows = connection.exec_driver_sql(query).all()
        query = f"SELECT origin FROM rollouts WHERE id = '{rollout_id}'"
        previous = connection.exec_driver_sql(query).scalar()
        for row in rows:
            previous = (
                chain.link(previous, Written._make(row[:-1])) if row.seq >= first else row.hash
            )
            here = f"rollout_id = '{rollout_id}' AND seq = {row.seq}"
            connection.exec_driver_sql(f"UPDATE journal SET hash = '{previous}' WHERE {here}")

    await store._writer.write(work)


async def found(store, *seals):
    audit = await store.audit(seals)
    return [(one.fault, one.rollout_id, one.seq, one.event) for one in audit.findings]


async def sealed(store, rollout_id="r-1"):
    return Seal(await store.head(rollout_id), 1.0, "the checkpoint")


async def test_what_was_written_holds(store):
    audit = await store.audit([await sealed(store)])

    assert audit.findings == ()
    assert (audit.rollout_count, audit.entry_count) == (2, COUNT + 1)
    assert (audit.seal_count, audit.unsealed_count, audit.last_sealed_at) == (1, 1, 1.0)


@pytest.mark.parametrize("rollout_id", ["r-1", "r-2"])
async def test_journal_proves_itself_outside_of_the_database(store, rollout_id):
    head = await store.head(rollout_id)

    proven = prove(proof_lines(await store.proof(rollout_id), lambda text: (text, 0)))

    assert (proven.fault, proven.seq, proven.hash) == ("", head.seq, head.hash)
    assert proven.plan_sha256 == hashlib.sha256(PLAN).hexdigest()
    assert await store.proof("r-9") is None


@pytest.mark.parametrize(
    "change",
    [
        "at = at + 1", "type = 'gate'", "wave = 'broad'", "device = 'dev-2'", "data = '{}'",
        "epoch = epoch + 1", f"hash = '{HASH}'", "hash = ''",
    ],
)  # fmt: skip
async def test_changed_entry_is_named(store, change):
    await tamper(store, f"UPDATE journal SET {change} WHERE rollout_id = 'r-1' AND seq = 5")

    audit = await store.audit(())

    (only,) = audit.findings
    assert (only.fault, only.rollout_id, only.seq) == (Fault.CHANGED, "r-1", 5)
    assert only.at == pytest.approx(1005.0, abs=1.0)


async def test_entry_that_was_changed_with_its_own_hash_breaks_the_next(store):
    await tamper(store, "UPDATE journal SET data = '{}' WHERE rollout_id = 'r-1' AND seq = 5")
    await rechain(store, "r-1", 5)
    await tamper(store, f"UPDATE journal SET hash = '{HASH}' WHERE rollout_id = 'r-1' AND seq = 6")

    assert await found(store) == [(Fault.CHANGED, "r-1", 6, "device_state")]


async def test_removed_entry_leaves_a_gap(store):
    await tamper(store, "DELETE FROM journal WHERE rollout_id = 'r-1' AND seq IN (5, 6)")

    audit = await store.audit(())

    (only,) = audit.findings
    assert (only.fault, only.seq, only.message) == (Fault.MISSING, 5, "entries 5 to 6 are missing")


async def test_removed_entry_is_found_when_the_gap_was_closed(store):
    await tamper(
        store,
        "DELETE FROM journal WHERE rollout_id = 'r-1' AND seq = 5",
        *(f"UPDATE journal SET seq = {n - 1} WHERE rollout_id = 'r-1' AND seq = {n}"
          for n in range(6, COUNT + 1)),
        f"UPDATE rollouts SET last_seq = {COUNT - 1} WHERE id = 'r-1'",
    )  # fmt: skip

    assert await found(store) == [(Fault.CHANGED, "r-1", 5, "device_state")]


async def test_inserted_entry_is_named(store):
    new = f"'r-1', 5, 1004.5, 'operator', '', '', '{{}}', 1, '{HASH}'"
    await tamper(
        store,
        *(f"UPDATE journal SET seq = {n + 1} WHERE rollout_id = 'r-1' AND seq = {n}"
          for n in range(COUNT, 4, -1)),
        "INSERT INTO journal (rollout_id, seq, at, type, wave, device, data, epoch, hash) "
        f"VALUES ({new})",
        f"UPDATE rollouts SET last_seq = {COUNT + 1} WHERE id = 'r-1'",
    )  # fmt: skip

    assert await found(store) == [(Fault.CHANGED, "r-1", 5, "operator")]


async def test_entries_that_changed_places_are_named(store):
    swap = ((5, 99), (6, 5), (99, 6))
    await tamper(
        store,
        *(f"UPDATE journal SET seq = {new} WHERE rollout_id = 'r-1' AND seq = {old}"
          for old, new in swap),
    )  # fmt: skip

    assert await found(store) == [(Fault.CHANGED, "r-1", 5, "device_state")]


async def test_entry_that_was_appended_past_the_rollout_s_row_is_named(store):
    copied = "rollout_id, seq + 1, at, type, wave, device, data, epoch, hash"
    await tamper(store, f"INSERT INTO journal SELECT {copied} FROM journal WHERE seq = {COUNT}")
    await rechain(store, "r-1", COUNT)

    assert await found(store) == [(Fault.MISSING, "r-1", COUNT + 1, "")]


CUT = (
    "DELETE FROM journal WHERE rollout_id = 'r-1' AND seq > 6",
    "UPDATE rollouts SET last_seq = 6 WHERE id = 'r-1'",
)


async def test_cut_tail_is_found_by_the_row_of_the_rollout(store):
    await tamper(store, CUT[0])

    assert await found(store) == [(Fault.CUT, "r-1", 7, "")]


async def test_cut_tail_is_found_by_a_seal_alone_when_the_row_was_changed_too(store):
    seal = await sealed(store)
    await tamper(store, *CUT)

    assert await found(store) == []
    assert await found(store, seal) == [(Fault.CUT, "r-1", 7, "")]


async def test_journal_that_was_written_anew_with_fitting_hashes_is_found_by_a_seal(store):
    seal = await sealed(store)
    early = replace(seal, head=replace(seal.head, seq=1, hash=await hash_of(store, 1)))
    await tamper(store, "UPDATE journal SET data = '{}' WHERE rollout_id = 'r-1' AND seq = 5")
    await rechain(store, "r-1", 5)

    assert await found(store) == []
    (only,) = (await store.audit([seal, early])).findings
    assert (only.fault, only.seq) == (Fault.REWRITTEN, COUNT)
    assert only.message.startswith(f"something in 2 to {COUNT} was written anew")


async def hash_of(store, seq):
    query = f"SELECT hash FROM journal WHERE rollout_id = 'r-1' AND seq = {seq}"
    return await store._writer.read(lambda c: c.exec_driver_sql(query).scalar())


async def test_plan_that_was_exchanged_is_found(store):
    other = "X'7b7d'" if store._database.migrates_when_opened else r"'\x7b7d'"
    await tamper(store, f"UPDATE rollouts SET plan_json = {other} WHERE id = 'r-1'")

    assert await found(store) == [(Fault.ROLLOUT_CHANGED, "r-1", 0, "")]


async def test_rollout_that_was_taken_out_is_found(store):
    await tamper(
        store,
        "DELETE FROM journal WHERE rollout_id = 'r-1'",
        "DELETE FROM rollouts WHERE id = 'r-1'",
    )

    assert await found(store) == [(Fault.ROLLOUT_MISSING, "r-2", 0, "")]


async def test_newest_rollout_that_was_taken_out_is_found_by_a_seal_of_another(store):
    seal = await sealed(store)
    await tamper(
        store,
        "DELETE FROM journal WHERE rollout_id = 'r-2'",
        "DELETE FROM rollouts WHERE id = 'r-2'",
    )

    assert await found(store) == []
    assert await found(store, seal) == [(Fault.ROLLOUT_MISSING, "", 0, "")]


async def test_entries_of_no_rollout_are_counted(store):
    if not store._database.migrates_when_opened:
        pytest.skip("PostgreSQL keeps entries with their rollouts")
    driver = store._writer._connection.connection.driver_connection
    await store._writer.in_thread(lambda: driver.execute("PRAGMA foreign_keys = OFF"))
    await tamper(store, "UPDATE journal SET rollout_id = 'r-8' WHERE rollout_id = 'r-2'")

    assert (Fault.ORPHANS, "", 0, "") in await found(store)


async def test_journal_longer_than_a_page_is_followed_to_its_end(store, monkeypatch):
    monkeypatch.setattr("orchestrator.store.audit._PAGE", 3)

    assert (await store.audit(())).entry_count == COUNT + 1
    await tamper(store, f"UPDATE journal SET data = '' WHERE rollout_id = 'r-1' AND seq = {COUNT}")
    assert await found(store) == [(Fault.CHANGED, "r-1", COUNT, "device_state")]
