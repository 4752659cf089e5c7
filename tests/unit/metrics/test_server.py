"""Two pages over HTTP, to whoever asks, however badly."""

from __future__ import annotations

import asyncio

import pytest

from orchestrator.metrics import server
from orchestrator.metrics.server import HEAD_BYTES_MAX, Page, serving

LOOPBACK = "127.0.0.1"


async def metrics() -> Page:
    return Page(200, "text/plain", b"a 1\n")


async def ill() -> Page:
    return Page(503, "application/json", b"{}\n")


async def asked(port: int, request: bytes) -> bytes:
    reader, writer = await asyncio.open_connection(LOOPBACK, port)
    writer.write(request)
    async with asyncio.timeout(20):
        answer = await reader.read()
    writer.close()
    await writer.wait_closed()
    return answer


@pytest.mark.parametrize(
    ("request_", "status", "body"),
    [
        (b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n", b"200 OK", b"a 1\n"),
        (b"GET /metrics?name=a HTTP/1.0\r\n\r\n", b"200 OK", b"a 1\n"),
        (b"HEAD /metrics HTTP/1.1\r\n\r\n", b"200 OK", b""),
        (b"GET /healthz HTTP/1.1\r\n\r\n", b"503 Service Unavailable", b"{}\n"),
        (b"POST /metrics HTTP/1.1\r\n\r\n", b"405 Method Not Allowed", b"method not allowed\n"),
        (b"HEAD /nothing HTTP/1.1\r\n\r\n", b"404 Not Found", b""),
        (b"GET /../etc/passwd HTTP/1.1\r\n\r\n", b"404 Not Found", b"not found\n"),
        (b"\x16\x03\x01\r\n\r\n", b"400 Bad Request", b"bad request\n"),
        (b"GET /" + b"a" * HEAD_BYTES_MAX * 2, b"400 Bad Request", b"bad request\n"),
    ],
)
async def test_request_is_answered(request_, status, body) -> None:
    async with serving(LOOPBACK, 0, {"/metrics": metrics, "/healthz": ill}) as port:
        answer = await asked(port, request_)

    head, _, found = answer.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 " + status)
    assert found == body


async def test_who_says_nothing_holds_up_nobody() -> None:
    async with serving(LOOPBACK, 0, {"/metrics": metrics}) as port:
        _, silent = await asyncio.open_connection(LOOPBACK, port)
        answer = await asked(port, b"GET /metrics HTTP/1.1\r\n\r\n")
        silent.close()
        await silent.wait_closed()

    assert answer.endswith(b"a 1\n")


async def test_many_who_never_finish_a_request_hold_up_nobody(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A supervisor that gets no answer restarts a controller that is well."""
    monkeypatch.setattr(server, "CONNECTIONS_MAX", 24)
    async with serving(LOOPBACK, 0, {"/healthz": metrics}) as port:
        slow = [await asyncio.open_connection(LOOPBACK, port) for _ in range(40)]
        for _, writer in slow:
            writer.write(b"GET /")

        async with asyncio.timeout(5):  # half the deadline of those
            answer = await asked(port, b"GET /healthz HTTP/1.1\r\n\r\n")

        for _, writer in slow:
            writer.close()
    assert answer.endswith(b"a 1\n")


async def test_request_under_way_at_the_end_is_cut_off_without_a_word() -> None:
    complaints: list[object] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, said: complaints.append(said))
    asking = asyncio.Event()

    async def never() -> Page:
        asking.set()
        await asyncio.Event().wait()
        raise AssertionError

    async with serving(LOOPBACK, 0, {"/metrics": never}) as port:
        reader, writer = await asyncio.open_connection(LOOPBACK, port)
        writer.write(b"GET /metrics HTTP/1.1\r\n\r\n")
        await asking.wait()

    async with asyncio.timeout(5):
        assert await reader.read() == b""
    writer.close()
    await writer.wait_closed()
    assert complaints == []


async def test_wrong_method_is_told_the_right_ones() -> None:
    async with serving(LOOPBACK, 0, {"/metrics": metrics}) as port:
        answer = await asked(port, b"DELETE /metrics HTTP/1.1\r\n\r\n")

    assert b"\r\nAllow: GET, HEAD\r\n" in answer
