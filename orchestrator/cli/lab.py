"""`rollout lab up | down | status | break`."""

from __future__ import annotations

import asyncio
import contextlib
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from orchestrator import api
from orchestrator.cli.completing import lab_devices
from orchestrator.cli.options import Common, Format, FormatOption, command
from orchestrator.cli.running import wait_for
from orchestrator.cli.session import Session, start
from orchestrator.cli.streams import say, write_result
from orchestrator.errors import ExitCode
from orchestrator.render.json_text import dump
from orchestrator.render.shown import lab_document, lab_text

app = typer.Typer(
    help="A local fleet of real SSH devices to try things on; needs no root.", no_args_is_help=True
)

DirectoryOption = Annotated[
    Path | None,
    typer.Option("--dir", metavar="DIR", help="The lab's own directory; .rollout/lab if unset."),
]
DEVICES_DEFAULT = 24
DEVICES_MAX = 1000


class Server(StrEnum):
    """Which SSH server the devices run."""

    ASYNCSSH = "asyncssh"
    SSHD = "sshd"
    DROPBEAR = "dropbear"


class Mode(StrEnum):
    """What can be wrong with a device."""

    CRASH = "crash"
    SLOW = "slow"
    DISK_FULL = "disk-full"
    REBOOT = "reboot"
    HANG = "hang"
    OFFLINE = "offline"
    NONE = "none"


@command(
    app,
    "up",
    examples="""
rollout lab up
rollout lab up --devices 200 --key release.key.pub
""",
)
def up(
    *,
    common: Common,
    devices: Annotated[
        int, typer.Option("--devices", "-n", min=1, max=DEVICES_MAX, help="How many.")
    ] = DEVICES_DEFAULT,
    server: Annotated[Server, typer.Option("--server", help="Which SSH server.")] = Server.ASYNCSSH,
    key: Annotated[
        list[Path] | None,
        typer.Option("--key", metavar="PUB", help="Public key the devices trust; may repeat."),
    ] = None,
    place: DirectoryOption = None,
    foreground: Annotated[
        bool, typer.Option("--foreground", help="Stay; Ctrl-C takes the lab down.")
    ] = False,
) -> int:
    """Start a fleet on this machine and write its inventory, with pinned host keys."""
    session = start(common)
    request = api.LabRequest(
        directory=_directory(session, place),
        count=devices,
        server=str(server),
        keys=tuple(key or ()),
    )
    if foreground:
        _stay(session, request)
    else:
        _show_up(session, request, wait_for(api.lab_up(request)))
    return ExitCode.DONE


def _show_up(session: Session, request: api.LabRequest, shown: api.LabShown) -> None:
    write_result(f"{shown.inventory}\n", None)
    if not request.keys:
        say(
            "warning: no `--key` was given, so the devices refuse every artifact; take the lab down"
        )
        say("  and start it with `rollout lab up --key release.key.pub`")
    if not session.quiet:
        say(f"{len(shown.devices)} devices are up; use `-i {shown.inventory}`")
        say("next: `rollout lab status`, `rollout lab break DEVICE`, `rollout lab down`")


def _stay(session: Session, request: api.LabRequest) -> None:
    """Starts the lab, waits for Ctrl-C or SIGTERM, then takes it down.

    One piece of work, so that there is no moment in which a signal would leave the lab behind.
    """

    async def until_a_signal() -> None:
        _show_up(session, request, await api.lab_up(request))
        await asyncio.Event().wait()

    with contextlib.suppress(typer.Exit):  # a signal is how this ends
        wait_for(until_a_signal())
    wait_for(api.lab_down(request.directory))


@command(
    app,
    "down",
    examples="""
rollout lab down
""",
)
def down(*, common: Common, place: DirectoryOption = None) -> int:
    """Stop the fleet and remove everything it left."""
    session = start(common)
    directory = _directory(session, place)
    was_up = wait_for(api.lab_down(directory))
    if not session.quiet:
        say("the lab is down" if was_up else f"no lab was started from `{directory}`")
    return ExitCode.DONE


@command(
    app,
    "status",
    examples="""
rollout lab status
rollout lab status --format json
""",
)
def status(
    *,
    common: Common,
    place: DirectoryOption = None,
    format: FormatOption = Format.TEXT,  # noqa: A002
) -> int:
    """Show the fleet's devices, their state and what they run."""
    session = start(common)
    shown = wait_for(api.lab_status(_directory(session, place)))
    if format is Format.JSON:
        text = dump(
            lab_document(str(shown.directory), str(shown.inventory), shown.pid, shown.devices)
        )
    else:
        text = lab_text(shown.devices, session.out)
    write_result(text, None)
    return ExitCode.DONE


@command(
    app,
    "break",
    examples="""
rollout lab break lab-03 --mode disk-full
rollout lab break lab-03 --mode none
""",
)
def break_(
    device: Annotated[
        str,
        typer.Argument(metavar="DEVICE", help="A device of the lab.", autocompletion=lab_devices),
    ],
    *,
    common: Common,
    mode: Annotated[Mode, typer.Option("--mode", help="How; none heals it.")] = Mode.CRASH,
    place: DirectoryOption = None,
) -> int:
    """Break one device of the fleet, to see what a rollout does."""
    session = start(common)
    wait_for(api.lab_break(_directory(session, place), device, str(mode)))
    if not session.quiet:
        say(_BROKEN[mode].format(device=device))
    return ExitCode.DONE


_HEAL = "; `rollout lab break {device} --mode none` heals it"
_BROKEN = {
    Mode.NONE: "{device} is healed",
    Mode.CRASH: "the service of {device} crashes" + _HEAL,
    Mode.SLOW: "{device} is slow" + _HEAL,
    Mode.DISK_FULL: "the disk of {device} is full" + _HEAL,
    Mode.REBOOT: "{device} boots again",
    Mode.HANG: "{device} takes connections and says nothing" + _HEAL,
    Mode.OFFLINE: "{device} refuses connections" + _HEAL,
}


def _directory(session: Session, given: Path | None) -> Path:
    return (given or session.settings.root / ".rollout" / "lab").absolute()
