import asyncio
import base64
import threading

import pytest

from orchestrator.notify.mail import MailNotifier, MailServer
from orchestrator.outward.failure import OutwardError
from orchestrator.plan.resolved import Hook, HookEvent
from orchestrator.testing.notifier_contract import NOTICE
from tests.unit.notify import mail_server

HOOK = Hook((HookEvent.HALTED,), email="ops@example.org")
SOURCE = "urn:x:0123"


async def tell(url, *, login=None, context=None, deadline_s=10.0):
    server = MailServer(url, "rollout@example.org", login)
    given = {} if context is None else {"context": context}
    await MailNotifier(SOURCE, server, **given).tell(HOOK, NOTICE, deadline_s=deadline_s)


@pytest.fixture
def login(tmp_path):
    path = tmp_path / "login"
    path.write_text("rollout\npass word\n")
    return path


@pytest.mark.parametrize("scheme", ["smtp+starttls", "smtps"])
async def test_login_goes_over_tls(scheme, server_tls, trusting, login):
    server = mail_server.MailServer(server_tls, starttls=scheme == "smtp+starttls")
    async with server.running():
        await tell(f"{scheme}://127.0.0.1:{server.port}", login=login, context=trusting)

    [said] = [line for line in server.said if line.startswith("AUTH")]
    assert base64.b64decode(said.split()[-1]) == b"\0rollout\0pass word"
    assert len(server.letters) == 1
    if scheme == "smtp+starttls":
        assert server.said.index("STARTTLS") < server.said.index(said)


@pytest.mark.parametrize("scheme", ["smtp+starttls", "smtps"])
async def test_certificate_that_nobody_vouches_for_gets_nothing(scheme, server_tls, login):
    server = mail_server.MailServer(server_tls, starttls=scheme == "smtp+starttls")
    async with server.running():
        with pytest.raises(OutwardError, match=r"(?i)certificate"):
            await tell(f"{scheme}://127.0.0.1:{server.port}", login=login)

    assert not [line for line in server.said if line.startswith("AUTH")]
    assert server.letters == []


async def test_server_without_tls_gets_nothing_where_tls_is_configured(login):
    server = mail_server.MailServer()
    async with server.running():
        with pytest.raises(OutwardError, match="STARTTLS"):
            await tell(f"smtp+starttls://127.0.0.1:{server.port}", login=login)

    assert server.letters == []


async def test_refused_login_shows_no_password(server_tls, trusting, login):
    server = mail_server.MailServer(server_tls)
    server.answers = {"AUTH": "535 no"}
    async with server.running():
        with pytest.raises(OutwardError, match="535 no") as caught:
            await tell(f"smtps://127.0.0.1:{server.port}", login=login, context=trusting)

    assert "pass" not in str(caught.value)


@pytest.mark.parametrize("offered", ["PLAIN", "LOGIN"])
async def test_server_that_repeats_the_login_brings_it_into_no_message(
    server_tls, trusting, login, offered
):
    server = mail_server.MailServer(server_tls)
    server.answers = {"EHLO": f"250-here\r\n250 AUTH {offered}"}
    server.echoes = True
    async with server.running():
        with pytest.raises(OutwardError, match="535") as caught:
            await tell(f"smtps://127.0.0.1:{server.port}", login=login, context=trusting)

    said = str(caught.value)
    assert "(hidden)" in said
    for secret in (b"\0rollout\0pass word", b"pass word"):
        assert base64.b64encode(secret).decode() not in said
    assert "pass word" not in said


@pytest.mark.parametrize(
    ("answers", "words"),
    [
        ({"connect": "554 not you"}, "554 not you"),
        ({"MAIL": "451 later"}, "451 later"),
        ({"RCPT": "550 nobody"}, "550 nobody"),
        ({"DATA": "452 full"}, "452 full"),
        ({"letter": "554 spam"}, "554 spam"),
    ],
)
async def test_what_the_server_says_is_told(answers, words):
    server = mail_server.MailServer()
    server.answers = answers
    async with server.running():
        with pytest.raises(OutwardError, match=words):
            await tell(f"smtp://127.0.0.1:{server.port}")


async def test_letter_that_was_taken_is_told_although_nobody_says_bye():
    server = mail_server.MailServer()
    server.answers = {"QUIT": "500 what"}
    async with server.running():
        await tell(f"smtp://127.0.0.1:{server.port}")

    assert len(server.letters) == 1


@pytest.mark.parametrize("where", ["connect", "EHLO", "letter"])
async def test_thread_ends_at_the_deadline(where):
    before = threading.active_count()
    server = mail_server.MailServer()
    server.answers = {where: None}
    async with server.running():
        with pytest.raises(OutwardError, match=r"within 0\.2 s"):
            await tell(f"smtp://127.0.0.1:{server.port}", deadline_s=0.2)
        await asyncio.get_running_loop().shutdown_default_executor()

    assert threading.active_count() <= before


@pytest.mark.parametrize(
    ("url", "sender", "with_login", "words"),
    [
        ("", "", False, "names no `mail_server`"),
        ("smtp://mail.example", "", False, "names no `mail_server`"),
        ("http://mail.example", "a@b.c", False, "`mail_server` is"),
        ("smtp://", "a@b.c", False, "`mail_server` is"),
        ("smtp://me:secret@mail.example", "a@b.c", False, "`mail_server` is"),
        ("smtp://mail.example:x", "a@b.c", False, "`mail_server` is"),
        ("smtp://mail.example", "a@b.c", True, "needs TLS"),
    ],
)
def test_configuration_that_cannot_work_is_refused_in_advance(
    url, sender, with_login, words, login
):
    server = MailServer(url, sender, login if with_login else None)

    found = MailNotifier(SOURCE, server).refused(HOOK)

    assert words in found
    assert "secret" not in found


@pytest.mark.parametrize("text", [None, "", "name only\n", "a\nb\nc\n", "\n\n"])
def test_login_file_that_is_none_is_refused(text, tmp_path):
    path = tmp_path / "login"
    if text is not None:
        path.write_text(text)

    found = MailNotifier(SOURCE, MailServer("smtps://m.example", "a@b.c", path)).refused(HOOK)

    assert "`mail_login` file" in found
