"""`log`: what an update module said last, also when the device went back since; and nothing else."""

import re
from pathlib import Path

import pytest

from tests.device.executor_kit import Executor
from tests.device.kit import Device, Release, Shell, directory, txn
from tests.device.test_elevate import SplitDevice, split  # noqa: F401  a fixture

HIDDEN = "inhibited"


def failing(text: str, name: str = "bad") -> Release:
    """A script that says something and fails."""
    install = f"#!/bin/sh\ncat <<'END'\n{text}\nEND\nexit 3\n".encode()
    back = b"#!/bin/sh\necho going back\n"
    return Release(kind="script", name=name, payload={"install": install, "rollback": back})


def said(device: Device, number: int) -> str:
    reply = device.ask(f"log txn={txn(number)}")
    assert reply.rc == 0
    return "".join(reply.all("log"))


def test_what_failed_is_told_after_the_device_went_back(device: Device):
    device.release(1, directory("r1"))
    reply = device.deliver(
        2, failing("disk of \tthe modem: 7 % häuft sich\nno such device").frames(device.key)
    )
    assert (reply.rc, device.fields()["state"]) == (69, "rolled-back")

    text = said(device, 2)

    assert "-- activate\ndisk of \tthe modem: 7 % häuft sich\nno such device\n" in text
    assert (
        text.index("-- activate") < text.index("-- back\ngoing back\n") < text.index("-- cleanup")
    )
    assert re.fullmatch(r"(-- [a-z]+|[^-].*)", text.splitlines()[0])


def test_only_the_last_one_that_went_back_is_kept(one: Device):
    one.release(1, directory("r1"))
    for number in (2, 3):
        assert one.deliver(number, failing(f"words {number}").frames(one.key)).rc == 69

    assert "words 3" in said(one, 3)
    assert "words 2" not in said(one, 3)
    refused = one.ask(f"log txn={txn(2)}")
    assert (refused.rc, refused.fields["reason"]) == (78, "wrong_state")


def test_what_was_never_begun_has_no_log_of_another(one: Device):
    one.release(1, directory("r1"))
    assert one.deliver(2, failing("words").frames(one.key)).rc == 69
    assert (
        one.deliver(3, directory("r3").frames(one.key), cut=100).rc == 74
    )  # and waits for the rest

    assert one.ask(f"log txn={txn(3)}").fields["reason"] == "wrong_state"
    assert one.ask(f"log txn={txn(9)}").fields["reason"] == "wrong_state"


def test_end_of_a_long_log_is_told_whole_and_within_the_limit_of_a_reply(device: Device):
    """The worst: each byte takes three."""
    device.release(1, directory("r1"))
    lines = "\n".join("\x01\x7f% " * 20 for _ in range(1500))
    assert device.deliver(2, failing(lines).frames(device.key)).rc == 69

    text = said(device, 2)

    assert len(text.encode()) == 16384
    assert text.endswith(("-- cleanup\n", "going back\n-- cleanup\n"))


def test_characters_are_not_torn_apart(one: Device):
    one.release(1, directory("r1"))
    assert one.deliver(2, failing("ü" * 3000).frames(one.key)).rc == 69

    assert "\ufffd" not in said(one, 2)


@pytest.mark.parametrize(("limit", "told"), [("log-bytes 0", False), ("log-bytes 9", True)])
def test_device_decides_how_much_is_told(one: Device, limit, told):
    one.release(1, directory("r1"))
    assert one.deliver(2, failing("words").frames(one.key)).rc == 69
    with (one.root / "etc/rollout/limits").open("a") as limits:
        limits.write(f"{limit}\n")

    reply = one.ask(f"log txn={txn(2)}")

    assert reply.fields.get("reason") == (None if told else HIDDEN)
    assert len("".join(reply.all("log"))) == (9 if told else 0)


def test_log_is_of_a_transaction_and_of_nothing_else(one: Device):
    secret = one.root / "etc/rollout/secret"
    secret.write_text("words\n")

    for line in (
        "log",
        "log txn=../../etc",
        f"log txn={txn(1)} name=secret",
        "log name=data/0000/x",
    ):
        reply = one.ask(line)
        assert reply.rc in (64, 78)
        assert not reply.all("log")


def test_protocol_part_that_is_not_root_asks_the_core(split: SplitDevice):  # noqa: F811
    split.release(1, directory("r1"))
    assert split.deliver(2, failing("words").frames(split.key)).rc == 69

    assert "words" in said(split, 2)
    assert split.calls[-1] == "log"


def test_silent_module_is_given_no_words_of_another_state(tmp_path: Path, one_shell: Shell):
    executor = Executor(tmp_path / "device", one_shell)
    executor.act("say", "Download", "words of another state\n")
    executor.act("fail", "ArtifactInstall")

    assert executor.run("install")[0] == 0
    assert executor.run("activate") == (1, "ArtifactInstall failed with 1:")
    log = (executor.work / "log").read_text()
    assert log == "-- install\nwords of another state\n-- activate\n"
    assert (executor.work / "log").stat().st_mode & 0o077 == 0
