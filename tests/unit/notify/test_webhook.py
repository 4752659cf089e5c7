import contextlib
import re

import pytest

from orchestrator.notify.event import cloud_event
from orchestrator.notify.signature import headers
from orchestrator.notify.webhook import WebhookNotifier
from orchestrator.outward.failure import OutwardError
from orchestrator.outward.tokens import Tokens
from orchestrator.plan.resolved import Hook, HookEvent
from orchestrator.testing.notifier_contract import NOTICE
from tests.loopback import listening

SOURCE = "urn:x"


class Receiver:
    def __init__(self):
        self.answer = b"HTTP/1.1 204 No Content\r\n\r\n"
        self.asked = []
        self.port = 0

    @contextlib.asynccontextmanager
    async def running(self, tls=None):
        async with listening(self._serve, tls=tls) as self.port:
            yield self

    async def _serve(self, reader, writer):
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        length = int(re.search(r"content-length: (\d+)", head, re.IGNORECASE)[1])
        self.asked.append((head, await reader.readexactly(length)))
        writer.write(self.answer)
        await writer.drain()


@pytest.fixture
async def receiver():
    async with Receiver().running() as made:
        yield made


def hook(port, path="/hook?x=1", scheme="http"):
    return Hook((HookEvent.HALTED,), http=f"{scheme}://127.0.0.1:{port}{path}")


async def tell(receiver, *, secrets=None, **more):
    notifier = WebhookNotifier(SOURCE, secrets or Tokens(), lambda: 1234.5)
    await notifier.tell(hook(receiver.port, **more), NOTICE, deadline_s=10)


async def test_event_is_posted_in_structured_mode_with_its_signature(receiver):
    secrets = Tokens([f"http://127.0.0.1:{receiver.port}=env:S"], {"S": "s3cret"})

    await tell(receiver, secrets=secrets)

    [(head, body)] = receiver.asked
    assert head.startswith("POST /hook?x=1 HTTP/1.1\r\n")
    assert "content-type: application/cloudevents+json; charset=utf-8\r\n" in head.lower()
    assert body == cloud_event(NOTICE, SOURCE)
    for name, value in headers(NOTICE.id, 1234.5, body, "s3cret").items():
        assert f"{name}: {value}\r\n" in head
    assert "s3cret" not in head
    assert b"s3cret" not in body


async def test_secret_is_of_one_origin_only(receiver):
    await tell(receiver, secrets=Tokens(["http://other.example=env:S"], {"S": "s3cret"}))

    assert "webhook-signature" not in receiver.asked[0][0]


@pytest.mark.parametrize("status", ["301 Moved", "302 Found", "307 Temporary", "308 Permanent"])
async def test_redirect_is_followed_nowhere(receiver, status):
    async with Receiver().running() as elsewhere:
        to = f"http://127.0.0.1:{elsewhere.port}/"
        head = f"HTTP/1.1 {status}\r\nlocation: {to}\r\ncontent-length: 0\r\n\r\n"
        receiver.answer = head.encode()

        with pytest.raises(OutwardError, match=f"answered {status[:3]}"):
            await tell(receiver)

        assert elsewhere.asked == []
    assert len(receiver.asked) == 1


@pytest.mark.parametrize("status", ["400 Bad", "404 Gone", "429 Slow", "500 Oh"])
async def test_only_2xx_means_taken(receiver, status):
    receiver.answer = f"HTTP/1.1 {status}\r\ncontent-length: 0\r\n\r\n".encode()

    with pytest.raises(OutwardError):
        await tell(receiver)


async def test_endless_answer_is_not_read(receiver):
    receiver.answer = b"HTTP/1.1 200 OK\r\ncontent-length: 999999999999\r\n\r\nxxx"

    await tell(receiver)


async def test_certificate_that_nobody_vouches_for_gets_nothing(server_tls):
    async with Receiver().running(server_tls) as receiver:
        with pytest.raises(OutwardError, match=r"(?i)certificate"):
            await tell(receiver, scheme="https")

        assert receiver.asked == []


@pytest.mark.parametrize("url", ["ftp://h/", "http://me:s3cret@h/", "nothing"])
def test_address_that_may_not_be_told_is_refused_in_advance(url):
    notifier = WebhookNotifier(SOURCE, Tokens(), lambda: 0.0)

    found = notifier.refused(Hook((HookEvent.HALTED,), http=url))

    assert found
    assert "s3cret" not in found


def test_secret_that_cannot_be_read_is_refused_in_advance():
    notifier = WebhookNotifier(SOURCE, Tokens(["http://h=env:GONE"], {}), lambda: 0.0)

    assert "missing" in notifier.refused(Hook((HookEvent.HALTED,), http="http://h/"))
