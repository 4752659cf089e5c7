import asyncio
import os
import signal

import pytest
import typer

from orchestrator.cli.running import drive, wait_for
from orchestrator.errors import ExitCode, PlanError


def send(number: signal.Signals) -> None:
    os.kill(os.getpid(), number)


def test_work_gives_its_result() -> None:
    async def work() -> int:
        return 7

    assert wait_for(work()) == 7


def test_errors_pass() -> None:
    async def work() -> int:
        raise PlanError("no")

    with pytest.raises(PlanError, match="no"):
        wait_for(work())


def test_the_first_ctrl_c_asks_to_drain_and_work_ends_as_it_likes(capsys) -> None:
    async def work(drain: asyncio.Event) -> str:
        send(signal.SIGINT)
        await drain.wait()
        return "saved"

    assert drive(work) == "saved"
    assert "devices in flight finish" in capsys.readouterr().err


def test_the_second_ctrl_c_leaves_at_once(capsys) -> None:
    cleaned = []

    async def work(drain: asyncio.Event) -> None:
        try:
            send(signal.SIGINT)
            await drain.wait()
            send(signal.SIGINT)
            await asyncio.Event().wait()
        finally:
            cleaned.append(True)

    with pytest.raises(typer.Exit) as left:
        drive(work)

    assert left.value.exit_code == ExitCode.INTERRUPTED
    assert cleaned == [True]
    assert "the same command goes on with it" in capsys.readouterr().err


def test_sigterm_leaves_at_once() -> None:
    async def work(_drain: asyncio.Event) -> None:
        send(signal.SIGTERM)
        await asyncio.Event().wait()

    with pytest.raises(typer.Exit) as left:
        drive(work)

    assert left.value.exit_code == ExitCode.TERMINATED


def test_ctrl_c_in_reading_work_leaves_without_a_word(capsys) -> None:
    async def work() -> None:
        send(signal.SIGINT)
        await asyncio.Event().wait()

    with pytest.raises(typer.Exit) as left:
        wait_for(work())

    assert left.value.exit_code == ExitCode.INTERRUPTED
    assert capsys.readouterr().err == ""


def test_signals_are_given_back_afterwards() -> None:
    before = signal.getsignal(signal.SIGTERM)

    async def work() -> None:
        return None

    wait_for(work())

    assert signal.getsignal(signal.SIGTERM) == before


def test_sigterm_is_handled_as_before_once_the_work_is_over() -> None:
    async def work() -> None: ...

    def mine(_number: int, _frame: object) -> None: ...

    found = signal.signal(signal.SIGTERM, mine)
    try:
        wait_for(work())
        after = signal.getsignal(signal.SIGTERM)
    finally:
        signal.signal(signal.SIGTERM, found)

    assert after is mine
