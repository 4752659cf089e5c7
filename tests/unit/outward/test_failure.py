"""Words of trouble outside: short, printable, and without the secret that somebody repeated."""

import json

import pytest

from orchestrator.gates.failure import ProbeError
from orchestrator.outward import http
from orchestrator.outward.failure import TEXT_MAX, OutwardError
from tests.loopback import listening

SECRET = "k" * 40


def test_words_are_printable_and_bounded() -> None:
    assert str(OutwardError("\x1b[2J é")) == r"\x1b[2J \xe9"
    assert len(str(OutwardError("x" * 1000))) == TEXT_MAX


@pytest.mark.parametrize("before", [0, TEXT_MAX - 20, TEXT_MAX])
def test_a_secret_is_hidden_also_where_the_words_are_cut(before) -> None:
    error = ProbeError("x" * before + SECRET + " said").without(SECRET)

    assert isinstance(error, ProbeError)
    assert "kkk" not in str(error)


@pytest.mark.parametrize("padding", ["", "x" * (TEXT_MAX - 30)])
async def test_server_that_repeats_the_token_does_not_bring_it_into_a_message(padding) -> None:
    async def serve(reader, writer) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        body = json.dumps(padding + head).encode()
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n" % len(body) + body)
        await writer.drain()

    async def read(response) -> str:
        raise ProbeError((await http.body_of(response, 4096)).decode())

    async with listening(serve) as port:
        token = http.Token(("http", "127.0.0.1", port), SECRET)
        with pytest.raises(ProbeError) as caught:
            await http.get(f"http://127.0.0.1:{port}/", read, deadline_s=5, token=token)

    assert "kkk" not in str(caught.value)
    assert caught.value.__cause__ is None
    assert caught.value.__context__ is None
