"""One process applies, another watches, on the lab: SQLite and PostgreSQL, kill -9, Ctrl-C.

The commands of docs/how-to/watch.md are run here too.
"""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from orchestrator.errors import ExitCode
from tests.integration.project import Project
from tests.patience import within
from tests.postgres import Server
from tests.terminal import Terminal

pytestmark = [pytest.mark.integration, pytest.mark.timeout(240)]

PAGE = Path(__file__).parents[2] / "docs/how-to/watch.md"
LONG_SOAK_S = 120  # until a test ends it
LINE_S = 60.0
PROMISED_S = 1.0


class Process:
    """A command at work; its lines can be waited for."""

    def __init__(self, project: Project, *words: str | Path) -> None:
        self._process = subprocess.Popen(
            project.command(*words),
            cwd=project.root, env=project.environment(), text=True, start_new_session=True,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )  # fmt: skip
        self.lines: list[str] = []
        self._more = threading.Condition()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            with self._more:
                self.lines.append(line.rstrip("\n"))
                self._more.notify_all()

    def until(self, text: str) -> float:
        """Waits for a line with this text; gives the time when it was there."""
        with self._more:
            there = self._more.wait_for(lambda: any(text in line for line in self.lines), LINE_S)
        assert there, (text, self.lines)
        return time.monotonic()

    def send(self, number: signal.Signals) -> None:
        self._process.send_signal(number)

    def end(self) -> int:
        """Waits for its end; gives its exit code."""
        try:
            code = self._process.wait(LINE_S)
        except subprocess.TimeoutExpired:
            pytest.fail("still at work:\n" + "\n".join(self.lines))
        self._reader.join(LINE_S)
        return code

    def kill(self) -> None:
        """kill -9, with what it may have started."""
        if self._process.poll() is None:
            os.killpg(self._process.pid, signal.SIGKILL)
        self.end()
        if self._process.stdout is not None:
            self._process.stdout.close()


@contextmanager
def running(project: Project, *words: str | Path) -> Iterator[Process]:
    process = Process(project, *words)
    try:
        yield process
    finally:
        process.kill()


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    project = Project(tmp_path_factory.mktemp("watched"), devices=2)
    project.up()
    try:
        yield project
    finally:
        project.down()


@pytest.fixture(scope="module")
def team(tmp_path_factory: pytest.TempPathFactory, postgres: Server) -> Iterator[Project]:
    url = postgres.make(migrated=True)
    project = Project(tmp_path_factory.mktemp("team"), devices=2, env={"ROLLOUT_STATE": url})
    project.up()
    try:
        yield project
    finally:
        project.down()
        postgres.drop(url)


@pytest.fixture(params=["alone", "team"])
def project(request: pytest.FixtureRequest) -> Project:
    found = request.getfixturevalue(request.param)
    assert isinstance(found, Project)
    return found


def soaking_release(project: Project, version: str) -> Path:
    plan = project.directory_release(version)
    text = plan.read_text().replace("[1, 50%, rest]", "[1, rest]")
    plan.write_text(text.replace("gates:", f"soak: {LONG_SOAK_S}s\ngates:"))
    return plan


def apply_words(project: Project, plan: Path) -> tuple[str | Path, ...]:
    return "apply", plan, "-i", project.inventory, "--yes"


def test_watcher_sees_what_the_engine_does_its_end_by_kill_and_the_next_one(
    project: Project,
) -> None:
    plan = soaking_release(project, "1.0")
    with running(project, *apply_words(project, plan)) as engine:
        engine.until("soaking for 2m")
        with running(project, "watch", plan.name, "--events", "seen.jsonl") as watcher:
            watcher.until("waits for soak; driven by ")
            watcher.until("next: rollout pause ")

            engine.kill()
            killed_at = time.monotonic()
            seen_at = watcher.until("no engine drives it: `rollout resume ")
            assert seen_at - killed_at < within(PROMISED_S)

            with running(project, "resume") as second:
                watcher.until("an engine took over")
                project.run("promote", "--full", "--reason", "seen enough")
                assert second.end() == ExitCode.DONE
            assert watcher.end() == ExitCode.DONE
    text = "\n".join(watcher.lines)
    seen = [json.loads(line) for line in (project.root / "seen.jsonl").read_text().splitlines()]
    assert [one for one in seen if "seq" in one] == project.events()[1:]
    drivers = [one["data"]["engine"] for one in seen if one["type"] == "standing"]
    assert "" in drivers[1:-1], "the time without an engine is there for programs too"
    assert "asked: promote (seen enough)" in text
    assert "✓ SUCCEEDED app-1.0" in text
    assert "2 of 2 devices run the new version." in text


def test_interrupt_ends_the_watching_and_not_the_rollout(project: Project) -> None:
    plan = soaking_release(project, "2.0")
    with running(project, *apply_words(project, plan)) as engine:
        engine.until("soaking for 2m")
        with running(project, "watch") as watcher:
            watcher.until("waits for soak; driven by ")

            watcher.send(signal.SIGINT)

            assert watcher.end() == ExitCode.INTERRUPTED
            assert watcher.lines[-1].startswith("stopped watching r-")
            assert watcher.lines[-1].endswith(": the rollout goes on")
        project.run("promote", "--full")
        assert engine.end() == ExitCode.DONE
    kinds = [event["type"] for event in project.events()]
    assert "rollout_done" in kinds


@contextmanager
def terminal(project: Project, *words: str | Path) -> Iterator[Terminal]:
    seen = Terminal(project.command(*words), cwd=project.root, env=project.environment())
    try:
        yield seen
    finally:
        seen.close()


def given_back(seen: Terminal) -> bool:
    """Whether the terminal is as it was, with a cursor."""
    shown, hidden = seen.text.rfind("\x1b[?25h"), seen.text.rfind("\x1b[?25l")
    return seen.modes() == seen.modes_before and shown > hidden >= 0


def test_keys_of_the_live_view_do_what_commands_do_and_give_the_terminal_back(
    alone: Project,
) -> None:
    """On real terminals: driven, watched, left by a key, and ended by a signal."""
    plan = soaking_release(alone, "2.2")
    with terminal(alone, *apply_words(alone, plan)) as engine:
        engine.until("soaking, ")
        assert engine.modes() != engine.modes_before
        engine.press("p")
        engine.until("p resume")
        engine.press("p")
        engine.until("p pause")
        with terminal(alone, "watch") as watcher:
            watcher.until("driven by ")
            watcher.press("l")
            watcher.until("last events of slow and failed devices")
            watcher.press("q")
            assert watcher.end() == ExitCode.INTERRUPTED
            assert given_back(watcher)
        engine.press("\x1a")  # Ctrl-Z
        engine.until("\x1b[?25h")
        assert engine.modes() == engine.modes_before
        engine.until_stopped()
        engine.send(signal.SIGCONT)
        engine.until("p pause")
        engine.press("q")
        engine.until("[y/N]")
        engine.press("y")
        assert engine.end() == ExitCode.INTERRUPTED
        assert given_back(engine)
    with terminal(alone, "resume") as second:
        second.until("soaking, ")
        second.send(signal.SIGTERM)
        assert second.end() == ExitCode.TERMINATED
        assert given_back(second)
    alone.run("abort", code=ExitCode.HALTED)
    asked = [event["data"] for event in alone.events() if event["type"] == "operator"]
    assert [(one["ask"], one["why"]) for one in asked[:2]] == [
        ("pause", "key p"),
        ("resume", "key p"),
    ]
    assert all("@" in one["who"] for one in asked)


def test_second_apply_joins_the_first_and_goes_on_when_that_is_killed(alone: Project) -> None:
    plan = soaking_release(alone, "2.5")
    with running(alone, *apply_words(alone, plan)) as engine:
        engine.until("soaking for 2m")
        with running(alone, *apply_words(alone, plan)) as leaving:
            leaving.until("waits for soak; driven by ")
            leaving.send(signal.SIGINT)
            assert leaving.end() == ExitCode.INTERRUPTED
        with running(alone, *apply_words(alone, plan)) as staying:
            staying.until("joined rollout r-")
            staying.until("waits for soak; driven by ")
            before = [event["type"] for event in alone.events()]

            engine.kill()
            staying.until("going on with rollout r-")
            alone.run("promote", "--full", "--reason", "seen enough")
            assert staying.end() == ExitCode.DONE
    after = [event["type"] for event in alone.events()]
    assert (before.count("engine_started"), after.count("engine_started")) == (1, 2)
    assert leaving.lines[-1].endswith(": it goes on where it is driven")


def test_last_words_of_apply_are_those_of_status(project: Project) -> None:
    """A bad release: the same facts in the same words, and its words cannot act on a terminal."""
    plan = project.directory_release("3.0", healthy=False)

    applied = project.apply(plan, code=ExitCode.ROLLED_BACK).stdout.splitlines()[1:]
    status = project.run("status").stdout.splitlines()
    watched = project.run("watch", code=ExitCode.ROLLED_BACK).stdout.splitlines()[1:]

    assert watched == applied
    own = ("exit code 5", "    version", "the whole picture")
    assert [line for line in applied if not any(word in line for word in own)] == status
    assert any("first after" in line for line in status)


def test_commands_of_the_page_do_what_it_says(alone: Project) -> None:
    """Every `sh` block of the how-to, on a rollout that soaks; each is of one command."""
    plan = soaking_release(alone, "4.0")
    plan.rename(alone.root / "app.yml")
    blocks = re.findall(r"^```sh\n(.*?)^```", PAGE.read_text(), re.MULTILINE | re.DOTALL)
    commands = [line.split() for block in blocks for line in block.splitlines()]
    assert len(commands) >= 3
    with running(alone, *apply_words(alone, alone.root / "app.yml")) as engine:
        engine.until("soaking for 2m")
        for program, *words in commands:
            assert program == "rollout"
            with running(alone, *words) as watcher:
                watcher.until("soak_started" if "-" in words else "waits for soak")
                if "--timeout" in words:
                    continue
                watcher.send(signal.SIGINT)
                assert watcher.end() == ExitCode.INTERRUPTED
        brief = alone.run("watch", "--timeout", "1s", "--events", "-", code=ExitCode.WAITING)
        last = json.loads(brief.stdout.splitlines()[-1])
        assert (last["type"], last["data"]["waits_for"]) == ("standing", ["soak"])
        alone.run("abort", code=ExitCode.HALTED)
        engine.end()
