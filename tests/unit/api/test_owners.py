"""Whether the process behind a lease still lives."""

from __future__ import annotations

import os
import socket
import subprocess
import sys

import pytest

from orchestrator.api.owners import is_gone, person, this_process


@pytest.mark.parametrize("name", ["LOGNAME", "USER", "LNAME", "USERNAME"])
def test_nobody_is_somebody_else_by_the_environment(monkeypatch, name):
    """A person has roles, and counts as one approver, by the account."""
    mine = person()

    monkeypatch.setenv(name, "ann")

    assert person() == mine
    assert not person().startswith("ann@")


def test_account_without_a_name_is_its_number(monkeypatch):
    monkeypatch.setattr(os, "getuid", lambda: 2**31 - 7)
    monkeypatch.setenv("LOGNAME", "ann")

    assert person().startswith("2147483641@")


def test_this_process_is_not_gone() -> None:
    assert not is_gone(this_process())


def test_owner_names_the_person_first() -> None:
    assert this_process().startswith(f"{person()}:")


def test_ended_process_is_gone() -> None:
    script = "from orchestrator.api.owners import this_process; print(this_process())"
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )

    assert is_gone(done.stdout.strip())


def test_zombie_is_gone() -> None:
    script = (
        "from orchestrator.api.owners import this_process; print(this_process(), flush=True);"
        "import sys; sys.stdin.read()"
    )
    child = subprocess.Popen(
        [sys.executable, "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert child.stdout is not None
    assert child.stdin is not None
    owner = child.stdout.readline().strip()
    assert not is_gone(owner)

    child.kill()
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)  # ended, and not yet reaped

    assert is_gone(owner)
    child.communicate()


def test_number_used_again_by_another_process_is_gone() -> None:
    name, pid, born, world = this_process().rsplit(":", 3)

    assert is_gone(f"{name}:{pid}:{int(born) - 1}:{world}")


def test_process_of_another_machine_of_the_same_name_is_never_gone() -> None:
    name, pid, born, _ = this_process().rsplit(":", 3)

    assert not is_gone(f"{name}:{pid}:{int(born) - 1}:0123abcd")


@pytest.mark.parametrize(
    "owner", ["", "engine-1", "ann@elsewhere.example:1:1:0", f"ann@{socket.gethostname()}:x:1:0"]
)
def test_owner_that_cannot_be_judged_is_never_gone(owner: str) -> None:
    assert not is_gone(owner)
