"""All notifiers pass the one contract; the other sides are real: HTTP, programs, a mail server."""

import asyncio
import json
import re
from contextlib import asynccontextmanager

from orchestrator.notify.command import CommandNotifier
from orchestrator.notify.mail import MailNotifier, MailServer
from orchestrator.notify.notifiers import Notifiers
from orchestrator.notify.webhook import WebhookNotifier
from orchestrator.outward.command import Commands
from orchestrator.outward.tokens import Tokens
from orchestrator.plan.resolved import Hook, HookEvent
from orchestrator.testing.contracts import NotifierCase, NotifierContract
from orchestrator.testing.notifier import BROKEN, FORBIDDEN, SILENT, SimulatedNotifier
from tests.loopback import listening
from tests.unit.notify import mail_server

EVENTS = (HookEvent.HALTED,)
SOURCE = "urn:rollout-orchestrator:controller:0123"


def http(url):
    return Hook(EVENTS, http=url)


def email(address):
    return Hook(EVENTS, email=address)


def command(*words):
    return Hook(EVENTS, command=words)


class TestSimulated(NotifierContract):
    @asynccontextmanager
    async def make(self):
        notifier = SimulatedNotifier()
        yield NotifierCase(
            notifier, lambda: [notice.id for _, notice in notifier.told],
            http("http://good.example/"), http(BROKEN), http(SILENT), http(FORBIDDEN),
        )  # fmt: skip


@asynccontextmanager
async def receiver():
    """An HTTP server: /good takes, /broken refuses, /silent says nothing; the ids it took."""
    taken = []

    async def serve(reader, writer):
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        length = int(re.search(r"content-length: (\d+)", head, re.IGNORECASE)[1])
        event = json.loads(await reader.readexactly(length))
        if "/silent" in head:
            await asyncio.Event().wait()
        status = "200 OK" if "/good" in head else "503 \x1b[2J"
        taken.extend([event["id"]] if "/good" in head else [])
        writer.write(f"HTTP/1.1 {status}\r\ncontent-length: 0\r\n\r\n".encode())
        await writer.drain()

    async with listening(serve) as port:
        yield f"http://127.0.0.1:{port}", taken


class TestWebhook(NotifierContract):
    @asynccontextmanager
    async def make(self):
        async with receiver() as (at, taken):
            secrets = Tokens([f"{at}=env:GOOD", "http://no.example=env:NONE"], {"GOOD": "s3cret"})
            notifier = WebhookNotifier(SOURCE, secrets, lambda: 0.0)
            yield NotifierCase(
                notifier, lambda: taken,
                http(f"{at}/good"), http(f"{at}/broken"), http(f"{at}/silent"),
                http("http://no.example/"),
            )  # fmt: skip


class TestCommand(NotifierContract):
    @asynccontextmanager
    async def make(self, tmp_path_factory=None):
        import tempfile
        from pathlib import Path

        with tempfile.TemporaryDirectory() as directory:
            log = Path(directory) / "log"
            log.touch()

            def taken():
                return [json.loads(line)["id"] for line in log.read_text().splitlines()]

            notifier = CommandNotifier(SOURCE, Commands(("/bin/sh", "/nonexistent/program")))
            yield NotifierCase(
                notifier, taken,
                command("/bin/sh", "-c", 'cat >>"$1" && echo >>"$1"', "sh", str(log)),
                command("/bin/sh", "-c", "exit 3"),
                command("/bin/sh", "-c", "sleep 600 & exec sleep 600"),
                command("/bin/cat"),
            )  # fmt: skip


class TestMail(NotifierContract):
    @asynccontextmanager
    async def make(self):
        good, broken, silent = (mail_server.MailServer() for _ in range(3))
        broken.answers = {"RCPT": "550 nobody\x1b[2J here"}
        silent.answers = {"MAIL": None}
        async with good.running(), broken.running(), silent.running():
            to = {"good@a.example": good, "broken@a.example": broken, "silent@a.example": silent}
            notifier = _ByRecipient(
                {address: _mail(server.port) for address, server in to.items()}
                | {"forbidden@a.example": MailNotifier(SOURCE, MailServer())}
            )

            def taken():
                found = (re.search(r"Message-ID: <(.*?)\.(\d+)@", one) for one in good.letters)
                return [f"{one[1]}/{one[2]}" for one in found]

            yield NotifierCase(notifier, taken, *map(email, to), email("forbidden@a.example"))


def _mail(port):
    return MailNotifier(SOURCE, MailServer(f"smtp://127.0.0.1:{port}", "rollout@example.org"))


class _ByRecipient:
    """Each recipient has a server of its own, as the contract wants several."""

    def __init__(self, notifiers):
        self._notifiers = notifiers

    def refused(self, hook):
        return self._notifiers[hook.email].refused(hook)

    async def tell(self, hook, notice, *, deadline_s):
        await self._notifiers[hook.email].tell(hook, notice, deadline_s=deadline_s)


class TestAllTogether(NotifierContract):
    """What an engine gets: each hook goes to the one for its way."""

    @asynccontextmanager
    async def make(self):
        async with receiver() as (at, taken):
            webhook = WebhookNotifier(SOURCE, Tokens(), lambda: 0.0)
            commands = CommandNotifier(SOURCE, Commands(("/bin/sh",)))
            notifier = Notifiers(webhook, commands, MailNotifier(SOURCE, MailServer()))
            yield NotifierCase(
                notifier, lambda: taken,
                http(f"{at}/good"), command("/bin/sh", "-c", "exit 1"), http(f"{at}/silent"),
                email("ops@example.org"),
            )  # fmt: skip
