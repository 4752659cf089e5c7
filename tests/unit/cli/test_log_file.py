import json
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace

import jsonschema
import pytest

from orchestrator.cli.log_file import JournalLog, open_log
from orchestrator.cli.options import LogFormat
from orchestrator.errors import OrchestratorError
from orchestrator.log import Log
from orchestrator.rollout.events import JournalEntry
from tests.schema_of import SCHEMAS

log = Log("test")
Opened = Callable[..., Callable[[], list[str]]]


@pytest.fixture
def opened(tmp_path: Path) -> Iterator[Opened]:
    """Opens a log and gives what reads its lines."""
    file = tmp_path / "a.log"

    def begin(form: LogFormat = LogFormat.TEXT, *, everything: bool = False):
        open_log(str(file), form, everything=everything)
        return lambda: file.read_text("utf-8").splitlines()

    yield begin
    open_log(None, LogFormat.TEXT, everything=False)


def test_nobody_hears_anything_where_no_log_was_opened(capfd) -> None:
    log.error("broken", device="gw-1")

    assert capfd.readouterr() == ("", "")


def test_line_of_text_has_time_level_event_and_fields(opened: Opened) -> None:
    lines = opened()

    log.warning("tried", device="gw-1", took_s=0.25, again=True, why="", words="a b")

    (line,) = lines()
    at, rest = line.split(" ", 1)
    assert at.endswith("Z")
    assert rest == 'warning test.tried device=gw-1 took_s=0.25 again=true why="" words="a b"'


def test_line_of_json_is_an_object_whose_head_no_field_replaces(opened: Opened) -> None:
    lines = opened(LogFormat.JSON)

    log.info("tried", device="gw-1", took_s=0.5, why=None, level="forged", event="forged")

    (found,) = map(json.loads, lines())
    jsonschema.validate(found, json.loads((SCHEMAS / "log.v1.json").read_text()))
    assert (found["event"], found["level"], found["device"]) == ("test.tried", "info", "gw-1")


@pytest.mark.parametrize("form", list(LogFormat))
def test_what_a_device_says_makes_no_lines_of_its_own(opened: Opened, form) -> None:
    lines = opened(form)

    log.info("said", text='x\n2026-11-26T00:00:00Z error forged\x1b[2J\u202e"\u2028')

    (line,) = lines()
    assert line.isprintable()
    assert line.count("forged") == 1


def test_each_step_is_told_only_where_everything_is_wanted(opened: Opened) -> None:
    lines = opened()
    log.debug("step")
    few = lines()
    opened(everything=True)

    log.debug("step")

    assert (few, len(lines())) == ([], 1)


def test_log_that_cannot_be_opened_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(OrchestratorError, match="cannot write the log"):
        open_log(str(tmp_path / "none/a.log"), LogFormat.TEXT, everything=False)


def test_without_the_log_that_was_wanted_nobody_hears_anything(tmp_path: Path, capfd) -> None:
    with pytest.raises(OrchestratorError):
        open_log(str(tmp_path / "none/log"), LogFormat.TEXT, everything=False)

    log.error("failed")

    assert capfd.readouterr() == ("", "")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="/dev/full is Linux's")
def test_log_that_cannot_be_written_stops_nothing(capfd) -> None:
    open_log("/dev/full", LogFormat.TEXT, everything=False)

    log.info("tried")
    open_log(None, LogFormat.TEXT, everything=False)

    assert capfd.readouterr() == ("", "")


def test_journal_is_logged_by_how_much_it_matters(opened: Opened) -> None:
    lines = opened(everything=True)
    told = JournalLog()
    told.started(SimpleNamespace(rollout_id="r-1", joined=True))

    told.journal([
        JournalEntry(1, 1.0, "wave_started", "canary", data={"devices": ["a", "b"]}),
        JournalEntry(2, 1.0, "device_state", "canary", "a", {"to": "activating"}),
        JournalEntry(3, 1.0, "device_state", "canary", "a", {"to": "failed"}),
        JournalEntry(4, 1.0, "halted", data={"cause": "budget"}),
    ])  # fmt: skip

    levels = [line.split(" ")[1] for line in lines()]
    assert levels == ["info", "info", "debug", "warning", "warning"]
    assert "rollout=r-1 seq=3 wave=canary device=a" in lines()[3]
