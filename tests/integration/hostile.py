"""What hostile devices do: D01 to D35, each with what has to come of it.

A device that breaks the grammar does so in its delivery, before anything on it changed; one that
lies does so where the lie would gain something.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import asyncssh
from asyncssh.packet import String
from asyncssh.public_key import load_keypairs

from orchestrator.device.protocol import Verb
from orchestrator.device.reason import Reason
from orchestrator.rollout.states import DeviceState
from orchestrator.testing.device import Lie, Line, refuse
from tests.integration.served import Server, Talk, Way

DELIVERY = frozenset({Verb.DELIVER})
DELIVERY_AND_STATUS = frozenset({Verb.DELIVER, Verb.STATUS})
DIGEST = "f" * 64
OTHER_TXN = "0" * 26
DIGITS = "9" * 5000  # more than Python makes a number of
REQUESTS_COUNT = 5000


@dataclass(frozen=True)
class Case:
    """A way, and how the device ends; `quick`: its deadlines are short, and nothing is tried again."""

    way: Way
    state: DeviceState
    reason: Reason
    quick: bool = False


def fails(reason: Reason, way: Way, *, quick: bool = False) -> Case:
    """The device fails before anything on it changed."""
    return Case(way, DeviceState.FAILED, reason, quick)


def passes(way: Way) -> Case:
    """The device is updated all the same."""
    return Case(way, DeviceState.SUCCEEDED, Reason.OK)


def delivers(act: Callable[[Talk], Any]) -> Way:
    """Strikes in the delivery."""
    return Way(act, DELIVERY)


# --- text ------------------------------------------------------------------------------------


def raw(text: bytes) -> Way:
    """Bytes as they are, sealed by a right end line."""

    async def act(talk: Talk) -> None:
        await talk.hear()
        talk.write(b"detail " + text + b"\n")
        talk.end(69)

    return delivers(act)


def worded(text: str) -> Way:
    """The same as the grammar would have it: encoded, as words of a refusal and everywhere else."""

    async def act(talk: Talk) -> None:
        await talk.hear()
        rc, lines = refuse(69, "install_failed")
        talk.reply((rc, [("artifact", text), ("boot-id", text), *lines, ("detail", text)]))

    return delivers(act)


def encoded(text: bytes) -> Way:
    """A refusal whose words are such bytes once decoded."""

    async def act(talk: Talk) -> None:
        await talk.hear()
        talk.write(b"reason install_failed\ndetail " + text + b"\n")
        talk.end(69)

    return delivers(act)


def speaks(text: str) -> tuple[Case, ...]:
    """Text that acts on a terminal, in both ways."""
    return (
        fails(Reason.PROTOCOL, raw(text.encode())),
        fails(Reason.INSTALL, worded(text)),
    )


# --- replies that are none -------------------------------------------------------------------


async def _flood(writer: asyncssh.SSHWriter[bytes], piece: bytes) -> None:
    while True:
        writer.write(piece)
        await writer.drain()


async def endless_stdout(talk: Talk) -> None:
    await _flood(talk.process.stdout, b"state none\n" * 4096)


async def endless_stderr(talk: Talk) -> None:
    await _flood(talk.process.stderr, b"E" * 65536)


async def drip(talk: Talk) -> None:
    while True:
        talk.process.stdout.write(b"x")
        await asyncio.sleep(0.02)


async def ends_without_closing(talk: Talk) -> None:
    await talk.hear()
    talk.say(("reason", "install_failed"))
    talk.process.stdout.write(f"end 69 {talk.seal}\n".encode())
    talk.process.stdout.write_eof()
    await asyncio.Event().wait()


async def half_without_closing(talk: Talk) -> None:
    await talk.hear()
    talk.say(("state", "none"))
    talk.process.stdout.write_eof()
    await asyncio.Event().wait()


async def no_end(talk: Talk) -> None:
    await talk.hear()
    talk.say(("state", "none"))
    talk.process.exit(0)


async def wrong_end(talk: Talk) -> None:
    await talk.hear()
    talk.say(("state", "none"))
    talk.process.stdout.write(b"end 0 " + DIGEST.encode() + b"\n")
    talk.process.exit(0)


async def talks_on(talk: Talk) -> None:
    await talk.hear()
    talk.say(("state", "none"))
    talk.process.stdout.write(f"end 0 {talk.seal}\nstate committed\n".encode())
    talk.process.exit(0)


def says_twice(_talk: Talk, lines: list[Line]) -> list[Line]:
    """The target, and then that it runs nothing: the last word counts, and is no success."""
    return [*lines, *((key, "none") for key, _ in lines if key == "manifest")]


async def long_value(talk: Talk) -> None:
    await talk.hear()
    talk.reply((0, [("detail", "9" * 60_000)]))


def odd_numbers(talk: Talk, lines: list[Line]) -> list[Line]:
    odd = {"uptime": "-0", "free": DIGITS, "epoch": "\N{SUPERSCRIPT TWO}", "deadline-left": "1e999"}
    told = [(key, odd.get(key, value)) for key, value in lines]
    if talk.request.verb in (Verb.PROVE, Verb.HEALTH):
        told.append(("check", f"service {DIGITS} x"))
    return [*told, ("step", f"stage {DIGITS} ok"), ("have", f"manifest {DIGITS} {DIGEST}")]


def fenced_by(epoch: str) -> Way:
    """Says that a newer engine was there, and who that was when it is asked."""

    async def act(talk: Talk) -> None:
        await talk.hear()
        talk.reply(refuse(76, "fenced"))

    def twist(talk: Talk, lines: list[Line]) -> list[Line]:
        told = {"epoch": epoch, "controller": "ctl"}
        return [(key, told.get(key, value)) for key, value in lines]

    return Way(act, DELIVERY, twist)


# --- lies ------------------------------------------------------------------------------------


def of_another(_talk: Talk, lines: list[Line]) -> list[Line]:
    return [(key, OTHER_TXN if key == "txn" else value) for key, value in lines]


def never_boots(talk: Talk, lines: list[Line]) -> list[Line]:
    told = [(key, "0" if key == "uptime" else value) for key, value in lines]
    return [*told, ("reboot", "yes")] if talk.request.verb is Verb.DELIVER else told


async def claims_commit(talk: Talk) -> None:
    await talk.hear()
    lines = [("state", "committed"), ("txn", talk.request.params["txn"])]
    lines += [("manifest", talk.request.params["unless"]), ("active", "yes"), ("boot-id", "b")]
    talk.reply((0, lines))


def resumes_at(count: int) -> Way:
    """Holds so many bytes of the manifest, it says, each time it is asked."""

    async def act(talk: Talk) -> None:
        await talk.hear()
        if talk.request.verb is Verb.DELIVER:
            talk.reply((3, [("resume-at", f"{count} {DIGEST}")]))
            return
        rc, lines = talk.device.answer(talk.request, talk.device.connect())
        talk.reply((rc, [*lines, ("have", f"manifest {count} {DIGEST}")]))

    return Way(act, DELIVERY_AND_STATUS)


async def busy(talk: Talk) -> None:
    await talk.hear()
    talk.reply(refuse(75, "busy"))


# --- the connection --------------------------------------------------------------------------


async def activates_late(talk: Talk) -> None:
    """Answers the go once the neighbours are done: what halts the rollout now halts no one else."""
    await talk.go_on_until_go()
    await talk.site.settled.wait()
    talk.activate()


class ChangesKey(Server):
    """Has another host key from the second connection on."""

    def connection_made(self, conn: asyncssh.SSHServerConnection) -> None:
        super().connection_made(conn)
        self.site.visits[self.way] += 1
        if self.site.visits[self.way] > 1:
            (pair,) = load_keypairs(self.site.other_key)
            vars(conn)["_server_host_keys"] = {pair.algorithm: pair}


async def many_lines(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    for _ in range(1100):
        writer.write(b"\x1b[2J" + b"b" * 1000 + b"\r\n")
    await writer.drain()
    await reader.read()


class Banner(Server):
    def begin_auth(self, username: str) -> bool:
        self.conn.send_auth_banner("\x1b[2J" + "b" * 100_000)
        return True


def always_partial(conn: Any) -> None:
    failure = conn.send_userauth_failure
    conn.send_userauth_failure = lambda _partial: failure(True)


def _hangs_up(talk: Talk) -> None:
    talk.connection.disconnect(2, "\x1b]0;owned\x07\x1b[2J")


async def hangs_up(talk: Talk) -> None:
    _hangs_up(talk)
    await talk.hear()


class HangsUpAtOnce(Server):
    def begin_auth(self, username: str) -> bool:
        self.conn.disconnect(2, "\x1b]0;owned\x07\x1b[2J")
        return True


def confirms(*, window: int | None = None, packet: int | None = None) -> Callable[[Any], None]:
    """Opens channels with limits of its own."""

    def greet(conn: Any) -> None:
        confirm = conn.send_channel_open_confirmation

        def send(to: int, own: int, own_window: int, own_packet: int, *rest: bytes) -> None:
            own_window = own_window if window is None else window
            confirm(to, own, own_window, own_packet if packet is None else packet, *rest)

        conn.send_channel_open_confirmation = send

    return greet


async def takes_nothing(_talk: Talk) -> None:
    await asyncio.Event().wait()


async def keys_anew(talk: Talk) -> None:
    while True:
        talk.process.stderr.write(b"k")
        await asyncio.sleep(0)


class ManyRequests(Server):
    """Announces other host keys, thousands of times."""

    def auth_completed(self) -> None:
        key = String(self.site.other_key.public_data)
        for _ in range(REQUESTS_COUNT):
            self.conn._send_global_request(b"hostkeys-00@openssh.com", key)


class ManyRequestsThenOther(ManyRequests, ChangesKey):
    """And then has the key that it announced."""


async def reaches_back(talk: Talk) -> None:
    """Opens channels to the controller's network, screen and agent; a way in would be said."""
    conn = talk.connection
    for opened in (
        lambda: conn.create_connection(asyncssh.SSHTCPSession, "127.0.0.1", 22),
        lambda: conn.create_x11_channel().open(asyncssh.SSHTCPSession, "127.0.0.1", 6000),
        lambda: conn.create_agent_channel().open(asyncssh.SSHTCPSession),
    ):
        with suppress(asyncssh.ChannelOpenError):
            await opened()
            talk.write(b"\x1breached the controller\n")
    await talk.go_on()


def _serves_files(_channel: object) -> asyncssh.SFTPServer:
    raise AssertionError("nobody asks a device for files")


LOST_TRUST = (DeviceState.LOST, Reason.HOST_KEY)
CASES: Mapping[str, tuple[Case, ...]] = {
    "D01-clear-screen": speaks("\x1b[2J\x1b[H"),
    "D02-window-title": speaks("\x1b]0;owned\x07"),
    "D03-clipboard": speaks("\x1b]52;c;cm0gLXJmIH4=\x07"),
    "D04-overwritten-line": speaks("failed\rdone   100 %"),
    "D05-bidi": speaks("\u202egnp.exe\u2066\x9b2J"),
    "D06-markup": (fails(Reason.INSTALL, worded("[bold red]all is well[/] {{7*7}} %s")),),
    "D07-no-utf8": (
        fails(Reason.PROTOCOL, raw(b"\xff\xfe")),
        fails(Reason.INSTALL, encoded(b"%ff%fe%c3")),
    ),
    "D08-endless-stdout": (fails(Reason.PROTOCOL, delivers(endless_stdout)),),
    "D09-endless-stderr": (fails(Reason.PROTOCOL, delivers(endless_stderr)),),
    "D10-drip": (fails(Reason.TIMEOUT, delivers(drip), quick=True),),
    "D11-never-closes": (
        fails(Reason.INSTALL, delivers(ends_without_closing), quick=True),
        fails(Reason.TIMEOUT, delivers(half_without_closing), quick=True),
    ),
    "D12-no-end": (fails(Reason.PROTOCOL, delivers(no_end)),),
    "D13-wrong-end": (fails(Reason.PROTOCOL, delivers(wrong_end)),),
    "D14-talks-on": (fails(Reason.PROTOCOL, delivers(talks_on)),),
    "D15-said-twice": (Case(Way(twist=says_twice), DeviceState.ROLLED_BACK, Reason.READ_BACK),),
    "D16-long-value": (fails(Reason.PROTOCOL, delivers(long_value)),),
    "D17-odd-numbers": (
        passes(Way(twist=odd_numbers)),
        fails(Reason.FENCED, fenced_by("\N{SUPERSCRIPT TWO}")),
        fails(Reason.FENCED, fenced_by(DIGITS)),
    ),
    "D18-another-device": (Case(Way(twist=of_another), DeviceState.ROLLED_BACK, Reason.READ_BACK),),
    "D19-stale-nonce": (Case(Way(lie=Lie.NONCE), DeviceState.ROLLED_BACK, Reason.PROTOCOL),),
    "D20-other-content": (Case(Way(corrupt=True), DeviceState.ROLLED_BACK, Reason.READ_BACK),),
    "D21-no-boot": (Case(Way(twist=never_boots), DeviceState.ROLLED_BACK, Reason.REBOOT),),
    "D22-state-jump": (fails(Reason.INTERRUPTED, delivers(claims_commit)),),
    "D23-resume-beyond": (fails(Reason.IO, resumes_at(10**9)),),
    "D24-wrong-prefix": (fails(Reason.IO, resumes_at(10)),),
    "D25-always-busy": (fails(Reason.BUSY, delivers(busy)),),
    "D26-other-host-key": (Case(Way(activates_late, DELIVERY, server=ChangesKey), *LOST_TRUST),),
    "D27-banner": (
        fails(Reason.CONNECTION_LOST, Way(stream=many_lines)),
        passes(Way(server=Banner)),
    ),
    "D28-partial-success": (
        fails(
            Reason.AUTHENTICATION,
            Way(
                greet=always_partial,
                options={"authorized_client_keys": asyncssh.import_authorized_keys("")},
            ),
        ),
    ),
    "D29-last-words": (
        fails(Reason.CONNECTION_LOST, delivers(hangs_up)),
        fails(Reason.CONNECTION_LOST, Way(server=HangsUpAtOnce)),
    ),
    "D30-no-window": (
        fails(Reason.TIMEOUT, Way(takes_nothing, DELIVERY, greet=confirms(window=0)), quick=True),
    ),
    "D31-no-packet": (fails(Reason.CONNECTION_LOST, Way(greet=confirms(packet=0))),),
    "D32-rekey-storm": (
        fails(Reason.TIMEOUT, Way(keys_anew, DELIVERY, options={"rekey_bytes": 1}), quick=True),
    ),
    "D33-global-requests": (
        passes(Way(server=ManyRequests)),
        Case(Way(activates_late, DELIVERY, server=ManyRequestsThenOther), *LOST_TRUST),
    ),
    "D34-opens-channels": (passes(delivers(reaches_back)),),
    "D35-files": (passes(Way(options={"sftp_factory": _serves_files})),),
}
