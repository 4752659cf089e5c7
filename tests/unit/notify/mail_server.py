"""A mail server on loopback, real enough for the standard library's client."""

import asyncio
import contextlib

from tests.loopback import listening


class MailServer:
    """Keeps letters. `answers` replaces what is said to a command; None says nothing, ever."""

    def __init__(self, tls=None, *, starttls=False):
        self.letters = []
        self.said = []
        self.answers = {}
        self.echoes = False  # says what it was told, when somebody logs in
        self._tls = tls
        self._starttls = starttls
        self.port = 0

    @contextlib.asynccontextmanager
    async def running(self):
        immediate = None if self._starttls else self._tls
        async with listening(self._talk, tls=immediate) as self.port:
            yield self

    async def _talk(self, reader, writer):
        await self._say(writer, self.answers.get("connect", "220 here"))
        while line := await reader.readline():
            text = line.decode().strip()
            self.said.append(text)
            verb = text.split(" ")[0].upper()
            answer = self.answers.get(verb, self._usual(verb))
            if self.echoes and verb not in ("EHLO", "QUIT", "RSET"):
                wants_more = text.upper().startswith("AUTH LOGIN")
                answer = "334 UGFzc3dvcmQ6" if wants_more else f"535 I do not know {text}"
            await self._say(writer, answer)
            if verb == "STARTTLS" and answer.startswith("220"):
                await writer.start_tls(self._tls)
            if verb == "DATA" and answer.startswith("354"):
                self.letters.append((await reader.readuntil(b"\r\n.\r\n")).decode())
                await self._say(writer, self.answers.get("letter", "250 taken"))
            if verb == "QUIT":
                return

    def _usual(self, verb):
        offers = "250-here\r\n250-AUTH PLAIN\r\n"
        offers += "250-STARTTLS\r\n" if self._starttls else ""
        usual = {
            "EHLO": offers + "250 SMTPUTF8",
            "STARTTLS": "220 go",
            "AUTH": "235 fine",
            "DATA": "354 go",
            "QUIT": "221 bye",
        }
        return usual.get(verb, "250 fine")

    async def _say(self, writer, text):
        if text is None:
            await asyncio.Event().wait()
        writer.write(text.encode() + b"\r\n")
        await writer.drain()
