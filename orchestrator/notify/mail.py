"""Hooks by e-mail, over the server that the operator's configuration names.

Laws:
1. A login is sent over TLS only, and certificates are checked; with `smtp+starttls` a server that
   does not offer it is an error.
2. The standard library's client blocks, so it works in a thread. At the deadline its connection is
   shut, which ends the thread.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import smtplib
import socket
import ssl
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from email.message import EmailMessage
from pathlib import Path
from urllib.parse import urlsplit

from orchestrator.errors import system_reason
from orchestrator.notify.letter import letter, plain
from orchestrator.outward.failure import OutwardError
from orchestrator.plan.resolved import Hook
from orchestrator.rollout.notices import Notice

LOGIN_BYTES_MAX = 4096
_PORTS = {"smtp": 25, "smtp+starttls": 587, "smtps": 465}


@dataclass(frozen=True, slots=True)
class MailServer:
    """Where letters are handed in.

    `login` is a file with a user's name and a password, one line each.
    """

    url: str = ""
    sender: str = ""
    login: Path | None = None

    def address(self) -> tuple[str, str, int]:
        """Scheme, host and port.

        Raises:
            OutwardError: nothing, or something else, is configured.
        """
        if not self.url or not self.sender:
            message = "this controller's configuration names no `mail_server` and `mail_from`"
            raise OutwardError(message)
        try:
            parts = urlsplit(self.url)
            scheme, host, port = parts.scheme, parts.hostname, parts.port
        except ValueError:
            scheme, host, port = "", None, None
        if scheme not in _PORTS or not host or parts.username is not None or parts.path.strip("/"):
            message = "`mail_server` is `smtp+starttls://HOST:PORT`, or with `smtps` or `smtp`"
            raise OutwardError(message)
        if scheme == "smtp" and self.login is not None:
            message = "`mail_login` needs TLS: `smtp+starttls://` or `smtps://` as `mail_server`"
            raise OutwardError(message)
        return scheme, host, port or _PORTS[scheme]


class MailNotifier:
    """Implements `Notifier` for hooks with `email`.

    Args:
        source: which controller tells.
        server: where letters go.
        context: checks certificates; by the system's store unless given.
    """

    def __init__(
        self,
        source: str,
        server: MailServer,
        context: Callable[[], ssl.SSLContext] = ssl.create_default_context,
    ) -> None:
        self._source, self._server, self._context = source, server, context

    def refused(self, hook: Hook) -> str | None:
        """Why no letter could ever go out."""
        del hook
        try:
            self._server.address()
            self._login()
        except OutwardError as error:
            return str(error)
        return None

    async def tell(self, hook: Hook, notice: Notice, *, deadline_s: float) -> None:
        """Hands one letter in.

        Raises:
            OutwardError: the server did not take it, or did not say so.
        """
        made = letter(notice, sender=self._server.sender, recipient=hook.email, source=self._source)
        _, host, _ = self._server.address()
        line = _Line(deadline_s)
        try:
            async with asyncio.timeout(deadline_s):
                await asyncio.to_thread(self._hand_in, line, made)
        except TimeoutError as error:
            message = f"no answer of mail server `{host}` within {deadline_s:g} s"
            raise OutwardError(message) from error
        except (OSError, smtplib.SMTPException, ValueError) as error:
            found = OutwardError(f"mail server `{host}`: {_words(error)}")
            for spelling in _spellings(self._login()):
                found = found.without(spelling)
            raise found from None  # the other has what the server said, as it said it
        finally:
            line.cut()

    def _hand_in(self, line: _Line, made: EmailMessage) -> None:
        scheme, host, port = self._server.address()
        login = self._login()
        with line.connect(scheme, host, port, self._context()) as client:
            if scheme == "smtp+starttls":
                client.starttls(context=self._context())
            if login is not None:
                client.login(*login)
            client.send_message(made)

    def _login(self) -> tuple[str, str] | None:
        path = self._server.login
        if path is None:
            return None
        try:
            with path.open("rb") as file:
                lines = file.read(LOGIN_BYTES_MAX).decode("utf-8", "replace").splitlines()
        except OSError as error:
            message = f"`mail_login` file `{path}` cannot be read: {system_reason(error)}"
            raise OutwardError(message) from error
        if len(lines) != 2 or not all(lines):  # noqa: PLR2004  name and password
            message = f"`mail_login` file `{path}` has a user's name and a password, one line each"
            raise OutwardError(message)
        return lines[0], lines[1]


class _Line:
    """A connection that another thread may cut."""

    def __init__(self, deadline_s: float) -> None:
        self._deadline_s = deadline_s
        self._twin: socket.socket | None = None  # TLS takes the socket itself away
        self._is_cut = False

    @contextlib.contextmanager
    def connect(
        self, scheme: str, host: str, port: int, context: ssl.SSLContext
    ) -> Iterator[smtplib.SMTP]:
        with contextlib.ExitStack() as stack:
            raw = stack.enter_context(socket.create_connection((host, port), self._deadline_s))
            self._twin = stack.enter_context(raw.dup())
            if self._is_cut:  # meanwhile
                self.cut()
            ready = raw
            if scheme == "smtps":
                ready = stack.enter_context(context.wrap_socket(raw, server_hostname=host))
            client = _Client(ready, host, self._deadline_s)
            stack.callback(client.close)
            yield client
            with contextlib.suppress(OSError, smtplib.SMTPException):
                client.quit()  # the letter was taken: a bye is a courtesy

    def cut(self) -> None:
        """Ends whatever waits on it; may be called again, and where there is none."""
        self._is_cut = True
        if self._twin is not None:
            with contextlib.suppress(OSError):
                self._twin.shutdown(socket.SHUT_RDWR)


class _Client(smtplib.SMTP):
    """The library's client over a connection that is there already."""

    def __init__(self, ready: socket.socket, host: str, timeout_s: float) -> None:
        self._ready = ready
        super().__init__(host, local_hostname=socket.gethostname(), timeout=timeout_s)

    def _get_socket(self, *_: object) -> socket.socket:
        return self._ready


def _spellings(login: tuple[str, str] | None) -> tuple[str, ...]:
    """How a password is sent, and as it is: servers repeat the line that they did not like."""
    if login is None:
        return ()
    name, password = login
    sent = (f"\0{name}\0{password}", password)
    return (*(base64.b64encode(text.encode()).decode() for text in sent), password)


def _words(error: Exception) -> str:
    """What went wrong, with the server's words where it has said some."""
    if isinstance(error, smtplib.SMTPRecipientsRefused):
        error = smtplib.SMTPResponseException(*next(iter(error.recipients.values())))
    if isinstance(error, smtplib.SMTPResponseException):
        said = error.smtp_error
        text = said.decode("utf-8", "replace") if isinstance(said, bytes) else str(said)
        return plain(f"{error.smtp_code} {text}")
    return str(error) or type(error).__name__
