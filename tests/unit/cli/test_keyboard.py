"""Single keys on a real pseudo-terminal that is the terminal of this process's session, or is not."""

import os
import pty
import termios
from collections.abc import Callable, Iterator

import pytest

from orchestrator.cli.keyboard import Keyboard


def in_a_session(act: Callable[[int], None]) -> int:
    """Runs `act` in a process whose terminal it is; gives how that ended. Its side answers `?`."""
    pid, ours = pty.fork()
    if pid == 0:
        try:
            act(0)
        except BaseException as error:  # noqa: BLE001  the child must not go on as a test run
            os.write(2, repr(error).encode())
            os._exit(1)
        os._exit(0)
    seen = b""
    try:
        while data := os.read(ours, 1024):
            seen += data
            if data.endswith(b"?"):
                os.write(ours, b"p\x1b[Aq\xc3\xa9")
    except OSError:
        pass
    os.close(ours)
    code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    assert code == 0, seen
    return code


def modes(fd: int) -> list[object]:
    return termios.tcgetattr(fd)


def test_keys_come_one_by_one_without_echo_and_arrows_are_none() -> None:
    def act(fd: int) -> None:
        keyboard = Keyboard(fd)
        assert keyboard.open()
        assert not modes(fd)[3] & (termios.ICANON | termios.ECHO)
        assert modes(fd)[3] & termios.ISIG
        os.write(1, b"?")
        keys = keyboard.read()
        while len(keys) < 3:
            keys += keyboard.read()
        assert keys == ["p", "q", "é"], keys
        keyboard.close()

    assert in_a_session(act) == 0


def test_the_terminal_is_as_it_was_also_when_it_is_closed_twice() -> None:
    def act(fd: int) -> None:
        before, keyboard = modes(fd), Keyboard(fd)
        keyboard.open()
        keyboard.open()
        assert modes(fd) != before
        keyboard.close()
        keyboard.close()
        assert modes(fd) == before
        assert not keyboard.is_open

    assert in_a_session(act) == 0


@pytest.fixture
def others() -> Iterator[int]:
    """A terminal that another session has, or none."""
    ours, theirs = pty.openpty()
    yield theirs
    os.close(ours)
    os.close(theirs)


def test_a_terminal_of_others_is_left_alone(others) -> None:
    before, keyboard = modes(others), Keyboard(others)

    assert not keyboard.open()
    keyboard.close()

    assert modes(others) == before


def test_what_is_no_terminal_has_no_keys(tmp_path) -> None:
    with (tmp_path / "file").open("w") as file:
        assert not Keyboard(file.fileno()).open()


def test_the_end_of_a_terminal_is_told() -> None:
    reading, writing = os.pipe()
    os.close(writing)

    with pytest.raises(EOFError):
        Keyboard(reading).read()
    os.close(reading)
    with pytest.raises(EOFError):
        Keyboard(reading).read()
