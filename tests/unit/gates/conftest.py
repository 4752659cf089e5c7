import asyncio
import contextlib

import pytest


class Server:
    """A raw HTTP server on loopback: answers are bytes, so that it can misbehave in any way.

    `routes` maps a path to what is sent back; `asked` are the request heads it got. A route `None`
    reads and never answers.
    """

    def __init__(self):
        self.routes = {}
        self.asked = []
        self.port = 0
        self._waiting = asyncio.Event()

    def url(self, path="/", host="127.0.0.1"):
        return f"http://{host}:{self.port}{path}"

    async def serve(self, reader, writer):
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            head = (await reader.readuntil(b"\r\n\r\n")).decode()
            self.asked.append(head)
            answer = self.routes.get(
                head.split()[1], reply(b"nothing here", status="404 Not Found")
            )
            if answer is None:
                await self._waiting.wait()
            else:
                for part in answer if isinstance(answer, list) else [answer]:
                    writer.write(part)
                    await writer.drain()
        writer.close()

    def let_go(self):
        self._waiting.set()


def reply(body=b"", *, status="200 OK", headers=()):
    lines = [f"HTTP/1.1 {status}", f"content-length: {len(body)}", "connection: close", *headers]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


@pytest.fixture(name="reply")
def reply_fixture():
    return reply


@pytest.fixture
async def server():
    made = Server()
    listener = await asyncio.start_server(made.serve, "127.0.0.1", 0)
    made.port = listener.sockets[0].getsockname()[1]
    yield made
    made.let_go()
    listener.close()
    await listener.wait_closed()


@pytest.fixture
async def unused_port():
    listener = await asyncio.start_server(lambda _r, _w: None, "127.0.0.1", 0)
    port = listener.sockets[0].getsockname()[1]
    listener.close()
    await listener.wait_closed()
    return port
