"""`rollout device logs | shell | fetch`: a person looks at one device, beside all rollouts."""

from __future__ import annotations

import codecs
import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TextIO

import typer

from orchestrator import api
from orchestrator.cli.completing import hosts
from orchestrator.cli.logs import logs_text
from orchestrator.cli.options import (
    Common,
    Format,
    FormatOption,
    Output,
    SourceOptions,
    command,
    seconds,
)
from orchestrator.cli.room import parts, until_room
from orchestrator.cli.running import wait_for
from orchestrator.cli.session import source_of, start
from orchestrator.cli.streams import mute, put, say, write_result
from orchestrator.cli.terminal import RawTerminal
from orchestrator.errors import ExitCode, OrchestratorError, PlanError, system_reason
from orchestrator.render.text import escape
from orchestrator.units import format_duration, format_size, parse_size

if TYPE_CHECKING:
    from orchestrator.ssh.channel import Piece

app = typer.Typer()

DeviceArgument = Annotated[
    str, typer.Argument(metavar="DEVICE", help="Name of one device.", autocompletion=hosts)
]
TIMEOUT_DEFAULT = format_duration(api.ACCESS_S)


@dataclass(frozen=True, slots=True)
class AccessOptions:
    """Why, as whom, and how long."""

    reason: Annotated[str, typer.Option("--reason", metavar="TEXT", help="Why, for the journal.")]
    login: Annotated[
        str | None,
        typer.Option(
            "--login", metavar="USER", help="Ordinary account there; the inventory's user."
        ),
    ] = None
    timeout: Annotated[
        str, typer.Option("--timeout", metavar="TIME", help="How long a command or file may take.")
    ] = TIMEOUT_DEFAULT

    def request(self, device: str, source: SourceOptions) -> api.AccessRequest:
        """The options as the api takes them.

        Raises:
            typer.BadParameter: the reason says nothing.
        """
        if not self.reason.strip():
            message = "says nothing"
            raise typer.BadParameter(message, param_hint="--reason")
        return api.AccessRequest(device, source_of(source), self.reason, self.login)

    @property
    def deadline_s(self) -> float:
        """How long it may take."""
        return seconds(self.timeout, "--timeout")


@command(
    app,
    "logs",
    examples="""
rollout device logs gw-044
rollout device logs gw-044 --format json
""",
)
def logs(
    device: DeviceArgument,
    *,
    common: Common,
    output: Output,
    format: FormatOption = Format.TEXT,  # noqa: A002
) -> int:
    """Show what happened to a device in its newest rollout, and what its update module said last.

    As `rollout logs` of that rollout; that the device was asked is recorded. It may forbid it.
    """
    session = start(common)
    told, log = wait_for(api.device_log(session.settings, device))
    write_result(logs_text(session, told, log, format), output.output)
    return ExitCode.DONE


@command(
    app,
    "shell",
    examples="""
rollout device shell gw-044 --login ann --reason 'modem does not answer'
rollout device shell gw-044 --login ann --reason 'modem does not answer' -- dmesg
""",
)
def shell(
    device: DeviceArgument,
    words: Annotated[
        list[str] | None,
        typer.Argument(metavar="WORDS", help="One command, without a terminal."),
    ] = None,
    *,
    common: Common,
    source: SourceOptions,
    options: AccessOptions,
) -> int:
    """Open a shell on a device, or run one command there; recorded, and off unless allowed.

    By an ordinary account, never by the one that enrolment made: that one gives none. What the
    device sends goes to your terminal as it is, as with `ssh`; `~.` at the beginning of a line
    leaves. Behind `--` stands a command as words, which no shell reads again; what it writes is
    shown escaped on a terminal, and it is left after `--timeout`, or when nobody reads it any more.
    The exit code is 3 where it did not end with 0, which stderr says.
    """
    session = start(common)
    request = options.request(device, source)
    if words:
        took = api.device_run(
            session.settings, request, words, _Output().take, deadline_s=options.deadline_s
        )  # fmt: skip
    else:
        took = api.device_shell(session.settings, request, _terminal())
    done = wait_for(took)
    failed = done.exit_code not in (0, None) or done.signal != ""
    if failed or not words:
        say(f"{escape(done.device)}: {_end(done)} after {format_duration(round(done.took_s))}")
    return ExitCode.PARTIAL if failed and words else ExitCode.DONE


@command(
    app,
    "fetch",
    examples="""
rollout device fetch gw-044 /var/log/syslog --login ann --reason 'modem does not answer'
rollout device fetch gw-044 /var/log/auth.log logs/ --login ann --become sudo --reason 'incident 12'
""",
)
def fetch(  # noqa: PLR0913  each is an option of the command line
    device: DeviceArgument,
    path: Annotated[str, typer.Argument(metavar="PATH", help="The file there, from `/` on.")],
    target: Annotated[
        Path | None, typer.Argument(metavar="DEST", help="File or directory here; `.` if unset.")
    ] = None,
    *,
    common: Common,
    source: SourceOptions,
    options: AccessOptions,
    become: Annotated[
        str | None, typer.Option("--become", metavar="HOW", help="Read it as root: sudo or doas.")
    ] = None,
    max_size: Annotated[
        str, typer.Option("--max-size", metavar="SIZE", help="How large it may be.")
    ] = format_size(api.FETCH_BYTES_MAX).replace(" ", ""),
    force: Annotated[bool, typer.Option("--force", help="Replace a file that is there.")] = False,
) -> int:
    """Copy one file of a device to here, whole or not at all; recorded, and off unless allowed.

    By an ordinary account, as `device shell`. Its SHA-256 is printed and recorded.
    """
    if become not in (None, "sudo", "doas"):
        raise typer.BadParameter("is sudo or doas", param_hint="--become")
    try:
        limit_bytes = parse_size(max_size)
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="--max-size") from None
    session = start(common)
    request = api.FetchRequest(
        options.request(device, source), path, target, force=force, become=become,
        limit_bytes=limit_bytes, deadline_s=options.deadline_s,
    )  # fmt: skip
    done = wait_for(api.device_fetch(session.settings, request))
    put(f"{done.sha256}  {escape(str(done.file), limit=4096)}\n")
    say(f"{escape(done.device)}: {format_size(done.size_bytes)}")
    return ExitCode.DONE


def _terminal() -> RawTerminal:
    """The person's terminal.

    Raises:
        PlanError: there is none.
    """
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        message = "a shell needs a terminal, and this is none"
        hint = "run one command: `rollout device shell DEVICE --reason TEXT -- WORDS...`"
        raise PlanError(message, hint=hint, code="D125")
    return RawTerminal(sys.stdin.fileno(), sys.stdout.fileno(), os.environ.get("TERM", ""))


def _end(done: api.Accessed) -> str:
    if done.exit_code is not None:
        return f"ended with {done.exit_code}"
    return f"ended by signal {escape(done.signal, limit=20)}" if done.signal else "left"


class _Output:
    """Hands on what a command on a device writes; on a terminal it can only be read."""

    def __init__(self) -> None:
        decoder = codecs.getincrementaldecoder("utf-8")
        self._decoders = {is_error: decoder("backslashreplace") for is_error in (False, True)}

    async def take(self, piece: Piece) -> bool:
        """Writes a piece as fast as it is read; False when nobody reads it any more.

        Raises:
            OrchestratorError: it cannot be written.
        """
        stream = sys.stderr if piece.is_error else sys.stdout
        data = piece.data
        if stream.isatty():
            text = self._decoders[piece.is_error].decode(data)
            data = visible(text).encode(stream.encoding, errors="backslashreplace")
        for part in parts(data):
            await until_room(stream)
            if not _write(stream, part):
                return False
        return True


def visible(text: str) -> str:
    """Lines of foreign text as they can be read and nothing else; tabs are left."""
    return "\n".join(
        "\t".join(
            escape(part, limit=len(part) * 10) for part in line.removesuffix("\r").split("\t")
        )
        for line in text.split("\n")
    )


def _write(stream: TextIO, data: bytes) -> bool:
    try:
        stream.buffer.write(data)
        stream.buffer.flush()
    except BrokenPipeError:
        mute(stream)
        return False
    except OSError as error:
        mute(stream)
        message = f"cannot write the result: {system_reason(error)}"
        raise OrchestratorError(message) from error
    return True
