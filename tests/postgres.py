"""A private PostgreSQL server for tests: real, on its own port, gone with the tests.

Its files lie in memory where there is room, and it does not flush to disk: what a power cut takes
is PostgreSQL's own matter, and nothing here cuts the power.
"""

from __future__ import annotations

import os
import pwd
import secrets
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psycopg

from orchestrator.store.connect import database_of
from orchestrator.store.migrate import migrate
from tests.loopback import free_port

USER = "rollout_tests"
PASSWORD = "not %40 secret/?"  # what addresses must write as %XX
ENCODED = "not%20%2540%20secret%2F%3F"
START_S = 60
_SETTINGS = {
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "max_connections": "60",
    "shared_buffers": "16MB",
    "lc_messages": "C",
    "deadlock_timeout": "100ms",
}


def programs() -> Path | None:
    """The newest server's programs, where Debian keeps them."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=_version)
    if found:
        return found[-1].parent
    there = shutil.which("initdb")
    return Path(there).parent if there else None


def _version(path: Path) -> int:
    return int(path.parents[1].name)


def unprivileged() -> tuple[str, ...]:
    """Words before a program that will not run as root."""
    if os.geteuid() != 0:
        return ()
    return ("setpriv", "--reuid=nobody", "--regid=nogroup", "--clear-groups")


def hand_over(path: Path) -> None:
    """Gives a file to the user of `unprivileged`."""
    if os.geteuid() == 0:
        nobody = pwd.getpwnam("nobody")
        os.chown(path, nobody.pw_uid, nobody.pw_gid)


@dataclass
class Server:
    """A running server; `make` gives a database of its own to each test."""

    programs: Path
    directory: Path
    port: int
    template: str = ""

    def admin(self, database: str = "postgres") -> psycopg.Connection:
        """A connection that may do everything."""
        return psycopg.connect(
            host="127.0.0.1", port=self.port, user=USER, password=PASSWORD, dbname=database,
            autocommit=True,
        )  # fmt: skip

    def make(self, *, migrated: bool = False) -> str:
        """The address of a new database, without password; with tables or without."""
        name = f"t_{secrets.token_hex(6)}"
        template = self._migrated() if migrated else "template1"
        with self.admin() as admin:
            admin.execute(f'CREATE DATABASE "{name}" TEMPLATE "{template}"')
        return self.url(name)

    def url(self, name: str) -> str:
        """The address of a database; its password stands in a file."""
        return f"postgresql://{USER}@127.0.0.1:{self.port}/{name}?passfile={self.passfile}"

    def _migrated(self) -> str:
        if not self.template:
            made = self.make()
            database = database_of(made)
            connection = database.connect()
            migrate(connection, database)
            connection.close()
            self.template = name_of(made)
        return self.template

    def drop(self, url: str) -> None:
        """Removes a database, whoever uses it."""
        with self.admin() as admin:
            admin.execute(f'DROP DATABASE IF EXISTS "{name_of(url)}" WITH (FORCE)')

    @property
    def passfile(self) -> Path:
        return self.directory / "passfile"

    def with_password(self, url: str) -> str:
        """The same database, with the password in the address."""
        plain = url.partition("?")[0]
        return plain.replace(f"{USER}@", f"{USER}:{ENCODED}@")

    def start(self) -> None:
        settings = [word for key, value in _SETTINGS.items() for word in ("-c", f"{key}={value}")]
        sockets = ("-c", "unix_socket_directories=", "-c", "listen_addresses=127.0.0.1")
        self._control("start", "-o", " ".join(("-p", str(self.port), *sockets, *settings)))

    def stop(self, mode: str = "fast") -> None:
        self._control("stop", "-m", mode)

    def kill(self) -> None:
        """As a power cut for its clients: no process of it says another word."""
        main = int((self.directory / "data/postmaster.pid").read_text().split()[0])
        children = subprocess.run(
            ("ps", "-o", "pid=", "--ppid", str(main)), capture_output=True, text=True, check=True
        ).stdout.split()
        for pid in (main, *map(int, children)):
            os.kill(pid, signal.SIGKILL)

    def _control(self, verb: str, *more: str) -> None:
        words = (
            *unprivileged(), str(self.programs / "pg_ctl"), verb, "-w", "-s", "-t", str(START_S),
            "-D", str(self.directory / "data"), "-l", str(self.directory / "log"), *more,
        )  # fmt: skip
        done = subprocess.run(
            words, cwd="/", capture_output=True, text=True, timeout=2 * START_S, check=False,
            stdin=subprocess.DEVNULL,
        )  # fmt: skip
        if done.returncode:
            log = self.directory / "log"
            said = log.read_text(errors="replace")[-2000:] if log.exists() else ""
            message = f"pg_ctl {verb} failed: {done.stderr}\n{said}"
            raise RuntimeError(message)


def name_of(url: str) -> str:
    """The database's name in an address of `Server.make`."""
    return url.rpartition("/")[2] if "?" not in url else url.partition("?")[0].rpartition("/")[2]


@contextmanager
def server() -> Iterator[Server]:
    """A server that lives as long as the block.

    Raises:
        FileNotFoundError: its programs are not installed.
    """
    found = programs()
    if found is None:
        message = "PostgreSQL is not installed (`tools/system_packages.sh`)"
        raise FileNotFoundError(message)
    memory = Path("/dev/shm")
    with tempfile.TemporaryDirectory(
        prefix="rollout-pg-", dir=memory if memory.is_dir() else None
    ) as place:
        directory = Path(place)
        directory.chmod(0o755)
        hand_over(directory)
        _initialise(found, directory)
        running = Server(found, directory, free_port())
        running.start()
        try:
            yield running
        finally:
            running.stop("immediate")


def _initialise(found: Path, directory: Path) -> None:
    password = directory / "password"
    password.write_text(PASSWORD + "\n")
    hand_over(password)
    subprocess.run(
        (
            *unprivileged(), str(found / "initdb"), "-D", str(directory / "data"), "-U", USER,
            "--auth=scram-sha-256", f"--pwfile={password}", "--no-sync", "--locale=C",
            "--encoding=UTF8",
        ),
        cwd="/", check=True, capture_output=True, timeout=START_S,
    )  # fmt: skip
    passfile = directory / "passfile"
    escaped = PASSWORD.replace("\\", "\\\\").replace(":", "\\:")
    passfile.write_text(f"*:*:*:{USER}:{escaped}\n")
    passfile.chmod(0o600)
