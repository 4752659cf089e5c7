"""What a device lets in that has signify or usign, and neither openssl nor ssh-keygen."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from orchestrator.testing.ssh_table import with_larger_s
from orchestrator.testing.tickets import raw_line
from orchestrator.trust.signature_file import SSH_TAG
from tests.device.kit import Device, Key, directory
from tests.device.test_tickets import VERIFY_LIMIT_S, good_ticket, judging_s
from tests.device.tickets import (
    MANIFEST,
    Root,
    Signer,
    ask,
    build_key,
    hide,
    judge,
    signed,
    ssh_signed,
    ticketed,
)

SIGNIFY = "signify-openbsd"
OTHERS = ("openssl", "ssh-keygen", "usign", "signify", SIGNIFY)


@dataclass(frozen=True)
class Fleet:
    """A root of keys of two kinds; those of Ed25519 are enough for every role."""

    root: tuple[Signer, ...]
    release: tuple[Signer, ...]
    build: Signer
    text: Root


@pytest.fixture
def fleet(key: Key) -> Fleet:
    root = (Signer("ed25519"), Signer("ed25519"), Signer())
    release = (Signer("ed25519"), Signer("ed25519"), Signer())
    build = Signer("ed25519")
    return Fleet(root, release, build, Root(root, release, (build_key(key), build)))


def with_tool(device: Device, place: Path, name: str) -> Device:
    """Of all programs for signatures that one alone; signify serves as usign where there is none."""
    signify = shutil.which(SIGNIFY)
    if signify is None:
        pytest.skip(f"{SIGNIFY} is not installed")
    hide(device, place, OTHERS)
    (place / name).symlink_to(shutil.which(name) or signify)
    return device


@pytest.fixture
def alone(device: Device, tmp_path: Path, fleet: Fleet) -> Device:
    """A device of the fleet, in each shell."""
    fleet.text.place(with_tool(device, tmp_path / "tools", SIGNIFY))
    return device


@pytest.fixture
def alone_once(one: Device, tmp_path: Path, fleet: Fleet) -> Device:
    """In one shell: tests/hostile/signify.py asks all of them the same, and more."""
    fleet.text.place(with_tool(one, tmp_path / "tools", SIGNIFY))
    return one


def test_signify_alone_checks_ticket_and_build(alone: Device, fleet: Fleet):
    """The artifact has its own signature all the time: nothing there reads it."""
    frames = ticketed(directory("r1"), alone.key, fleet.release[:2])
    ticket, manifest = frames["ticket.sig"], frames["manifest"]
    stranger, of_ecdsa = Signer("ed25519"), Signer()
    build = {
        "a stranger": ssh_signed(manifest, (stranger,), "build"),
        "a release key": ssh_signed(manifest, fleet.release[:1], "build"),
        "another kind": ssh_signed(manifest, (of_ecdsa,), "build"),
        "plainly": signed(manifest, (fleet.build,)),
        "for releases": ssh_signed(manifest, (fleet.build,)),
        "the ticket": ssh_signed(frames["ticket"], (fleet.build,), "build"),
        "another manifest": ssh_signed(manifest + b"x", (fleet.build,), "build"),
        "for another fleet": fleet.build.ssh_line(manifest, "build", "acme-test").encode(),
    }

    unbuilt = alone.deliver(1, frames)
    refused = {
        name: judge(alone, frames["ticket"], ticket + line, manifest=manifest)
        for name, line in build.items()
    }
    good = ticket + ssh_signed(manifest, (fleet.build,), "build")
    last = alone.deliver(2, frames | {"ticket.sig": good})

    assert (unbuilt.rc, unbuilt.fields["reason"]) == (65, "denied")
    assert refused == dict.fromkeys(build, (65, "denied"))
    assert last.rc == 0, last
    assert alone.commit(2).rc == 0
    assert alone.ask("facts").fields["verify"] == SIGNIFY
    judging = judging_s(alone, frames["ticket"], good, manifest)
    print(f"figure: a ticket is judged by signify in {judging:.3f} s by {alone.shell.name}")
    assert judging < VERIFY_LIMIT_S


def test_signify_alone_counts_ed25519_in_either_form(alone_once: Device, fleet: Fleet):
    """Keys that it cannot check are in the root, and never count."""
    text, (one, two, other) = good_ticket().text, fleet.release
    built = ssh_signed(MANIFEST, (fleet.build,), "build")
    larger = raw_line(two.id, with_larger_s(two.sign(text)))
    tagged = raw_line(two.id, SSH_TAG + two.sign(text))

    def said(*signatures: bytes) -> tuple[int, str]:
        return judge(alone_once, text, b"".join((*signatures, built)))

    assert said(signed(text, (one, two))) == (0, "ok")
    assert said(signed(text, (one,)), ssh_signed(text, (two,))) == (0, "ok")
    for name, second in {
        "one key in both forms": ssh_signed(text, (one,)),
        "ECDSA": signed(text, (other,)) + ssh_signed(text, (other,)),
        "a larger S": larger,
        "plain behind the tag": tagged,
        "made for roots": ssh_signed(text, (two,), "root"),
        "another text": ssh_signed(text + b"x", (two,)),
        "the build key": signed(text, (fleet.build,)) + ssh_signed(text, (fleet.build,)),
    }.items():
        assert said(signed(text, (one,)), second) == (65, "ticket_signatures"), name


def test_a_root_follows_where_nothing_checks_all_of_its_keys(
    alone_once: Device, fleet: Fleet, tmp_path: Path
):
    """Enough of Ed25519 must have signed, of the old and of the new."""
    place = tmp_path / "new"
    place.mkdir()

    def follow(root: Root, signers: tuple[Signer, ...], sign: Callable[..., bytes]) -> str:
        (place / "root").write_bytes(root.text)
        (place / "root.sig").write_bytes(sign(root.text, signers))
        return ask(alone_once, "root", str(place))[1]

    def in_ssh_form(text: bytes, signers: tuple[Signer, ...]) -> bytes:
        return ssh_signed(text, signers, "root")

    one, two, other = fleet.root
    unlike = fleet.text.next(root=(one, other, Signer()))
    kept = fleet.text.next(release=(*fleet.release, Signer()))

    assert follow(kept, (one, other), signed) == "root_signatures"
    assert follow(unlike, (one, two, other), signed) == "root_own_signatures"
    assert follow(kept, (one, two), signed) == "ok"
    assert follow(kept.next(), (one, two), in_ssh_form) == "ok"


def test_usign_is_asked_as_signify_is(one: Device, fleet: Fleet, tmp_path: Path):
    device = with_tool(one, tmp_path / "tools", "usign")
    fleet.text.place(device)
    text = good_ticket().text
    good = signed(text, fleet.release[:2]) + ssh_signed(MANIFEST, (fleet.build,), "build")

    assert judge(device, text, good) == (0, "ok")
    assert judge(device, text + b"open 100 1\n", good) == (65, "ticket_signatures")
    assert device.ask("facts").fields["verify"] == "usign"


def test_a_device_without_root_takes_nothing_that_signify_alone_would_check(
    one: Device, tmp_path: Path
):
    device = with_tool(one, tmp_path / "tools", SIGNIFY)

    reply = device.deliver(1, directory("r1").frames(device.key))

    assert (reply.rc, reply.fields["reason"]) == (65, "denied")
    assert not (device.root / "opt").exists()


def test_signify_without_base64_checks_nothing(one: Device, fleet: Fleet, tmp_path: Path):
    device = with_tool(one, tmp_path / "tools", SIGNIFY)
    fleet.text.place(device)
    (tmp_path / "tools/base64").unlink()
    text = good_ticket().text
    good = signed(text, fleet.release[:2]) + ssh_signed(MANIFEST, (fleet.build,), "build")

    assert judge(device, text, good) == (65, "ticket_signatures")
    assert device.ask("facts").fields["verify"] == "none"


@pytest.mark.parametrize("tool", ["", "openssl"])
def test_a_build_key_of_ed25519_signs_no_artifact(
    one: Device, fleet: Fleet, tmp_path: Path, tool: str
):
    """In place of an artifact's own signature it counts nowhere, whatever checks it."""
    device = one if tool else with_tool(one, tmp_path / "tools", SIGNIFY)
    fleet.text.place(device)
    text = good_ticket().text
    place = device.root / "in"
    place.mkdir()
    for name, data in (
        ("manifest", MANIFEST),
        ("manifest.sig", signed(MANIFEST, (fleet.build,)).split()[2]),
        ("ticket", text),
        ("ticket.sig", signed(text, fleet.release[:2]) + signed(MANIFEST, (fleet.build,))),
    ):
        (place / name).write_bytes(data)

    assert ask(device, "verify", str(place)) == (65, "denied")
