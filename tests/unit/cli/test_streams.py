import io
import os
import stat
import sys
from pathlib import Path

import pytest

from orchestrator.cli.app import invoke
from orchestrator.cli.closed import Closed
from orchestrator.cli.streams import (
    WIDTH_DEFAULT,
    look_of,
    put,
    say,
    write_file,
    write_result,
)
from orchestrator.errors import ExitCode, OrchestratorError


class Terminal(io.TextIOWrapper):
    def isatty(self) -> bool:
        return True


def terminal(encoding: str = "utf-8") -> Terminal:
    return Terminal(io.BytesIO(), encoding=encoding)


@pytest.fixture(autouse=True)
def _environment(monkeypatch) -> None:
    for name in ("NO_COLOR", "FORCE_COLOR", "CLICOLOR_FORCE", "COLUMNS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TERM", "xterm")


def test_a_terminal_is_coloured_and_a_file_is_not() -> None:
    assert look_of(terminal()).colour is True
    assert look_of(io.TextIOWrapper(io.BytesIO(), encoding="utf-8")).colour is False


def test_no_color_and_the_flag_decide(monkeypatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")

    assert look_of(terminal()).colour is False
    assert look_of(terminal(), "always").colour is True


def test_signs_follow_the_encoding() -> None:
    assert look_of(terminal()).unicode is True
    assert look_of(terminal("ascii")).unicode is False


def test_width_is_the_terminals_or_a_fixed_one(monkeypatch) -> None:
    plain = io.TextIOWrapper(io.BytesIO(), encoding="utf-8")
    assert look_of(plain).width == WIDTH_DEFAULT

    monkeypatch.setenv("COLUMNS", "72")
    assert look_of(plain).width == 72
    monkeypatch.setenv("COLUMNS", "7")
    assert look_of(plain).width == 40


def test_results_go_to_stdout_or_whole_into_a_file(tmp_path, capsys) -> None:
    write_result("one\n", None)
    write_result("two\n", tmp_path / "out.txt")
    say("three")

    shown = capsys.readouterr()
    assert (shown.out, shown.err) == ("one\n", "three\n")
    assert (tmp_path / "out.txt").read_text() == "two\n"
    assert [path.name for path in tmp_path.iterdir()] == ["out.txt"]


def test_a_failed_write_leaves_the_old_file(tmp_path) -> None:
    target = tmp_path / "out"
    target.mkdir()

    with pytest.raises(OrchestratorError, match="cannot write"):
        write_file(target, b"new")

    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_what_is_no_regular_file_is_written_to_and_not_replaced(tmp_path) -> None:
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    reader = os.open(fifo, os.O_RDONLY | os.O_NONBLOCK)

    write_file(fifo, b"hello")

    assert os.read(reader, 100) == b"hello"
    assert stat.S_ISFIFO(fifo.stat().st_mode)
    os.close(reader)


def test_a_link_stays_and_its_target_is_replaced(tmp_path) -> None:
    (tmp_path / "real").write_text("old")
    (tmp_path / "link").symlink_to("real")

    write_file(tmp_path / "link", b"new")

    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "real").read_text() == "new"


@pytest.mark.parametrize("path", [".", "/", ".."])
def test_a_directory_is_no_place_for_a_result(path) -> None:
    with pytest.raises(OrchestratorError, match="is a directory"):
        write_file(Path(path), b"new")


def test_a_reader_who_goes_away_is_no_error(monkeypatch) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    with os.fdopen(writer, "w") as gone:
        monkeypatch.setattr("sys.stdout", gone)

        assert put("one\n") is False
        assert put("two\n") is True  # to nowhere


def test_a_full_disk_is_said(monkeypatch) -> None:
    with Path("/dev/full").open("w") as full:
        monkeypatch.setattr("sys.stdout", full)

        with pytest.raises(OrchestratorError, match="cannot write the result: the disk is full"):
            put("one\n")


def test_nobody_has_to_read_what_is_said(monkeypatch) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    with os.fdopen(writer, "w") as gone:
        monkeypatch.setattr("sys.stderr", gone)

        say("one")
        say("two")


@pytest.mark.parametrize("line", ["version", "hosts all -i hosts.yml", "--help"])
def test_a_result_that_nobody_can_have_is_no_success(line, tmp_path, monkeypatch, capsys) -> None:
    (tmp_path / "hosts.yml").write_text("all: {hosts: {a: {}}}\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "stdout", Closed())

    code = invoke(line.split())

    assert code == ExitCode.USAGE
    assert "cannot write the result: standard output is closed" in capsys.readouterr().err
