import io
import json
from dataclasses import replace

import pytest

from orchestrator.api import Run, Status
from orchestrator.cli.watching import EventsWriter, LiveView, PlainView, Watchers
from orchestrator.device.model import Address, DeviceId
from orchestrator.plan.resolved import PlannedArtifact, PlannedDevice, ResolvedPlan, ResolvedWave
from orchestrator.render.picture import settled
from orchestrator.rollout.events import JournalEntry
from orchestrator.rollout.machine import Rollout
from orchestrator.rollout.states import RolloutState
from orchestrator.rollout.story import tell

DEVICE = DeviceId("gw-1")


@pytest.fixture
def run() -> Run:
    artifact = PlannedArtifact("a", "app-1", "c" * 64, "d" * 64, "directory", ("x",), 10, 10)
    plan = ResolvedPlan(
        name="app",
        release="1",
        plan_file="p.yml",
        plan_sha256="a" * 64,
        inventory_sha256="b" * 64,
        made_at=0.0,
        tool_version="0",
        seed="s",
        surveyed=False,
        artifact=artifact,
        waves=(ResolvedWave("canary", "1", (DEVICE,)),),
        devices={DEVICE: PlannedDevice(Address("h"))},
    )
    return Run("r-1", plan, "e" * 64, joined=False, history=(entry(1, "rollout_started"),))


def entry(seq: int, kind: str, **data: object) -> JournalEntry:
    device = DEVICE if kind == "device_state" else ""
    wave = "" if kind.startswith("rollout") else "canary"
    return JournalEntry(seq, 100.0 + seq, kind, wave, device, data)


def test_plain_lines_go_to_stderr(session, run, capsys) -> None:
    view = PlainView(session)

    view.started(run)
    view.journal([entry(2, "wave_started")])
    view.tick(104.0)
    view.close()

    shown = capsys.readouterr()
    assert shown.out == ""
    assert shown.err.splitlines() == [
        "00:00 rollout r-1: app-1 to 1 device in 1 wave",
        "00:01 ▶ wave canary: 1 device",
    ]


def test_a_joined_rollout_says_so_instead_of_its_history(session, run, capsys) -> None:
    PlainView(session).started(replace(run, joined=True))

    assert capsys.readouterr().err == "going on with rollout r-1\n"


def test_quiet_prints_nothing_but_still_counts(session, run, capsys) -> None:
    view = PlainView(replace(session, quiet=True))

    view.started(run)
    view.journal([entry(2, "device_state", to="succeeded", attempt=1)])

    assert capsys.readouterr().err == ""
    assert view.board.proven == 1


def test_a_heartbeat_comes_when_nothing_was_said_for_long(
    session, run, capsys, monkeypatch
) -> None:
    view = PlainView(session)
    now = [1000.0]
    monkeypatch.setattr("orchestrator.cli.watching.time.monotonic", lambda: now[0])
    view.started(run)
    view.journal([entry(2, "wave_started")])
    capsys.readouterr()

    view.tick(130.0)
    assert capsys.readouterr().err == ""

    now[0] += 31
    view.tick(133.0)
    assert capsys.readouterr().err == "00:32 wave canary: 0/1 updated; running\n"


def test_the_live_view_takes_back_what_it_drew(session, run) -> None:
    stream = io.StringIO()
    view = LiveView(session, stream)

    view.started(run)
    view.journal([entry(2, "wave_started")])
    view.close()

    drawn = stream.getvalue()
    ups = sum(
        int(part.split("F")[0])
        for part in drawn.split("\x1b[")[1:]
        if part[0].isdigit() and "F" in part[:4]
    )
    kept = [line for line in drawn.splitlines() if line]
    assert ups == drawn.count("\x1b[K\n")
    assert drawn.endswith("\x1b[?25h")
    assert any("wave canary: 1 device" in line for line in kept)


def test_a_line_told_meanwhile_stays_and_leaves_nothing_of_the_live_view(session, run) -> None:
    stream = io.StringIO()
    view = LiveView(session, stream)

    view.started(run)
    view.tell("stopping: " + "x" * 300)
    view.tick(200.0)
    view.close()

    assert settled(stream.getvalue()).split("\n") == [
        "00:00 rollout r-1: app-1 to 1 device in 1 wave",
        "stopping: " + "x" * 300,
        "",
    ]


def test_lines_above_the_live_ones_break_at_blanks(session, run, monkeypatch) -> None:
    monkeypatch.setenv("COLUMNS", "40")
    stream = io.StringIO()
    view = LiveView(session, stream)

    view.started(run)
    view.close()

    assert settled(stream.getvalue()).split("\n") == [
        "00:00 rollout r-1: app-1 to 1 device in",
        "      1 wave",
        "",
    ]


def test_the_live_view_draws_at_most_ten_times_a_second(session, run, monkeypatch) -> None:
    stream = io.StringIO()
    now = [1000.0]
    monkeypatch.setattr("orchestrator.cli.watching.time.monotonic", lambda: now[0])
    view = LiveView(session, stream)
    view.started(run)

    for _ in range(50):
        now[0] += 0.01
        view.tick(200.0)

    assert stream.getvalue().count("\x1b[?25l") <= 1 + 5


def test_events_begin_with_a_version_and_keep_every_entry(run) -> None:
    stream = io.StringIO()
    writer = EventsWriter(stream, "0.1.0")

    writer.started(run)
    writer.journal([entry(2, "device_state", to="failed", detail="\u2028\x1b")])

    lines = [json.loads(line) for line in stream.getvalue().split("\n") if line]
    assert lines[0] == {
        "type": "version",
        "events": "1.0",
        "tool": "0.1.0",
        "rollout": "r-1",
        "plan_sha256": "e" * 64,
    }
    assert [line["seq"] for line in lines[1:]] == [1, 2]
    assert lines[2]["data"]["detail"] == "\u2028\x1b"
    assert stream.getvalue().isascii()


def test_a_full_disk_stops_the_events_not_the_rollout(run, capsys) -> None:
    class Full(io.StringIO):
        def write(self, text: str) -> int:
            raise OSError(28, "No space left on device")

    writer = EventsWriter(Full(), "0.1.0")

    writer.started(run)
    writer.journal([entry(2, "wave_started")])

    assert capsys.readouterr().err.count("events can no longer be written") == 1


def test_all_watchers_hear_everything(session, run) -> None:
    one, two = PlainView(replace(session, quiet=True)), PlainView(replace(session, quiet=True))
    watchers = Watchers([one, two])

    watchers.started(run)
    watchers.journal([entry(2, "device_state", to="transferring", attempt=1)])
    watchers.working(DEVICE, "copying", 5, 10)
    watchers.tick(300.0)

    for view in (one, two):
        assert view.board.at_work[DEVICE].sent_bytes == 5
        assert view.board.now == 300.0


def standing(run: Run, engine: str = "ann@ops", **told: object) -> Status:
    story = tell(Rollout.start(run.resolved, run.rollout_id, at=101.0))
    told = {"state": RolloutState.RUNNING, "waits_for": ("devices",), **told}
    return Status("r-1", run.resolved, run.digest, replace(story, **told), engine, story.at)


def test_a_watcher_hears_of_waits_and_engines_but_not_of_every_device(session, run, capsys) -> None:
    view = PlainView(session)
    view.started(run)

    view.stands(standing(run))
    at_first = capsys.readouterr().err.splitlines()
    view.stands(standing(run, at=150.0))
    assert capsys.readouterr().err == ""
    view.stands(standing(run, waits_for=("soak",)))
    soaking = capsys.readouterr().err
    view.stands(standing(run))
    assert capsys.readouterr().err == ""
    view.stands(standing(run, held_up=("rollout `r-0`",)))
    assert "waits for rollout `r-0`" in capsys.readouterr().err
    view.stands(standing(run, engine=""))

    assert at_first == [
        "00:00 rollout r-1: app-1 to 1 device in 1 wave",
        "00:00 waits for devices; driven by ann@ops",
        "      next: rollout pause r-1  |  rollout halt r-1",
    ]
    assert "waits for soak" in soaking
    assert "no engine drives it: `rollout resume r-1` goes on" in capsys.readouterr().err


def test_a_live_view_keeps_what_it_waits_for_at_its_foot(session, run) -> None:
    stream = io.StringIO()
    view = LiveView(session, stream)

    view.started(run)
    view.stands(standing(run, engine=""))

    shown = stream.getvalue().rpartition("\x1b[J")[2].splitlines()
    assert "no engine drives it: `rollout resume r-1` goes on" in shown[-1]
