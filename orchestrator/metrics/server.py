"""Two pages over HTTP: `/metrics` and `/healthz`.

Laws:
1. Only GET and HEAD of these paths are answered; the body of a request is not read.
2. A request has a deadline and a limit, and so has the number of them at once: nobody who connects
   holds up the event loop that drives rollouts.
3. Nor does anybody hold up others: who has not asked yet takes no turn, and where too many are
   connected the one that came first leaves.
4. When the block ends nobody is answered any more, and nothing is said of who was cut off.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass

HEAD_BYTES_MAX = 8 * 1024
DEADLINE_S = 10.0
PAGES_AT_ONCE_MAX = 16  # each looks into the store
CONNECTIONS_MAX = 256


@dataclass(frozen=True, slots=True)
class Page:
    """What is answered."""

    status: int
    content_type: str
    body: bytes


Pages = Mapping[str, Callable[[], Awaitable[Page]]]

_WRONG_METHOD = 405
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
    turns = asyncio.Semaphore(PAGES_AT_ONCE_MAX)
    talks: dict[asyncio.Task[None], None] = {}  # in the order in which they came

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(TimeoutError, ConnectionError, asyncio.IncompleteReadError):
            async with asyncio.timeout(DEADLINE_S):
                await _answer(reader, writer, pages, turns)

    # No coroutine: what asyncio itself would make of one complains when it is cancelled.
    def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if len(talks) >= CONNECTIONS_MAX:
            next(iter(talks)).cancel()
        task = asyncio.create_task(serve(reader, writer), name="a request for a page")
        talks[task] = None

        def end(done: asyncio.Task[None]) -> None:
            talks.pop(done, None)
            writer.close()

        task.add_done_callback(end)

    server = await asyncio.start_server(accept, host, port, limit=HEAD_BYTES_MAX)
    try:
        yield int(server.sockets[0].getsockname()[1])
    finally:
        server.close()
        cut_off = tuple(talks)
        for task in cut_off:
            task.cancel()
        await asyncio.gather(*cut_off, return_exceptions=True)


async def _answer(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, pages: Pages,
    turns: asyncio.Semaphore,
) -> None:  # fmt: skip
    page, with_body = await _page(reader, pages, turns)
    allowed = "Allow: GET, HEAD\r\n" if page.status == _WRONG_METHOD else ""
    head = (
        f"HTTP/1.1 {page.status} {_WORDS[page.status]}\r\nContent-Type: {page.content_type}\r\n"
        f"Content-Length: {len(page.body)}\r\n{allowed}"
        "Cache-Control: no-store\r\nConnection: close\r\n\r\n"
    )
    writer.write(head.encode("ascii") + (page.body if with_body else b""))
    await writer.drain()


async def _page(
    reader: asyncio.StreamReader, pages: Pages, turns: asyncio.Semaphore
) -> tuple[Page, bool]:
    try:
        head = await reader.readuntil(b"\r\n\r\n")
    except asyncio.LimitOverrunError:
        return _said(400), True
    words = head.partition(b"\r\n")[0].decode("latin-1").split(" ")
    if len(words) != 3:  # noqa: PLR2004  method, target, version
        return _said(400), True
    method, target, _version = words
    make = pages.get(target.partition("?")[0])
    with_body = method != "HEAD"
    if make is None:
        return _said(404), with_body
    if method not in ("GET", "HEAD"):
        return _said(_WRONG_METHOD), True
    async with turns:
        return await make(), with_body


def _said(status: int) -> Page:
    return Page(status, _TEXT, f"{_WORDS[status].lower()}\n".encode())
