"""A person on a device: over a real sshd through the commands, and against devices that misbehave."""

from __future__ import annotations

import asyncio
import contextlib
import getpass
import hashlib
import json
import os
import subprocess
import sys
import termios
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import asyncssh
import pytest

from orchestrator.cli.room import PART_BYTES
from orchestrator.device.model import Address
from orchestrator.device.reason import Reason
from orchestrator.errors import DeviceError, ExitCode
from orchestrator.ssh.channel import Piece
from orchestrator.ssh.login import Ended, RestrictedError
from orchestrator.ssh.profile import SshSettings
from orchestrator.ssh.transport import SshTransport
from tests.in_process import completed
from tests.integration.evil import LOOPBACK, Stage
from tests.integration.sshd import SSHD, sshd
from tests.loopback import free_port
from tests.patience import within
from tests.terminal import Terminal

pytestmark = [pytest.mark.integration, pytest.mark.skipif(SSHD is None, reason="no sshd")]
WHY = ("--reason", "modem does not answer")


@dataclass
class Place:
    """A project with one device, which is this machine behind an sshd of its own."""

    root: Path
    files: Path

    @property
    def env(self) -> dict[str, str]:
        return {**os.environ, "ROLLOUT_CONFIG": str(self.files / "ops.toml")}

    def allow(self, key: str, *what: str) -> None:
        text = f'identity_files = ["{self.files / key}"]\nallow_device_access = {list(what)!r}\n'
        (self.files / "ops.toml").write_text(text)

    def run(self, *words: str) -> tuple[int, str, str]:
        done = completed(words, cwd=self.root, env=self.env)
        return done.returncode, done.stdout, " ".join(done.stderr.split())

    def acts(self) -> list[dict[str, object]]:
        _code, out, _err = self.run("audit", "list", "--format", "json")
        return list(json.loads(out)["acts"])


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[int, str, Path]]:
    """The port of an sshd, its host key, and where the keys `free` and `bound` are."""
    files = tmp_path_factory.mktemp("sshd")
    lines = []
    for name, before in (("free", ""), ("bound", 'restrict,command="echo end 2 0000" ')):
        key = asyncssh.generate_private_key("ssh-ed25519")
        key.write_private_key(files / name)
        (files / name).chmod(0o600)
        lines.append(before + key.export_public_key().decode())
    (files / "authorized").write_text("".join(lines))
    options = {"AuthorizedKeysFile": str(files / "authorized"), "PrintMotd": "no"}
    with asyncio.Runner() as runner:
        context = sshd(files, options, port=free_port())
        server = runner.run(context.__aenter__())
        yield server.port, server.host_key, files
        runner.run(context.__aexit__(None, None, None))


@pytest.fixture
def place(served: tuple[int, str, Path], tmp_path: Path) -> Place:
    port, host_key, files = served
    host = {
        "ansible_host": "127.0.0.1", "ansible_port": port, "ansible_user": getpass.getuser(),
        "rollout_host_keys": [host_key],
    }  # fmt: skip
    root = tmp_path / "project"
    root.mkdir()
    (root / ".git").mkdir()
    (root / "hosts.yml").write_text(json.dumps({"all": {"hosts": {"web": host}}}))
    (root / "rollout.toml").write_text('inventory = ["hosts.yml"]\n')
    found = Place(root, files)
    found.allow("free", "shell", "fetch")
    return found


def test_one_command_runs_as_words_and_is_recorded(place: Place) -> None:
    odd = "$HOME; 'x' \x1b[2J"
    shell = ("device", "shell", "web", *WHY, "--")

    said = place.run(*shell, "printf", "%s", odd)
    failed = place.run(*shell, "sh", "-c", "echo out; echo bad >&2; exit 5")
    late = place.run("device", "shell", "web", *WHY, "--timeout", "1s", "--", "sleep", "60")

    assert said == (0, odd, "")
    assert failed[:2] == (3, "out\n")
    assert failed[2].startswith("bad web: ended with 5 after ")
    assert (late[0], "did not answer in time" in late[2]) == (3, True)
    acts = place.acts()
    ends = [(one["end"]["result"], one["end"]["data"].get("exit_code")) for one in acts]
    assert ends == [("ok", 0), ("ok", 5), ("timeout", None)]
    first = acts[0]
    assert (first["act"], first["device"], first["why"]) == ("device_shell", "web", WHY[1])
    assert str(first["data"]["command"]).startswith("printf %s ")
    assert place.run("audit", "verify")[0] == 0


def test_timeout_and_signals_end_a_command_whose_output_nobody_reads(place: Place) -> None:
    words = [sys.executable, "-m", "orchestrator", "device", "shell", "web", *WHY]
    flood = ("--", "cat", "/dev/zero")
    env = {**place.env, "PYTHONPATH": str(Path.cwd())}
    options = {"cwd": place.root, "env": env, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with subprocess.Popen([*words, "--timeout", "1s", *flood], **options) as late:
        assert late.wait(within(30.0)) == ExitCode.PARTIAL
    with subprocess.Popen([*words, *flood], **options) as ended:
        assert ended.stdout is not None
        assert ended.stdout.read(1) == b"\0"
        ended.terminate()
        assert ended.wait(within(30.0)) == ExitCode.TERMINATED

    ends = [one["end"] for one in place.acts()]
    assert [one["result"] for one in ends] == ["timeout", "cancelled"]
    assert ends[1]["data"]["received_bytes"] > PART_BYTES  # told, however it ended


def test_file_arrives_whole_or_not_at_all(place: Place) -> None:
    data = os.urandom(300_000)
    there = place.root.parent / "it's a log"
    there.write_bytes(data)
    sha256 = hashlib.sha256(data).hexdigest()
    fetch = ("device", "fetch", "web")

    first = place.run(*fetch, str(there), *WHY)
    again = place.run(*fetch, str(there), *WHY)
    forced = place.run(*fetch, str(there), "it's a log", "--force", *WHY)
    large = place.run(*fetch, str(there), "large", "--max-size", "290KiB", *WHY)
    absent = place.run(*fetch, str(there.parent / "none"), "none", *WHY)
    device = place.run(*fetch, "/dev/zero", "zero", *WHY)

    got = place.root / "it's a log"
    assert first == (0, f"{sha256}  {got}\n", "web: 293 KiB")
    assert got.read_bytes() == data
    assert got.stat().st_mode & 0o777 == 0o600
    assert (again[0], "is there already" in again[2]) == (1, True)
    assert forced[0] == 0
    assert (large[0], "is larger than 290 KiB" in large[2]) == (3, True)
    assert (absent[0], "is not there" in absent[2]) == (3, True)
    assert (device[0], "is no regular file" in device[2]) == (3, True)
    left = {".git", ".rollout", "hosts.yml", "it's a log", "rollout.toml"}
    assert {path.name for path in place.root.iterdir()} == left
    acts = place.acts()
    assert [one["end"]["result"] for one in acts] == ["ok", "ok", "io", "io", "io"]
    assert acts[0]["end"]["data"]["sha256"] == sha256


def test_restricted_account_gives_nothing(place: Place) -> None:
    place.allow("bound", "shell", "fetch")

    ran = place.run("device", "shell", "web", *WHY, "--", "id")
    fetched = place.run("device", "fetch", "web", "/etc/hostname", *WHY)

    for code, out, err in (ran, fetched):
        assert (code, out) == (1, "")
        assert "error[D121]" in err
    assert [one["end"]["result"] for one in place.acts()] == ["D121", "D121"]


def test_shell_has_the_persons_terminal_until_it_ends(place: Place) -> None:
    words = [sys.executable, "-m", "orchestrator", "device", "shell", "web", *WHY]
    terminal = Terminal(words, cwd=place.root, env={**place.env, "PYTHONPATH": str(Path.cwd())})
    try:
        terminal.press("echo size-$(stty size | tr ' ' x)-$TERM\r")
        terminal.until("size-30x100-xterm")
        termios.tcsetwinsize(terminal._ours, (20, 77))
        terminal.press(
            "until [ \"$(stty size)\" = '20 77' ]; do sleep 0.05; done; echo re''sized\r"
        )
        terminal.until("resized")
        raw = terminal.modes()
        terminal.press("exit 7\r")
        terminal.until("web: ended with 7 after ")
        code = terminal.end()
        modes = terminal.modes()
    finally:
        terminal.close()

    assert code == 0
    assert modes == terminal.modes_before != raw
    (act,) = place.acts()
    assert act["end"]["result"] == "ok"
    assert act["end"]["data"]["exit_code"] == 7
    assert act["end"]["data"]["sent_bytes"] > 50


# --- devices that misbehave -----------------------------------------------------------------------


class Person:
    """A terminal whose person leaves as soon as something is shown, or stays."""

    kind = "xterm"

    def __init__(self, *, stays: bool = False) -> None:
        self.shown = 0
        self._stays = stays

    def size(self) -> tuple[int, int]:
        return 80, 24

    @contextlib.contextmanager
    def serve(
        self, typed: Callable[[bytes], None], resized: Callable[[], None], gone: Callable[[], None]
    ) -> Iterator[None]:
        typed(b"ls\r")
        resized()
        self._gone = gone
        yield

    def hold(self, held: bool) -> None:
        assert held is not None

    async def show(self, data: bytes) -> None:
        self.shown += len(data)
        if not self._stays:
            self._gone()


async def run_on(
    kind: str, *, deadline_s: float = 30.0, person: Person | None = None
) -> tuple[Ended, bytes]:
    got: list[bytes] = []

    async def take(piece: Piece) -> bool:
        got.append(piece.data)
        return True

    async with Stage() as stage:
        port = await stage.ssh(kind)
        key_file = Path(os.devnull)
        transport = SshTransport(SshSettings())
        address = Address(LOOPBACK, port, "ann", str(key_file), (stage.host_line,))
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(transport._connector._keys, "keys", _keys(stage))
            login = await transport.log_in(address, deadline_s=10)
        try:
            if person is not None:
                return await login.shell(person), b""
            ended = await login.run(("id",), take, deadline_s=deadline_s, limit_bytes=1_000_000)
            return ended, b"".join(got)
        finally:
            await login.close()
            await transport.close()


def _keys(stage: Stage) -> Callable[[object], object]:
    async def keys(_file: object) -> tuple[asyncssh.SSHKey, ...]:
        return (stage.client_key,)

    return keys


@pytest.mark.parametrize(
    "kind", ["honest", "endless_stdout", "endless_stderr", "not_found", "garbage"]
)
async def test_account_that_does_not_say_the_mark_is_none(kind: str) -> None:
    with pytest.raises(RestrictedError):
        await run_on(kind)


@pytest.mark.parametrize(
    ("kind", "reason", "deadline_s"),
    [
        ("obeys_then_floods", Reason.IO, 30.0),
        ("obeys_then_is_silent", Reason.TIMEOUT, 0.5),
        ("silent", Reason.TIMEOUT, 0.5),
        ("closes_early", Reason.CONNECTION_LOST, 30.0),
        ("obeys_and_says_no_end", Reason.CONNECTION_LOST, 30.0),
    ],
)
async def test_device_that_does_not_end_well_is_an_error(
    kind: str, reason: Reason, deadline_s: float
) -> None:
    with pytest.raises(DeviceError) as caught:
        await run_on(kind, deadline_s=deadline_s)

    assert caught.value.reason == reason


async def test_signal_is_told_and_short() -> None:
    ended, _got = await run_on("obeys_and_is_killed")

    assert (ended.exit_code, ended.signal) == (None, "\x1b[2JKILL")


async def test_device_that_reboots_under_a_shell_is_a_lost_connection() -> None:
    with pytest.raises(DeviceError) as caught:
        await run_on("gives_a_terminal_and_reboots", person=Person(stays=True))

    assert caught.value.reason == Reason.CONNECTION_LOST


async def test_person_leaves_a_terminal_that_is_flooded() -> None:
    person = Person()

    ended, _got = await run_on("gives_a_terminal_that_floods", person=person)

    assert (ended.exit_code, ended.signal) == (None, "")
    assert person.shown > 0
