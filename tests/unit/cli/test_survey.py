import asyncio
import os
import signal
from dataclasses import replace

import pytest
import typer

from orchestrator.cli.running import wait_for
from orchestrator.cli.survey import before_it_begins, survey_line
from orchestrator.errors import ExitCode


def test_a_terminal_sees_one_line_that_goes_away(session, capsys) -> None:
    show = survey_line(replace(session, live=True))

    show(3, 24)
    show(24, 24)

    shown = capsys.readouterr()
    assert shown.err == "\r\x1b[Kasking devices: 3 of 24\r\x1b[K"
    assert shown.out == ""


@pytest.mark.parametrize(
    ("number", "code", "word"),
    [
        (signal.SIGINT, ExitCode.INTERRUPTED, "interrupted"),
        (signal.SIGTERM, ExitCode.TERMINATED, "terminated"),
    ],
)
def test_who_leaves_while_devices_are_asked_is_told_what_was_not_done(
    session, capsys, number, code, word
) -> None:
    async def asking() -> None:
        os.kill(os.getpid(), number)
        await asyncio.Event().wait()

    with pytest.raises(typer.Exit) as left, before_it_begins(session, "nothing was started"):
        wait_for(asking())

    assert left.value.exit_code == code
    assert capsys.readouterr().err.splitlines()[-1] == f"{word}: nothing was started"


def test_who_leaves_at_a_question_is_told_as_well(session, capsys) -> None:
    with pytest.raises(typer.Exit) as left, before_it_begins(session, "nothing was started"):
        raise KeyboardInterrupt

    assert left.value.exit_code == ExitCode.INTERRUPTED
    assert "interrupted: nothing was started" in capsys.readouterr().err


def test_other_ends_in_there_are_not_commented(session, capsys) -> None:
    with pytest.raises(typer.Exit) as left, before_it_begins(session, "nothing was started"):
        raise typer.Exit(7)

    assert left.value.exit_code == 7
    assert capsys.readouterr().err == ""


def test_a_log_sees_nothing(session, capsys) -> None:
    survey_line(session)(3, 24)

    assert capsys.readouterr().err == ""
