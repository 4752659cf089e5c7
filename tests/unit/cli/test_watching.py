import io
import json
from dataclasses import replace

from orchestrator.cli.watching import EventsWriter, PlainView, Watchers
from orchestrator.render.folds import Pipeline
from tests.unit.cli.watched import DEVICE, entry, standing


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
        assert view.board.at_work.lines[DEVICE].sent_bytes == 5
        assert view.board.now == 300.0


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


def test_a_group_that_a_wave_opened_is_closed_in_the_end(session, run, capsys) -> None:
    view = PlainView(replace(session, pipeline=Pipeline.GITHUB))

    view.started(run)
    view.journal([entry(2, "wave_started")])
    view.close()

    assert capsys.readouterr().err.splitlines() == [
        "00:00 rollout r-1: app-1 to 1 device in 1 wave",
        "::group::00:01 ▶ wave canary: 1 device",
        "::endgroup::",
    ]
