"""Copies of a store that is in use."""

import asyncio
import os
import shlex
import shutil
import sqlite3
import subprocess

import pytest

from orchestrator.errors import ExitCode, StoreError
from orchestrator.store.backup import back_up
from orchestrator.store.sql import open_store
from tests.postgres import ENCODED, PASSWORD, name_of
from tests.unit.store.samples import PLAN, changes, entry


async def test_copy_of_a_file_in_use_is_a_whole_store(store, rollout, path, tmp_path):
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    other.execute("UPDATE rollouts SET state = 'odd'")

    back_up(str(path), tmp_path / "copy.db")

    other.close()
    copy = await open_store(str(tmp_path / "copy.db"))
    assert (await copy.summary("r-1")).state == "running"
    assert copy.controller_id() == store.controller_id()
    await copy.close()


async def test_copy_is_one_file_for_its_owner(store, rollout, path, tmp_path):
    (tmp_path / "backups").mkdir()

    back_up(str(path), tmp_path / "backups/copy.db")

    (copy,) = (tmp_path / "backups").iterdir()
    assert copy.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("make", [lambda path: path.touch(), lambda path: path.symlink_to("x")])
async def test_what_is_there_is_not_replaced(store, path, tmp_path, make):
    make(tmp_path / "copy.db")

    with pytest.raises(StoreError, match=r"copy\.db` exists") as caught:
        back_up(str(path), tmp_path / "copy.db")

    assert caught.value.exit_code == ExitCode.REFUSED


def test_there_must_be_a_store(tmp_path):
    with pytest.raises(StoreError, match="there is no state store"):
        back_up(str(tmp_path / "state.db"), tmp_path / "copy.db")

    assert list(tmp_path.iterdir()) == []


async def test_directory_that_is_missing_is_named(store, path, tmp_path):
    with pytest.raises(StoreError, match=r"cannot write `.*copy\.db`: no such file or directory"):
        back_up(str(path), tmp_path / "no/copy.db")


async def test_damage_is_found_before_a_copy_has_its_name(path, tmp_path):
    store = await open_store(str(path))
    rows = {f"dev-{n}": {"state": "pending", "pad": "x" * 500} for n in range(200)}
    await store.create("r-1", PLAN, changes(entry(1), devices=rows))
    await store.close()
    data = bytearray(path.read_bytes())
    data[4096 * 12 : 4096 * 14] = b"\xff" * 8192
    path.write_bytes(data)

    with pytest.raises(StoreError, match="damaged"):
        back_up(str(path), tmp_path / "copy.db")

    assert [one.name for one in tmp_path.iterdir()] == [path.parent.name]


class TestPostgres:
    @pytest.fixture
    async def filled(self, postgres, postgres_url):
        """The address, with the password in it, of a store with one rollout."""
        store = await open_store(postgres_url)
        await store.create("r-1", PLAN, changes(entry(1)))
        await store.close()
        return postgres.with_password(postgres_url)

    async def test_copy_can_be_restored(self, filled, postgres, empty_url, tmp_path):
        back_up(filled, tmp_path / "copy.dump")

        await asyncio.to_thread(
            subprocess.run,
            ("pg_restore", f"--dbname={empty_url}", "--exit-on-error", tmp_path / "copy.dump"),
            check=True,
        )
        restored = await open_store(empty_url)
        assert (await restored.load("r-1")).plan_json == PLAN
        assert (tmp_path / "copy.dump").stat().st_mode & 0o777 == 0o600
        await restored.close()

    def test_password_is_not_among_the_arguments(self, filled, tmp_path, monkeypatch):
        """A stand-in for pg_dump writes down what it is given."""
        program = tmp_path / "pg_dump"
        program.write_text(
            f'#!/bin/sh\necho "$*" >{tmp_path}/words\necho "$PGPASSWORD" >{tmp_path}/secret\nexit 1\n'
        )
        program.chmod(0o755)
        monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")

        with pytest.raises(StoreError, match="`pg_dump` failed"):
            back_up(filled, tmp_path / "copy.dump")

        words = (tmp_path / "words").read_text()
        assert PASSWORD not in words
        assert ENCODED not in words
        assert "--no-password" in words
        assert (tmp_path / "secret").read_text() == PASSWORD + "\n"

    def test_where_pg_dump_is_missing_its_command_is_said(self, filled, tmp_path, monkeypatch):
        monkeypatch.setenv("PATH", str(tmp_path))

        with pytest.raises(StoreError, match="not found here") as caught:
            back_up(filled, tmp_path / "copy.dump")

        said = caught.value.hint.partition("`: `")[0].split("`")[-2]
        assert shlex.split(said)[0] == "pg_dump"
        assert shlex.split(said)[-1].endswith(name_of(filled))
        assert ENCODED not in caught.value.hint
        assert caught.value.exit_code == ExitCode.REFUSED

    def test_words_of_a_failure_come_with_the_command(self, postgres, tmp_path):
        with pytest.raises(StoreError, match=r"`pg_dump` failed: .*does not exist") as caught:
            back_up(postgres.url("missing"), tmp_path / "copy.dump")

        assert "by hand: `pg_dump " in caught.value.hint
        assert list(tmp_path.iterdir()) == []


@pytest.fixture(autouse=True)
def _client_programs(request, monkeypatch):
    """The client programs of the same version as the server."""
    if "postgres" in request.fixturenames:
        programs = request.getfixturevalue("postgres").programs
        monkeypatch.setenv("PATH", f"{programs}:{os.environ['PATH']}")
        assert shutil.which("pg_dump")
