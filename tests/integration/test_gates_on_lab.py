"""Gates that the controller asks: HTTP and commands, on the real lab."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from tests.integration.project import GATES, Project

pytestmark = [pytest.mark.integration, pytest.mark.timeout(240)]


class Monitor:
    """A monitoring system: answers `{"errors": N}`; goes bad after so many questions."""

    def __init__(self) -> None:
        self.bad_after: int | None = None
        self.asked_count = 0
        monitor = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                body = json.dumps({"errors": monitor.errors()}).encode()
                self.send_response(200)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                """Tests read nothing of it."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/errors"
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.05,))
        self.thread.start()

    def errors(self) -> int:
        self.asked_count += 1
        return 7 if self.bad_after is not None and self.asked_count > self.bad_after else 0

    def close(self) -> None:
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    found = Project(tmp_path_factory.mktemp("gates"), devices=4)
    config = found.root / "mine.toml"
    config.write_text('allow_commands = ["/bin/sh"]\n')
    found.env["ROLLOUT_CONFIG"] = str(config)
    found.up()
    try:
        yield found
    finally:
        found.down()


@pytest.fixture
def monitor() -> Iterator[Monitor]:
    found = Monitor()
    yield found
    found.close()


def release(project: Project, version: str, gates: str, *, soak: str = "0s") -> Path:
    project.directory_release(version)
    return project.plan(f"app-{version}", waves="[1, rest]", more=f"soak: {soak}\n{GATES}{gates}")


def http_gate(monitor: Monitor, more: str = "") -> str:
    return (
        "  - name: no errors\n"
        f'    http: {{url: "{monitor.url}", value: /errors}}\n'
        "    success_when: result.value == 0\n"
        "    fail_when: result.value > 0\n"
        f"{more}"
    )


def test_http_gate_is_asked_at_the_end_of_each_wave(project: Project, monitor: Monitor) -> None:
    plan = release(project, "1.0", http_gate(monitor))

    project.apply(plan)

    assert monitor.asked_count == 2
    verdicts = [entry["data"] for entry in project.events() if entry["type"] == "gate_result"]
    assert [one["verdict"] for one in verdicts if one["gate"] == "no errors"] == ["passed"] * 2  # type: ignore[index]


def test_wave_whose_http_gate_fails_is_taken_back(project: Project, monitor: Monitor) -> None:
    plan = release(project, "2.0", http_gate(monitor))
    before = {name: facts["artifact"] for name, facts in project.facts().items()}
    monitor.bad_after = 0

    project.apply(plan, code=5)

    assert {name: facts["artifact"] for name, facts in project.facts().items()} == before


def test_background_gate_that_goes_bad_in_a_soak_stops_the_wave(
    project: Project, monitor: Monitor
) -> None:
    more = "    stage: background\n    interval: 100ms\n"
    plan = release(project, "3.0", http_gate(monitor, more), soak="1m")
    monitor.bad_after = 3

    done = project.apply(plan, code=5)

    assert 3 < monitor.asked_count < 20, done.stdout
    assert not [one for one in project.facts().values() if one["artifact"] == "app-3.0"]


def test_monitoring_that_is_gone_is_never_success(project: Project) -> None:
    gate = (
        '  - name: no errors\n    http: {url: "http://127.0.0.1:1/errors"}\n'
        "    success_when: result.status == 200\n"
        "    consecutive_error_limit: 1\n    interval: 50ms\n"
    )
    plan = release(project, "4.0", gate)

    done = project.apply(plan, code=None)

    assert done.returncode != 0
    state = json.loads(project.run("status", "--format", "json", code=None).stdout)["state"]
    assert state == "paused"
    runs = {name for name, one in project.facts().items() if one["artifact"] == "app-4.0"}
    plan.write_text(plan.read_text().replace("127.0.0.1:1/", "127.0.0.1:2/"))
    again = project.apply(plan, "-l", ",".join(runs), code=7)
    assert "nothing to do" in again.stderr
    assert "is not over" in again.stderr
    project.run("abort", code=None)
    project.apply(plan, "-l", ",".join(runs))


def test_command_gate_runs_what_the_operator_allowed(project: Project) -> None:
    script = project.root / "ask"
    script.write_text("echo '{\"open\": 0}'\n")
    gate = (
        f"  - name: asked\n    command: [/bin/sh, {script}]\n"
        "    success_when: result.exit == 0 and result.open == 0\n"
    )

    project.apply(release(project, "5.0", gate))

    assert {one["artifact"] for one in project.facts().values()} == {"app-5.0"}


def test_command_that_nobody_allowed_is_refused(project: Project) -> None:
    gate = '  - name: asked\n    command: ["/bin/cat"]\n    success_when: result.exit == 0\n'

    done = project.apply(release(project, "6.0", gate), code=1)

    assert "allow_commands" in done.stderr
