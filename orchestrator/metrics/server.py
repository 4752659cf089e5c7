"""Two pages over HTTP: `/metrics` and `/healthz`.

Laws:
1. Only GET and HEAD of these paths are answered; the body of a request is not read.
2. A request has a deadline and a limit, and so has the number of them at once: nobody who connects
   holds up the event loop that drives rollouts.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass

HEAD_BYTES_MAX = 8 * 1024
DEADLINE_S = 10.0
AT_ONCE_MAX = 16


@dataclass(frozen=True, slots=True)
class Page:
    """What is answered."""

    status: int
    content_type: str
    body: bytes


Pages = Mapping[str, Callable[[], Awaitable[Page]]]

_TEXT = "text/plain; charset=utf-8"
_WORDS = {
    200: "OK", 400: "Bad Request", 404: "Not Found", 405: "Method Not Allowed",
    500: "Internal Server Error", 503: "Service Unavailable",
}  # fmt: skip


@contextlib.asynccontextmanager
async def serving(host: str, port: int, pages: Pages) -> AsyncIterator[int]:
    """Serves the pages as long as the block; gives the port.

    Raises:
        OSError: nothing can listen there.
    """
    turns = asyncio.Semaphore(AT_ONCE_MAX)

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            async with asyncio.timeout(DEADLINE_S), turns:
                with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
                    await _answer(reader, writer, pages)
        except TimeoutError:
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(serve, host, port, limit=HEAD_BYTES_MAX)
    try:
        yield int(server.sockets[0].getsockname()[1])
    finally:
        server.close()


async def _answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, pages: Pages) -> None:
    page, with_body = await _page(reader, pages)
    head = (
        f"HTTP/1.1 {page.status} {_WORDS[page.status]}\r\nContent-Type: {page.content_type}\r\n"
        f"Content-Length: {len(page.body)}\r\nCache-Control: no-store\r\nConnection: close\r\n\r\n"
    )
    writer.write(head.encode("ascii") + (page.body if with_body else b""))
    await writer.drain()


async def _page(reader: asyncio.StreamReader, pages: Pages) -> tuple[Page, bool]:
    try:
        head = await reader.readuntil(b"\r\n\r\n")
    except asyncio.LimitOverrunError:
        return _said(400), True
    words = head.partition(b"\r\n")[0].decode("latin-1").split(" ")
    if len(words) != 3:  # noqa: PLR2004  method, target, version
        return _said(400), True
    method, target, _version = words
    make = pages.get(target.partition("?")[0])
    if make is None:
        return _said(404), True
    if method not in ("GET", "HEAD"):
        return _said(405), True
    return await make(), method == "GET"


def _said(status: int) -> Page:
    return Page(status, _TEXT, f"{_WORDS[status].lower()}\n".encode())
