import base64
import hashlib
import re
import shutil
import subprocess
from dataclasses import replace
from fnmatch import fnmatch
from importlib import resources
from pathlib import Path

import asyncssh
import pytest

from orchestrator.device.protocol import Reply, ReplyReader
from orchestrator.device.reason import Reason
from orchestrator.errors import DeviceError
from orchestrator.ssh.enroll import Action, Become, Change, become_root, enrol_input, read_plan
from orchestrator.ssh.placed import Enrolment, PlacedRoot, files_of

KEY = asyncssh.generate_private_key("ssh-ed25519").export_public_key().decode()
PEM = b"-----BEGIN PUBLIC KEY-----\n"


def wanted(**changed: object) -> Enrolment:
    settings: dict[str, object] = {
        "device_type": "edge",
        "device_id": "edge-1",
        "login_key": KEY,
        "signing_keys": {"release": PEM},
    }
    return Enrolment(**(settings | changed))  # type: ignore[arg-type]


def test_looking_sends_no_contents() -> None:
    text = enrol_input(wanted(), apply=False)

    assert f"file keys/release.pem 644 {hashlib.sha256(PEM).hexdigest()} 0\n".encode() in text
    assert text.endswith(b"run look enrol\n")
    assert len(text) < 4096


def test_every_file_that_is_sent_has_a_place_on_the_device() -> None:
    """The program on the device refuses a name that it does not know."""
    text = resources.files("orchestrator.ssh").joinpath("enroll.sh").read_text(encoding="utf-8")
    body = text.partition("receive_file()")[2].partition("esac")[0]
    places = [
        word
        for line in re.findall(r"^ +(.+)\) ;;", body, re.MULTILINE)
        for word in line.split(" | ")
    ]

    for name in files_of(wanted()):
        assert any(fnmatch(name, place) for place in places), name


def test_applying_sends_contents_as_base64() -> None:
    text = enrol_input(wanted(), apply=True)

    assert base64.b64encode(PEM) + b"\n" in text
    assert b"set device-type edge\n" in text
    assert text.endswith(b"run apply enrol\n")


ROOT = PlacedRoot(b"fleet-root 1\n", "acme-prod", 3)


def test_a_root_is_announced_before_it_is_sent() -> None:
    """So that looking finds what stands in its way, too."""
    text = enrol_input(wanted(root=ROOT), apply=False)
    needing = enrol_input(wanted(root=replace(ROOT, needs_ed25519=True)), apply=False)

    assert b"set root-fleet acme-prod\nset root-version 3\nset root-needs openssl\n" in text
    assert f"file root.txt 644 {hashlib.sha256(ROOT.text).hexdigest()} 0\n".encode() in text
    assert b"set root-needs ed25519\n" in needing
    assert b"set root-lacks" not in text
    lacking = replace(ROOT, ed25519_lacks=("release", "build"))
    assert b"set root-lacks release+build\n" in enrol_input(wanted(root=lacking), apply=False)
    assert b"set root-" not in enrol_input(wanted(), apply=False)
    assert b"file root.txt" not in enrol_input(wanted(), apply=False)


def test_a_device_with_a_root_needs_no_signing_key() -> None:
    text = enrol_input(wanted(signing_keys={}, root=ROOT), apply=True)

    assert b"file keys/" not in text
    assert b"file root.txt 644 " in text


@pytest.mark.parametrize(
    "changed",
    [
        {"device_type": "edge; reboot"},
        {"device_id": "$(id)"},
        {"device_id": "a\nrun apply release"},
        {"login_user": "a b"},
        {"login_user": ""},
        {"signing_keys": {"../../x": PEM}},
        {"checks": {"-rf": b""}},
        {"checks": {"a b": b""}},
        {"root": replace(ROOT, fleet="a b")},
    ],
)
def test_values_that_could_mean_more_are_refused(changed: dict[str, object]) -> None:
    with pytest.raises(DeviceError) as caught:
        enrol_input(wanted(**changed), apply=True)

    assert caught.value.reason == Reason.USAGE


def test_login_key_must_be_a_key() -> None:
    with pytest.raises(DeviceError, match="login key"):
        enrol_input(wanted(login_key='ssh-ed25519 AAAA" x'), apply=True)


def test_device_without_a_signing_key_is_refused() -> None:
    with pytest.raises(DeviceError, match="a key to verify releases with"):
        wanted(signing_keys={})


def test_plan_tells_what_differs() -> None:
    lines = (("same", "dir /etc/rollout"), ("create", "file /etc/rollout/device_id"))

    plan = read_plan(Reply(0, lines), "ssh-ed25519 AAAA")

    assert plan.differs
    assert plan.changes[1] == Change(Action.CREATE, "file", "/etc/rollout/device_id")
    assert str(plan.changes[1]) == "+ file /etc/rollout/device_id"
    assert plan.host_keys == ("ssh-ed25519 AAAA",)


def test_certificate_that_the_device_holds_is_no_change() -> None:
    plan = read_plan(Reply(0, (("holds", "ssh-ed25519-cert-v01@openssh.com AAAA"),)))

    assert (plan.certificate, plan.differs) == ("ssh-ed25519-cert-v01@openssh.com AAAA", False)


def test_other_lines_break_the_protocol() -> None:
    with pytest.raises(DeviceError) as caught:
        read_plan(Reply(0, (("state", "none"),)))

    assert caught.value.reason == Reason.PROTOCOL


@pytest.mark.parametrize(
    ("become", "password", "words", "before"),
    [
        (Become.NONE, None, "sh -c ", b""),
        (Become.SUDO, None, "sudo -n sh -c ", b""),
        (Become.SUDO, "secret", "sudo -k -S -p '' sh -c ", b"secret\n"),
        (Become.DOAS, None, "doas -n sh -c ", b""),
    ],
)
def test_root_is_reached_with_fixed_words(
    become: Become, password: str | None, words: str, before: bytes
) -> None:
    command, first = become_root(become, password)

    assert command.startswith(words)
    assert first == before
    assert "secret" not in command


SHELLS = [("dash",), ("bash",), ("busybox", "ash")]


@pytest.mark.parametrize("shell", SHELLS, ids=" ".join)
@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"run look\n",
        b"set user a;id\nrun look enrol\n",
        b"set colour red\nrun look enrol\n",
        b"file ../x 644 00 0\nrun look enrol\n",
        b"file keys/..pem 644 00 0\nrun look enrol\n",
        b"file modules/a/b 755 00 0\nrun look enrol\n",
        b"file modules/a 4755 00 0\nrun look enrol\n",
        b"file boot/../x 644 00 0\nrun look enrol\n",
        b"file etc/root.txt 644 00 0\nrun look enrol\n",
        b"set root-fleet a;b\nrun look enrol\n",
        b"reboot\n",
    ],
)
def test_program_refuses_malformed_input_in_each_shell(
    shell: tuple[str, ...], text: bytes, tmp_path: Path
) -> None:
    if shutil.which(shell[0]) is None:
        pytest.skip(f"{shell[0]} is not installed")
    program = resources.files("orchestrator.ssh").joinpath("enroll.sh").read_text("utf-8")

    done = subprocess.run(
        [*shell, "-c", program], input=text, capture_output=True, cwd=tmp_path, check=False
    )
    reader = ReplyReader()
    reader.feed(done.stdout)
    reply = reader.finish()

    assert reply.rc == 74
    assert reply.all("problem")
    assert not list(tmp_path.iterdir())
