import asyncio

import pytest

from tests.loopback import free_port, listening


class Server:
    """A raw HTTP server on loopback: answers are bytes, so that it can misbehave in any way.

    `routes` maps a path to what is sent back; `asked` are the request heads it got. A route `None`
    reads and never answers.
    """

    def __init__(self):
        self.routes = {}
        self.asked = []
        self.port = 0

    def url(self, path="/", host="127.0.0.1"):
        return f"http://{host}:{self.port}{path}"

    async def serve(self, reader, writer):
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        self.asked.append(head)
        answer = self.routes.get(head.split()[1], reply(b"nothing here", status="404 Not Found"))
        if answer is None:
            await asyncio.Event().wait()
        for part in answer if isinstance(answer, list) else [answer]:
            writer.write(part)
            await writer.drain()


def reply(body=b"", *, status="200 OK", headers=()):
    lines = [f"HTTP/1.1 {status}", f"content-length: {len(body)}", "connection: close", *headers]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


@pytest.fixture(name="reply")
def reply_fixture():
    return reply


@pytest.fixture
async def server():
    made = Server()
    async with listening(made.serve) as made.port:
        yield made


@pytest.fixture
def unused_port():
    return free_port()
