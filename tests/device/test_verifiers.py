"""What a device lets in that has other programs for signatures than a new openssl."""

from __future__ import annotations

import base64
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from orchestrator.testing.ssh_table import with_larger_s
from orchestrator.testing.tickets import raw_line
from tests.device.kit import Device, Key, directory
from tests.device.test_tickets import VERIFY_LIMIT_S, good_ticket, judging_s
from tests.device.tickets import (
    MANIFEST,
    People,
    Root,
    Signer,
    ask,
    build_key,
    hide,
    judge,
    signed,
    ssh_signed,
    ticketed,
    wrapped,
)


@pytest.fixture
def old_openssl(one: Device, tmp_path: Path) -> Device:
    """An openssl that has no command for Ed25519, as before version 3."""
    real, place = shutil.which("openssl"), tmp_path / "old"
    place.mkdir()
    (place / "openssl").write_text(f'#!/bin/sh\n[ "$1" != pkeyutl ] || exit 1\nexec {real} "$@"\n')
    (place / "openssl").chmod(0o755)
    for tool in ("signify-openbsd", "usign"):
        if found := shutil.which(tool):
            (place / tool).symlink_to(found)
    one.shell = replace(one.shell, path=f"{place}:{one.shell.path}")
    return one


def test_an_ed25519_key_does_not_count_where_nothing_can_check_it(
    old_openssl: Device, people: People, key: Key, tmp_path: Path
):
    hide(old_openssl, tmp_path / "hidden", ("usign", "signify-openbsd", "signify"))
    signers = (Signer("ed25519"), people.release[0], people.release[1])
    Root(people.root, signers, (build_key(key),)).place(old_openssl)
    text = good_ticket().text

    assert judge(old_openssl, text, signed(text, signers[:2]))[1] == "ticket_signatures"
    assert judge(old_openssl, text, signed(text, signers)) == (0, "ok")


def test_signify_checks_ed25519_where_openssl_cannot(old_openssl: Device, people: People, key: Key):
    if not shutil.which("signify-openbsd") and not shutil.which("usign"):
        pytest.skip("signify-openbsd is not installed")
    signers = (Signer("ed25519"), Signer("ed25519"))
    Root(people.root, signers, (build_key(key),)).place(old_openssl)
    text = good_ticket().text

    assert judge(old_openssl, text, signed(text, signers)) == (0, "ok")
    assert judge(old_openssl, text, signed(text + b"x", signers))[1] == "ticket_signatures"
    first, second = (signer.sign(text) for signer in signers)
    for other in (with_larger_s(second), second[:-1] + bytes((second[-1] | 0x80,))):
        lines = raw_line(signers[0].id, first) + raw_line(signers[1].id, other)
        assert judge(old_openssl, text, lines)[1] == "ticket_signatures"


@pytest.fixture
def no_openssl(device: Device, tmp_path: Path) -> Device:
    """OpenSSH's ssh-keygen, and nothing else that checks signatures."""
    hide(device, tmp_path / "tools", ("openssl", "usign", "signify-openbsd", "signify"))
    keygen = tmp_path / "tools/ssh-keygen"
    if not keygen.is_symlink():
        keygen.symlink_to(str(shutil.which("ssh-keygen")))
    return device


def test_ssh_keygen_checks_root_and_ticket_where_there_is_no_openssl(
    no_openssl: Device, people: People
):
    """Each key by its own kind; and a build key stands in for the artifact's signature."""
    build = Signer()
    release = (Signer("rsa", bits=4096), Signer("ed25519"), Signer())
    root = Root(people.root, release, (base64.b64encode(build.spki).decode(),), need_release=3)
    root.place(no_openssl)
    frames = ticketed(directory("r1"), no_openssl.key, release)
    plain, ticket = frames["ticket.sig"], frames["ticket"]
    of_ssh = ssh_signed(ticket, release)
    built = ssh_signed(frames["manifest"], (build,), "build")

    refused = []
    for number, signatures in enumerate((plain + built, plain + of_ssh, plain + of_ssh + built)):
        last = no_openssl.deliver(number, frames | {"ticket.sig": signatures})
        refused.append(last.fields.get("reason"))

    assert refused[:2] == ["ticket_signatures", "denied"]
    assert last.rc == 0, last
    assert no_openssl.commit(2).rc == 0
    assert no_openssl.ask("facts").fields["verify"] == "ssh-keygen"
    judging = judging_s(no_openssl, ticket, plain + of_ssh + built, frames["manifest"])
    name = no_openssl.shell.name
    print(f"figure: a ticket in the form of SSH is judged in {judging:.3f} s by {name}")
    assert judging < VERIFY_LIMIT_S


def test_a_signify_that_is_another_program_is_not_asked(
    no_openssl: Device, people: People, tmp_path: Path
):
    """Debian's package `signify` is for the last lines of mail: `ssh-keygen` is asked all the same."""
    other = tmp_path / "tools/signify"
    other.write_text("#!/bin/sh\necho \"Signify: Unknown parameter '$1'\" >&2\nexit 255\n")
    other.chmod(0o755)
    (tmp_path / "tools/usign").symlink_to(tmp_path / "gone")
    signers, build = (Signer("ed25519"), Signer("ed25519")), Signer("ed25519")
    Root(people.root, signers, (build,)).place(no_openssl)
    text = good_ticket().text

    signatures = ssh_signed(text, signers) + ssh_signed(MANIFEST, (build,), "build")

    assert judge(no_openssl, text, signatures) == (0, "ok")
    assert no_openssl.ask("facts").fields["verify"] == "ssh-keygen"


def test_base64_that_knows_one_width_of_lines_will_do(
    no_openssl: Device, people: People, tmp_path: Path
):
    """As busybox before 1.33 has it, beside an OpenSSH that is new enough."""
    build = Signer()
    Root(people.root, people.release, (base64.b64encode(build.spki).decode(),)).place(no_openssl)
    text = good_ticket().text
    wrapped(tmp_path / "tools", "base64", "[ $# -eq 0 ] || exit 1", "")

    signatures = ssh_signed(text, people.release) + ssh_signed(MANIFEST, (build,), "build")

    assert judge(no_openssl, text, signatures) == (0, "ok")


def test_a_new_root_needs_no_file_for_standard_input(
    no_openssl: Device, people: People, key: Key, tmp_path: Path
):
    """The kernel makes no /dev/stdin; whoever fills /dev may leave it out."""
    root = Root(people.root, people.release, (build_key(key),))
    root.place(no_openssl)
    wrapped(tmp_path / "tools", "ssh-keygen", 'case "$*" in */dev/*) exit 1 ;; esac', '"$@"')
    place = tmp_path / "new"
    place.mkdir()
    new = root.next().text
    (place / "root").write_bytes(new)
    (place / "root.sig").write_bytes(ssh_signed(new, people.root, "root"))

    assert ask(no_openssl, "root", str(place)) == (0, "ok")


def test_a_device_without_openssl_and_root_takes_nothing(no_openssl: Device):
    reply = no_openssl.deliver(1, directory("r1").frames(no_openssl.key))

    assert (reply.rc, reply.fields["reason"]) == (65, "denied")
    assert not (no_openssl.root / "opt").exists()


def test_ssh_keygen_checks_ed25519_where_openssl_is_old(
    old_openssl: Device, people: People, key: Key, tmp_path: Path
):
    hide(old_openssl, tmp_path / "hidden", ("usign", "signify-openbsd", "signify"))
    if not (tmp_path / "hidden/ssh-keygen").is_symlink():
        (tmp_path / "hidden/ssh-keygen").symlink_to(str(shutil.which("ssh-keygen")))
    signers = (Signer("ed25519"), people.release[0])
    Root(people.root, signers, (build_key(key),)).place(old_openssl)
    text = good_ticket().text
    plain = signed(text, signers)

    assert judge(old_openssl, text, plain)[1] == "ticket_signatures"
    assert judge(old_openssl, text, plain + ssh_signed(text, signers[:1])) == (0, "ok")
    assert old_openssl.ask("facts").fields["verify"] == "openssl,ssh-keygen"
