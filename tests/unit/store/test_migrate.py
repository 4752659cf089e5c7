import asyncio
import sqlite3
import subprocess
import sys

import pytest
import sqlalchemy
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory

import orchestrator.store.migrate
from orchestrator.errors import StoreError
from orchestrator.store.migrate import migrate
from orchestrator.store.schema import SCHEMA, metadata
from orchestrator.store.sql import open_store
from orchestrator.store.sqlite import Sqlite
from tests.unit.store.samples import REPOSITORY


def test_migrations_end_at_the_schema_of_the_code():
    config = Config()
    config.set_main_option("script_location", str(orchestrator.store.migrate._MIGRATIONS))
    config.set_main_option("path_separator", "newline")

    assert ScriptDirectory.from_config(config).get_current_head() == SCHEMA


def test_migrated_database_is_what_schema_describes(tmp_path):
    database = Sqlite(tmp_path / "state.db")
    connection = database.connect()
    migrate(connection, database)

    difference = compare_metadata(MigrationContext.configure(connection), metadata)
    options = {
        table: connection.exec_driver_sql(
            f"SELECT sql FROM sqlite_master WHERE name='{table}'"
        ).scalar()
        for table in ("devices", "journal", "requests")
    }
    connection.close()

    assert difference == []
    assert "WITHOUT ROWID" in options["devices"]
    assert "WITHOUT ROWID" in options["journal"]
    assert "AUTOINCREMENT" in options["requests"]


async def test_opening_a_file_again_imports_neither_alembic_nor_psycopg(path):
    await (await open_store(str(path))).close()
    script = (
        "import asyncio, sys; from orchestrator.store.sql import open_store\n"
        "async def main(): await (await open_store(sys.argv[1])).close()\n"
        "asyncio.run(main()); print({'alembic', 'psycopg'} & set(sys.modules))"
    )

    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", script, path, stdout=subprocess.PIPE, cwd=REPOSITORY
    )

    assert (await process.communicate())[0] == b"set()\n"


async def test_processes_that_open_a_new_database_at_once_agree(path):
    script = (
        "import asyncio, sys; from orchestrator.store.sql import open_store\n"
        "async def main():\n"
        "    store = await open_store(sys.argv[1])\n"
        "    print(store.controller_id()); await store.close()\n"
        "asyncio.run(main())"
    )
    started = [
        await asyncio.create_subprocess_exec(
            sys.executable, "-c", script, path, stdout=subprocess.PIPE, cwd=REPOSITORY
        )
        for _ in range(4)
    ]

    answers = [(await process.communicate())[0] for process in started]

    assert [process.returncode for process in started] == [0, 0, 0, 0]
    assert len(set(answers)) == 1


async def test_newer_schema_is_refused_and_left_alone(path):
    await (await open_store(str(path))).close()
    with sqlite3.connect(path) as database:
        database.execute("UPDATE alembic_version SET version_num = '0999'")
    database.close()
    before = path.read_bytes()

    with pytest.raises(StoreError, match="has schema `0999`, newer than") as caught:
        await open_store(str(path))

    assert "newer" in caught.value.hint
    assert path.read_bytes() == before


async def test_database_of_another_program_is_refused_and_left_alone(path):
    path.parent.mkdir()
    with sqlite3.connect(path) as database:
        database.execute("CREATE TABLE songs (title)")
    database.close()

    with pytest.raises(StoreError, match="database of another program"):
        await open_store(str(path))

    with sqlite3.connect(path) as database:
        tables = database.execute("SELECT name FROM sqlite_master").fetchall()
    database.close()
    assert tables == [("songs",)]


def test_migration_that_fails_leaves_nothing_behind(tmp_path, monkeypatch):
    """A crash in the middle of a migration reads like this one: the transaction is gone."""
    database = Sqlite(tmp_path / "state.db")
    connection = database.connect()
    monkeypatch.setattr(orchestrator.store.migrate, "insert", lambda _table: 1 / 0)

    with pytest.raises(ZeroDivisionError):
        migrate(connection, database)

    assert sqlalchemy.inspect(connection).get_table_names() == []
    connection.close()
