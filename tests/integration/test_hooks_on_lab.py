"""Hooks of real rollouts on the real lab: a receiver over HTTP, a command, and kill -9."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import hmac
import json
import os
import random
import signal
import subprocess
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import jsonschema
import pytest

from tests.integration.project import GATES, ROLLOUT, Project

pytestmark = [pytest.mark.integration, pytest.mark.night, pytest.mark.timeout(300)]

SECRET = "shared-with-the-receiver"
SCHEMA = json.loads((Path(__file__).parents[2] / "schemas/hook.v1.json").read_text())
ALL = (
    "started, wave_passed, paused, halted, resumed, rolling_back, rolled_back, rollback_failed, "
    "succeeded, aborted, failed"
)
KILLS = 4


class Receiver:
    """Takes webhooks, or answers 503 while it is `down`; keeps what it took."""

    def __init__(self) -> None:
        self.down = False
        self.refused_count = 0
        self.events: list[dict[str, object]] = []
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                receiver.take(dict(self.headers.items()), body)
                self.send_response(503 if receiver.down else 204)
                self.end_headers()

            def log_message(self, *_: object) -> None:
                """Tests read nothing of it."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.origin = f"http://127.0.0.1:{self.server.server_port}"
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.05,))
        self.thread.start()

    def take(self, headers: dict[str, str], body: bytes) -> None:
        if self.down:
            self.refused_count += 1
            return
        sent = {name.lower(): value for name, value in headers.items()}
        signed = f"{sent['webhook-id']}.{sent['webhook-timestamp']}.".encode() + body
        digest = hmac.new(SECRET.encode(), signed, hashlib.sha256).digest()
        assert sent["webhook-signature"] == "v1," + base64.b64encode(digest).decode()
        event = json.loads(body)
        assert event["id"] == sent["webhook-id"]
        self.events.append(event)

    def told(self) -> list[str]:
        """Names of the events that came, each id once."""
        return [str(one["data"]["event"]) for one in self.unique().values()]  # type: ignore[index]

    def unique(self) -> dict[object, dict[str, object]]:
        found: dict[object, dict[str, object]] = {}
        for event in self.events:
            assert found.setdefault(event["id"], event) == event, "again, and the same"
        return found

    def close(self) -> None:
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    found = Project(tmp_path_factory.mktemp("hooks"), devices=4)
    found.up()
    try:
        yield found
    finally:
        found.down()


@pytest.fixture
def receiver(project: Project) -> Iterator[Receiver]:
    found = Receiver()
    secret = project.root / "hook.secret"
    secret.write_text(SECRET + "\n")
    config = project.root / "mine.toml"
    config.write_text(
        f'allow_commands = ["/bin/sh"]\nhook_secrets = ["{found.origin}=file:{secret}"]\n'
    )
    project.env["ROLLOUT_CONFIG"] = str(config)
    yield found
    found.close()


def hooks(receiver: Receiver, more: str = "") -> str:
    return f"hooks:\n  - {{events: [{ALL}], http: {receiver.origin}/hook}}\n{more}"


def release(project: Project, version: str, told: str, *, healthy: bool = True) -> Path:
    project.directory_release(version, healthy=healthy)
    return project.plan(f"app-{version}", waves="[1, rest]", more=f"{GATES}{told}")


def test_halted_rollout_is_told_as_signed_events_and_to_a_command(
    project: Project, receiver: Receiver
) -> None:
    project.apply(release(project, "1.0", hooks(receiver)))
    good, receiver.events = receiver.told(), []
    log = project.root / "log"
    command = f"  - {{events: [halted], command: [/bin/sh, -c, 'cat >\"$0\"', {log}]}}\n"

    project.apply(release(project, "2.0", hooks(receiver, command), healthy=False), code=5)

    assert good == ["started", "wave_passed", "wave_passed", "succeeded"]
    assert receiver.told() == ["started", "halted", "rolling_back", "rolled_back"]
    for event in receiver.events:
        jsonschema.validate(event, SCHEMA)
    halted = json.loads(log.read_text())
    assert halted == receiver.events[1]
    assert halted["data"]["cause"] == "budget"
    assert halted["data"]["counts"]["pending"] == 3
    assert sum(halted["data"]["reasons"].values()) == 1
    sent = [one for one in project.events() if one["type"] == "notification"]
    assert [one["data"]["delivered"] for one in sent] == [True] * 5  # type: ignore[index]
    assert {one["data"]["to"] for one in sent} == {receiver.origin, "/bin/sh"}  # type: ignore[index]
    text = project.run("events", "--format", "text").stdout
    assert f"hook 1, {receiver.origin}: halted (entry {halted['data']['seq']}): told" in text
    for place in (text, project.run("events").stdout, project.run("status").stdout):
        assert SECRET not in place


def test_receiver_that_is_down_stops_nothing_and_is_told_by_the_next_command(
    project: Project, receiver: Receiver
) -> None:
    receiver.down = True
    project.apply(release(project, "3.0", hooks(receiver)))
    tried = [one for one in project.events() if one["type"] == "notification"]
    receiver.down = False

    project.run("reconcile", "--once", code=None)

    assert receiver.refused_count > 1
    assert {one["data"]["delivered"] for one in tried} == {False}  # type: ignore[index]
    assert "503" in str(tried[0]["data"]["detail"])  # type: ignore[index]
    assert receiver.told() == ["started", "wave_passed", "wave_passed", "succeeded"]


def test_command_that_nobody_allowed_is_refused_before_anything_moves(
    project: Project, receiver: Receiver
) -> None:
    told = "hooks: [{events: [halted], command: [/bin/cat]}]\n"

    done = project.apply(release(project, "4.0", told), code=1)

    assert "/bin/cat" in done.stderr
    assert "allow_commands" in done.stderr


def test_engine_killed_at_any_moment_loses_no_event(project: Project, receiver: Receiver) -> None:
    chance = random.Random(7)
    for number in range(KILLS):
        receiver.events = []
        plan = release(project, f"5.{number}", hooks(receiver))
        after_count, later_s = chance.randrange(2, 30), chance.uniform(0, 0.2)
        engine = subprocess.Popen(
            (*ROLLOUT, "apply", str(plan), "-i", str(project.inventory), "--yes", "--events", "-"),
            cwd=project.root, env=project.environment(), text=True, start_new_session=True,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        with engine:
            assert engine.stdout is not None
            for count, _ in enumerate(engine.stdout):
                if count == after_count:
                    break
            with contextlib.suppress(subprocess.TimeoutExpired):
                engine.wait(later_s)
            if engine.poll() is None:  # else its number may be another's by now
                os.killpg(engine.pid, signal.SIGKILL)

        project.apply(plan)  # goes on, or was over: then it is another rollout, of nothing to do
        journals = {str(event["subject"]) for event in receiver.events}

        assert str(project.events()[0]["rollout"]) in journals
        for rollout in journals:
            told = [one for one in receiver.unique().values() if one["subject"] == rollout]
            names = [str(one["data"]["event"]) for one in told]  # type: ignore[index]
            assert sorted(names) == ["started", "succeeded", "wave_passed", "wave_passed"], number
