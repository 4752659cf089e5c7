"""Controllers in processes of their own on one PostgreSQL, with devices of the lab."""

from __future__ import annotations

import getpass
import json
import os
import shutil
import signal
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from orchestrator.api.completing import known_devices, known_rollouts, known_waves
from orchestrator.api.values import Settings
from orchestrator.errors import ExitCode
from orchestrator.store.connect import database_of
from orchestrator.store.sql import open_store
from tests.children import child
from tests.integration.project import Project
from tests.loopback import free_port
from tests.patience import within
from tests.postgres import PASSWORD, Server, hand_over, unprivileged

pytestmark = [pytest.mark.integration, pytest.mark.timeout(300)]

SOAK_S = 4
LONG_SOAK_S = 60  # until a test ends it
END_S = 90
LOOK_S = 0.01


class Team:
    """One lab, and controllers in several projects that share a store."""

    def __init__(self, project: Project, url: str) -> None:
        self.project = project
        self.url = url
        self._number = 0

    def release(self, *, soak_s: int) -> Path:
        """A release, and a plan that soaks in its canary long enough to be disturbed."""
        self._number += 1
        plan = self.project.directory_release(f"{self._number}.0")
        text = plan.read_text().replace("[1, 50%, rest]", "[1, rest]")
        plan.write_text(text.replace("gates:", f"soak: {soak_s}s\ngates:"))
        return plan

    @contextmanager
    def applying(self, plan: Path, *more: str) -> Iterator[subprocess.Popen[str]]:
        """`apply` in a process; its stdout are the events."""
        process = subprocess.Popen(
            self.project.command(
                "apply", plan, "-i", self.project.inventory, "--yes", "--events", "-", *more
            ),
            cwd=self.project.root, env=self.project.environment(), text=True,
            start_new_session=True, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )  # fmt: skip
        try:
            yield process
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
            process.communicate()


def until(process: subprocess.Popen[str], kind: str, **data: str) -> dict[str, object]:
    """Reads events up to the first of this kind and data."""
    assert process.stdout is not None
    for line in process.stdout:
        event = json.loads(line)
        found = event.get("data", {})
        if event["type"] == kind and all(found.get(key) == want for key, want in data.items()):
            return dict(event)
    message = f"no `{kind}` came: {process.stderr.read() if process.stderr else ''}"
    raise AssertionError(message)


@pytest.fixture(scope="module")
def team(tmp_path_factory: pytest.TempPathFactory, postgres: Server) -> Iterator[Team]:
    url = postgres.make()
    project = Project(tmp_path_factory.mktemp("team"), devices=3, env={"ROLLOUT_STATE": url})
    project.up()
    try:
        made = project.run("state", "migrate").stdout
        assert "made the tables" in made
        project.apply(project.directory_release("0.1"))
        yield Team(project, url)
    finally:
        project.down()
        postgres.drop(url)


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Team]:
    """The same on one host, with a SQLite file."""
    project = Project(tmp_path_factory.mktemp("alone"), devices=2)
    project.up()
    try:
        yield Team(project, str(project.root / ".rollout/state.db"))
    finally:
        project.down()


# what two processes do on SQLite costs 16 seconds of a core
@pytest.fixture(params=[pytest.param("alone", marks=pytest.mark.night), "team"])
def either(request: pytest.FixtureRequest) -> Team:
    found = request.getfixturevalue(request.param)
    assert isinstance(found, Team)
    return found


def gapless(project: Project) -> list[dict[str, object]]:
    entries = project.events()[1:]
    assert [entry["seq"] for entry in entries] == list(range(1, len(entries) + 1))
    return entries


@contextmanager
def arrivals(url: str) -> Iterator[dict[str, float]]:
    """When the newest request of each verb was in the store for others to read, as one of them saw.

    What the verb's process does before its commit and after it is no part of the second in which
    a request takes effect, and takes longer than that on a busy machine.
    """
    seen: dict[str, float] = {}
    ready, over = threading.Event(), threading.Event()
    query = "SELECT ask, max(id) FROM requests GROUP BY ask"

    def look() -> None:
        with closing(database_of(url).connect()) as reading:
            known = None
            ends = False
            while not ends:
                ends = over.wait(LOOK_S)  # looks once more after that
                now = dict(tuple(row) for row in reading.exec_driver_sql(query))
                reading.rollback()  # the next look sees what is committed by then
                if known is not None:
                    seen.update({ask: time.time() for ask in now if now[ask] != known.get(ask)})
                known = now
                ready.set()

    looking = threading.Thread(target=look)
    looking.start()
    try:
        assert ready.wait(END_S)
        yield seen
    finally:
        over.set()
        looking.join()


def test_verbs_from_another_process_take_effect_within_a_second(either: Team) -> None:
    run, taken_at = either.project.run, {}

    def verb(name: str, leads_to: str) -> None:
        told = run(name, "--reason", "lunch").stderr
        taken_at[name] = float(str(until(engine, "operator", ask=name, answer="done")["ts"]))
        assert f"{name} is recorded" not in told, "the engine has answered"
        until(engine, leads_to)

    with either.applying(either.release(soak_s=LONG_SOAK_S), "--wait") as engine:
        until(engine, "soak_started")
        with arrivals(either.url) as arrived_at:
            verb("pause", "paused")
            again = run("pause").stderr
            verb("resume", "resumed")
            verb("promote", "wave_done")
            until(engine, "soak_started")
            verb("halt", "halted")
        engine.communicate(timeout=END_S)
    halted = run("halt").stderr
    run("abort", "--rollback", "all", "--reason", "lunch", code=ExitCode.ROLLED_BACK)

    assert engine.returncode == ExitCode.HALTED
    assert ": nothing to do: " in again
    assert ": nothing to do: " in halted
    entries = gapless(either.project)
    assert entries[-1]["data"] == {"state": "rolled_back"}
    asked = [entry["data"] for entry in entries if entry["type"] == "operator"]
    assert {(entry["why"], entry["answer"]) for entry in asked} == {("lunch", "done")}
    assert arrived_at.keys() == taken_at.keys()
    for name, at in taken_at.items():
        assert at - arrived_at[name] < within(1.0), name


def test_approval_from_another_process_takes_effect_within_a_second(either: Team) -> None:
    project = either.project
    plan = either.release(soak_s=0)
    wave = "{size: rest, approval: {from: [ops]}}"
    plan.write_text(plan.read_text().replace("[1, rest]", f"[1, {wave}]"))
    people = {"ROLLOUT_PEOPLE": f"{getpass.getuser()}=ops"}

    with either.applying(plan, "--wait") as engine:
        until(engine, "paused", cause="approval")
        stranger = project.run("approve", code=ExitCode.REFUSED).stderr
        member = replace(project, env={**project.env, **people})
        with arrivals(either.url) as arrived_at:
            member.run("approve", "--reason", "seen the canary")
            taken_at = float(str(until(engine, "operator", ask="approve", answer="done")["ts"]))
        engine.communicate(timeout=END_S)

    assert engine.returncode == ExitCode.DONE
    assert "not among the people who may approve" in stranger
    given = [entry["data"] for entry in gapless(project) if entry["type"] == "approval"]
    assert "seen the canary" in json.dumps(given[-1])
    assert taken_at - arrived_at["approve"] < within(1.0)


def test_another_controller_goes_on_after_kill_9(team: Team) -> None:
    plan = team.release(soak_s=1)
    with team.applying(plan) as engine:
        until(engine, "device_state")
        os.killpg(engine.pid, signal.SIGKILL)

    team.project.apply(plan)

    entries = gapless(team.project)
    assert [e["type"] for e in entries].count("engine_started") == 2
    assert entries[-1]["type"] == "rollout_done"
    assert {facts["artifact"] for facts in team.project.facts().values()} == {
        f"app-{team._number}.0"
    }


def test_one_of_two_competing_controllers_drives(team: Team) -> None:
    plan = team.release(soak_s=1)
    with team.applying(plan) as first, team.applying(plan) as second:
        for engine in (first, second):
            engine.communicate(timeout=END_S)

    codes = sorted((first.returncode, second.returncode))
    assert codes in ([0, 0], [0, 8])  # the later one was locked out, or joined what was over
    entries = gapless(team.project)
    assert [e["type"] for e in entries].count("rollout_done") == 1


def test_controller_that_was_stopped_loses_its_lease_and_writes_nothing(team: Team) -> None:
    """SIGSTOP, takeover when the lease has run out, SIGCONT: the first one ends with code 8."""
    plan = team.release(soak_s=SOAK_S)
    with team.applying(plan) as stopped:
        until(stopped, "soak_started")
        os.killpg(stopped.pid, signal.SIGSTOP)
        code = 8
        while code == 8:  # the lease of 15 s runs out by itself
            code = team.project.apply(plan, code=None).returncode
        entries = gapless(team.project)

        os.killpg(stopped.pid, signal.SIGCONT)
        _, errors = stopped.communicate(timeout=END_S)

    assert code == 0
    assert stopped.returncode == 8, errors
    assert gapless(team.project) == entries
    assert entries[-1]["type"] == "rollout_done"


def test_export_and_backup_of_a_team_store(team: Team, postgres: Server, tmp_path: Path) -> None:
    environment = team.project.env
    path = f"{postgres.programs}:{os.environ['PATH']}"
    try:
        team.project.env = {**environment, "PATH": path}
        team.project.run("state", "backup", tmp_path / "copy.dump")
    finally:
        team.project.env = environment
    team.project.run("state", "export", "--all", "-o", tmp_path / "all.jsonl")

    assert (tmp_path / "copy.dump").read_bytes().startswith(b"PGDMP")
    kinds = [json.loads(line)["type"] for line in (tmp_path / "all.jsonl").read_text().splitlines()]
    assert kinds.count("version") == kinds.count("end") >= 1
    settings = Settings(root=tmp_path, state=team.url)
    (newest, said), *_ = known_rollouts(settings)
    assert newest.startswith("r-")
    assert ": " in said
    assert "lab-01" in known_devices(settings, newest[:6])
    assert known_waves(settings, None)


def test_password_appears_nowhere(team: Team, postgres: Server) -> None:
    secret = postgres.with_password(team.url)
    commands = (
        ("status",),
        ("status", "--all"),
        ("events",),
        ("state", "migrate"),
        ("state", "export"),
    )

    said = []
    for words in commands:
        done = team.project.run("--state", secret, "-vv", *words)
        said.append(done.stdout + done.stderr)
    wrong = team.project.run("--state", secret.replace("/t_", "/no_"), "-vv", "status", code=None)
    said.append(wrong.stdout + wrong.stderr)

    assert wrong.returncode == 2
    assert all(PASSWORD not in text and secret not in text for text in said)


@pytest.fixture(scope="module")
def pooled(postgres: Server, team: Team) -> Iterator[str]:
    """The store's address through PgBouncer, which lends a connection for one transaction."""
    program = shutil.which("pgbouncer", path=f"{os.environ['PATH']}:/usr/sbin")
    if program is None:
        pytest.skip("pgbouncer is not installed (`tools/system_packages.sh`)")
    port = free_port()
    plain = team.url.partition("?")[0]
    login, _, name = plain.partition("://")[2].rpartition("/")
    user = login.partition("@")[0]
    directory = postgres.directory / "pool"
    directory.mkdir()
    (directory / "users").write_text(f'"{user}" "{PASSWORD}"\n')
    (directory / "pgbouncer.ini").write_text(
        f"[databases]\n* = host=127.0.0.1 port={postgres.port}\n"
        f"[pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {port}\nunix_socket_dir =\n"
        f"auth_type = scram-sha-256\nauth_file = {directory}/users\n"
        "pool_mode = transaction\ndefault_pool_size = 2\n"
    )
    for path in (directory, *directory.iterdir()):
        hand_over(path)
    with child(
        (*unprivileged(), program, str(directory / "pgbouncer.ini")),
        cwd="/", stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
        text=True,
    ) as pool:  # fmt: skip
        assert pool.stderr is not None
        said = next((line for line in pool.stderr if "process up" in line), "")
        assert said, "pgbouncer did not start"
        try:
            yield f"postgresql://{user}@127.0.0.1:{port}/{name}?passfile={postgres.passfile}"
        finally:
            pool.terminate()
            pool.stderr.read()


@pytest.mark.night  # 16 seconds of a core
def test_pooler_in_transaction_mode_may_stand_between(team: Team, pooled: str) -> None:
    plan = team.release(soak_s=LONG_SOAK_S)
    direct, team.project.env = team.project.env, {"ROLLOUT_STATE": pooled}
    try:
        with team.applying(plan, "--wait") as engine:
            until(engine, "soak_started")
            team.project.run("pause")
            until(engine, "paused")
            team.project.run("abort", code=ExitCode.HALTED)
            engine.communicate(timeout=END_S)
        assert engine.returncode == ExitCode.HALTED
        assert gapless(team.project)[-1]["type"] == "rollout_done"
        assert "already" in team.project.run("state", "migrate").stdout
    finally:
        team.project.env = direct


async def test_behind_a_pooler_requests_are_looked_for(pooled: str) -> None:
    store = await open_store(pooled)

    for _ in range(2):
        assert await store.requests("r-none", after=0) == ()

    listener = store._looks._listener
    assert listener is not None
    assert not listener.is_listening
    await store.close()
