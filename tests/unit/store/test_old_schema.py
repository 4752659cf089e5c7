"""Stores that older versions left behind, and the way from one schema to the next.

`old/` has what each released schema looked like, with a rollout in it: dumps that never change.
The way itself is tried with a revision that only these tests know.
"""

import asyncio
import contextlib
import shutil
import sqlite3
import threading
import time
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext

import orchestrator.store.migrate
import orchestrator.store.migrations
from orchestrator.errors import StoreError
from orchestrator.rollout.events import Ask, OperatorAsked
from orchestrator.store.connect import database_of
from orchestrator.store.migrate import Migrated, migrate_store
from orchestrator.store.schema import SCHEMA, metadata
from orchestrator.store.sql import open_store
from tests.postgres import name_of
from tests.unit.store.samples import PLAN, changes, entry

OLD = Path(__file__).parent / "old"
KINDS = ["sqlite", "postgresql"]
SCHEMAS = sorted({path.name.split(".")[0] for path in OLD.glob("*.sql")})
NEXT = "9998"
REVISION = f'''"""Add a column."""
import sqlalchemy as sa
from alembic import op

revision = "{NEXT}"
down_revision = "{SCHEMA}"


def upgrade():
    with op.batch_alter_table("rollouts") as table:
        table.add_column(sa.Column("note", sa.Text, nullable=False, server_default="none"))
'''


@pytest.fixture(params=KINDS)
def kind(request):
    return request.param


@pytest.fixture
def load(kind, request, tmp_path):
    """Makes a database from a dump; gives its address."""

    def make(schema):
        dump = (OLD / f"{schema}.{kind}.sql").read_text()
        if kind == "sqlite":
            path = tmp_path / "state.db"
            with contextlib.closing(sqlite3.connect(path)) as database:
                database.executescript(dump)
            return str(path)
        url = request.getfixturevalue("empty_url")
        with request.getfixturevalue("postgres").admin(name_of(url)) as admin:
            admin.execute(dump)
        return url

    return make


@pytest.mark.parametrize("schema", SCHEMAS)
async def test_rollout_of_an_older_version_goes_on(load, schema):
    url = load(schema)

    done = migrate_store(url)
    store = await open_store(url)
    stored = await store.load("r-1")
    lease = await store.acquire("r-1", "new", ttl_s=15, now=time.time())
    await store.commit(lease, [changes(entry(3), devices={"dev-1": {"state": "staged"}})])
    number = await store.ask("r-1", OperatorAsked(2000.0, Ask.RESUME, "bob"))
    audit = await store.audit(())

    assert done.before == schema
    assert (stored.plan_json, stored.last_seq) == (PLAN, 2)
    assert stored.devices == {"dev-1": {"state": "queued", "detail": "\x00"}}
    assert (await store.journal("r-1"))[1].data == {"to": "queued", "text": "\x00\ud800"}
    assert lease.epoch == 2
    assert [(one.who, one.why) for one in await store.requests("r-1", after=0)] == [
        ("ann", "lunch"),
        ("bob", ""),
    ]
    assert number == 2
    assert (audit.findings, audit.rollout_count) == ((), 1)
    assert audit.entry_count - audit.act_count == 3
    assert audit.act_count == (2 if schema >= "0005" else 0)
    await store.close()


def test_each_released_schema_is_kept_for_both_databases():
    revisions = Path(orchestrator.store.migrations.__file__).parent.glob("versions/r*.py")
    released = {path.name[1:5] for path in revisions}

    assert {path.name for path in OLD.glob("*.sql")} == {
        f"{schema}.{kind}.sql" for schema in released for kind in KINDS
    }


@pytest.fixture
def newer(monkeypatch, tmp_path):
    """Code that has one revision more."""
    versions = tmp_path / "migrations"
    shutil.copytree(Path(orchestrator.store.migrations.__file__).parent, versions)
    (versions / "versions/r9998_note.py").write_text(REVISION)
    monkeypatch.setattr(orchestrator.store.migrate, "_MIGRATIONS", versions)
    monkeypatch.setattr(orchestrator.store.migrate, "SCHEMA", NEXT)


@pytest.fixture
def current(kind, request, tmp_path):
    """The address of a store in today's schema, with one rollout."""
    url = request.getfixturevalue("postgres_url") if kind == "postgresql" else tmp_path / "s.db"

    async def fill():
        store = await open_store(str(url))
        await store.create("r-1", PLAN, changes(entry(1)))
        await store.close()

    asyncio.run(fill())
    return str(url)


def test_migration_tells_from_where_to_where_and_may_be_repeated(current, newer):
    first, second = migrate_store(current), migrate_store(current)

    assert (first.before, first.after) == (SCHEMA, NEXT)
    assert (second.before, second.after) == (NEXT, NEXT)


def test_migrations_at_once_are_one(current, newer):
    done: list[Migrated] = []
    threads = [
        threading.Thread(target=lambda: done.append(migrate_store(current))) for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(one.before for one in done) == [SCHEMA, NEXT, NEXT, NEXT]


async def test_rows_survive_a_migration(current, newer):
    migrate_store(current)

    store = await open_store(current)
    query = "SELECT note, last_seq FROM rollouts"
    found = await store._writer.read(lambda c: c.exec_driver_sql(query).one())
    await store.close()
    assert tuple(found) == ("none", 1)


async def test_code_that_is_older_than_the_store_refuses_it(current, newer, monkeypatch):
    migrate_store(current)
    monkeypatch.setattr(orchestrator.store.migrate, "SCHEMA", SCHEMA)

    with pytest.raises(StoreError, match=f"has schema `{NEXT}`, newer than `{SCHEMA}`"):
        await open_store(current)
    with pytest.raises(StoreError, match="newer than"):
        migrate_store(current)


async def test_file_is_migrated_when_it_is_opened_and_a_server_waits_to_be_told(
    current, newer, kind
):
    if kind == "sqlite":
        await (await open_store(current)).close()
    else:
        with pytest.raises(StoreError, match=f"`{SCHEMA}`, and this version needs") as caught:
            await open_store(current)
        assert "run `rollout state migrate`" in caught.value.hint

    assert (migrate_store(current).before == NEXT) == (kind == "sqlite")


class TestNewServer:
    async def test_database_without_tables_is_not_used(self, empty_url):
        with pytest.raises(StoreError, match="has no tables yet") as caught:
            await open_store(empty_url)

        assert caught.value.hint == "make them with `rollout state migrate`"

    async def test_migration_makes_the_tables_once(self, empty_url):
        first, second = migrate_store(empty_url), migrate_store(empty_url)
        store = await open_store(empty_url)

        assert (first.before, first.after) == ("", SCHEMA)
        assert (second.before, second.after) == (SCHEMA, SCHEMA)
        assert len(store.controller_id()) == 16
        await store.close()

    def test_tables_are_what_schema_describes(self, postgres_url):
        connection = database_of(postgres_url).connect()

        difference = compare_metadata(MigrationContext.configure(connection), metadata)

        connection.close()
        assert difference == []

    def test_database_of_another_program_is_left_alone(self, empty_url, postgres):
        with postgres.admin(name_of(empty_url)) as admin:
            admin.execute("CREATE TABLE songs (title text)")

        with pytest.raises(StoreError, match="database of another program"):
            migrate_store(empty_url)

    def test_without_the_right_to_make_tables_nothing_is_made(self, empty_url, postgres):
        role = f"guest_{name_of(empty_url)}"
        with postgres.admin() as admin:
            admin.execute(f"CREATE ROLE {role} LOGIN PASSWORD 'guest'")
        login = empty_url.partition("://")[2].partition("@")[0]

        with pytest.raises(StoreError, match="the user has not the rights") as caught:
            migrate_store(empty_url.replace(f"{login}@", f"{role}:guest@"))

        assert "CREATE on the schema" in caught.value.hint

    async def test_store_may_have_a_schema_of_its_own(self, empty_url, postgres):
        with postgres.admin(name_of(empty_url)) as admin:
            admin.execute("CREATE TABLE songs (title text)")
            admin.execute("CREATE SCHEMA rollout")
        url = f"{empty_url}&options=-csearch_path%3Drollout"

        migrate_store(url)
        store = await open_store(url)
        await store.create("r-1", PLAN, changes(entry(1)))

        assert (await store.load("r-1")).last_seq == 1
        await store.close()
