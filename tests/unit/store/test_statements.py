import pytest
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.schema import CreateTable

from orchestrator.store import statements
from orchestrator.store.schema import metadata
from tests.unit.store.samples import changes, entry


async def test_thousands_of_rows_go_in_one_statement(store, rollout):
    rows = {f"dev-{n}": {"state": "queued", "n": n} for n in range(5000)}

    await store.commit(rollout, [changes(*map(entry, range(2, 5002)), devices=rows)])

    loaded = await store.load("r-1")
    assert loaded.devices == rows
    assert [one.seq for one in await store.journal("r-1")] == list(range(1, 5002))


async def test_columns_of_the_journal_stand_where_queries_expect_them(store, rollout):
    told = entry(2, wave="canary", device="dev-1", data={"reason": "ok"})

    await store.commit(rollout, [changes(told)])

    query = "SELECT seq, at, type, wave, device, data, epoch FROM journal WHERE seq = 2"
    row = await store._writer.read(lambda c: c.exec_driver_sql(query).one())
    assert tuple(row) == (2, 1002.0, "device_state", "canary", "dev-1", '{"reason":"ok"}', 1)


async def test_number_in_a_device_name_stays_text(store, rollout):
    await store.commit(rollout, [changes(entry(2, device="007"), devices={"007": {"state": "x"}})])

    assert list(await store.device_rows("r-1")) == ["007"]
    assert (await store.journal("r-1"))[-1].device == "007"


def test_every_statement_is_spelled_for_each_kind_of_database():
    tables = [statements._UPSERT_DEVICES, statements._INSERT_JOURNAL]

    assert {tuple(table) for table in tables} == {("sqlite", "postgresql")}


@pytest.mark.parametrize("dialect", [sqlite.dialect(), postgresql.dialect()], ids=["sqlite", "pg"])
def test_tables_are_made_of_types_that_both_databases_have(dialect):
    made = [str(CreateTable(table).compile(dialect=dialect)) for table in metadata.sorted_tables]

    assert len(made) == 10
    assert all("CREATE TABLE" in text for text in made)
