"""What hostile devices say: text that acts, replies that are none, and lies."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import asyncssh

from orchestrator.device.protocol import Verb
from orchestrator.testing.transaction import Line, refuse
from tests.integration.served import Talk, Way

DELIVERY = frozenset({Verb.DELIVER})
DELIVERY_AND_STATUS = frozenset({Verb.DELIVER, Verb.STATUS})
DIGEST = "f" * 64
OTHER_TXN = "0" * 26
DIGITS = "9" * 5000  # more than Python makes a number of


def delivers(act: Callable[[Talk], Any]) -> Way:
    """Strikes in the delivery."""
    return Way(act, DELIVERY)


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
