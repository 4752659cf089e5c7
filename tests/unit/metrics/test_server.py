"""Two pages over HTTP, to whoever asks, however badly."""

from __future__ import annotations

import asyncio

import pytest

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
