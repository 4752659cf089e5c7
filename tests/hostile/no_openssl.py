"""Cases of devices that have OpenSSH's ssh-keygen and no openssl: what they count, and what they cannot."""

from __future__ import annotations

import base64
import functools
from collections.abc import Iterator
from dataclasses import replace

from orchestrator.testing.ssh_table import with_larger_s
from orchestrator.testing.ticket_table import TICKET, ticket_cases
from orchestrator.testing.tickets import (
    Answer,
    CaseKeys,
    RotationCase,
    raw_line,
    root_text,
    signed,
    ssh_data,
    ssh_line,
    ssh_signed,
)
from orchestrator.trust.keys import SigningKey
from orchestrator.trust.root import Role
from tests.hostile.tickets import IN, DeviceCase, root_case, ticket_case

MARK = "no-openssl"


@functools.cache
def keys_at_hand() -> CaseKeys:
    """Of a fleet beside that of the table; RSA takes a quarter of a second of a core."""
    return CaseKeys.make()


@functools.cache
def good_case() -> DeviceCase:
    """The first of the table, of which each of these differs in something."""
    return ticket_case(next(case for case in ticket_cases() if case.name.startswith("T01")))


def signed_case(name: str, wanted: str, by: bytes, root: bytes, mark: str) -> DeviceCase:
    """Its ticket with these signatures, on a device with that root, and what the mark says."""
    good, later = good_case(), base64.b64encode(b"no signature of any kind")
    files = {"etc/root.txt": root, f"{IN}/ticket.sig": by, f"{IN}/manifest.sig": later}
    return replace(good, name=name, files=good.files | files | {mark: b""}, wanted=wanted)


def without_root(case: DeviceCase, build: SigningKey) -> DeviceCase:
    """On a device that has the build key alone."""
    files = {name: data for name, data in case.files.items() if name != "etc/root.txt"}
    pem = {"etc/keys/a.pem": build.verification.pem}
    return replace(case, files=files | pem, calls=(("verify", f"DIR/{IN}"),))


def rotation_case(case: RotationCase, mark: str) -> DeviceCase:
    """A root that follows, on a device that has what the mark says."""
    found = root_case(case)
    return replace(found, files=found.files | {mark: b""})


def no_openssl_cases() -> Iterator[DeviceCase]:
    """All of them."""
    manifest, keys = good_case().files[f"{IN}/manifest"], keys_at_hand()
    one, two, three = keys.release
    both, build = ssh_signed(TICKET, one, two), ssh_line(manifest, keys.build, Role.BUILD)
    plain = signed(TICKET, one, two)

    def case(name: str, wanted: str, by: bytes, root: bytes = root_text(keys)) -> DeviceCase:
        return signed_case(name, wanted, by, root, MARK)

    def of(key: SigningKey) -> bytes:
        return root_text(keys, release=(key,), threshold_release=1)

    yield case("S01 all in the form of SSH", "ok", both + build)
    yield case("S02 in both forms", "ok", build + plain + both)
    yield case("S03 plain alone", "ticket_signatures", plain + build)
    yield case(
        "S04 one of two in the form of SSH",
        "ticket_signatures",
        plain + both.split(b"\n")[0] + b"\n" + build,
    )
    yield case("S05 no build key", "denied", both)
    yield case(
        "S06 a build key over the ticket", "denied", both + ssh_line(TICKET, keys.build, Role.BUILD)
    )
    yield case(
        "S07 a build key for another purpose", "denied", both + ssh_line(manifest, keys.build)
    )
    yield case(
        "S08 a release key in place of a build key",
        "denied",
        both + ssh_line(manifest, three, Role.BUILD),
    )
    yield case("S09 a build key, plainly", "denied", both + signed(manifest, keys.build))
    yield case(
        "S10 a build key over another manifest",
        "denied",
        both + ssh_line(manifest + b"x", keys.build, Role.BUILD),
    )
    yield case("S11 RSA", "ok", ssh_line(TICKET, keys.rsa) + build, of(keys.rsa))
    yield case("S12 Ed25519", "ok", ssh_line(TICKET, keys.ed25519) + build, of(keys.ed25519))
    yield case(
        "S13 Ed25519, plainly",
        "ticket_signatures",
        signed(TICKET, keys.ed25519) + build,
        of(keys.ed25519),
    )
    yield case(
        "S16 Ed25519, with a larger S",
        "ticket_signatures",
        raw_line(keys.ed25519.fingerprint, with_larger_s(ssh_data(TICKET, keys.ed25519))) + build,
        of(keys.ed25519),
    )
    two_wanted = root_text(keys).replace(b"threshold-build 1", b"threshold-build 2")
    yield case("S14 a root that cannot be", "root_syntax", both + build, two_wanted)
    yield without_root(case("S15 no root", "denied", both + build), keys.build)
    yield from _rotations(keys)


def _rotations(keys: CaseKeys) -> Iterator[DeviceCase]:
    """Roots that follow: their keys are looked at, and their signatures counted, by ssh-keygen."""
    old, new = root_text(keys), root_text(keys, version=4, root=keys.root[1:])
    spki = keys.stranger.verification.spki
    beside = spki[:-1] + bytes((spki[-1] ^ 1,))  # its point lies on no curve
    by = keys.root[1:3]
    for name, text, answer in (
        ("S20 a root", new, Answer.ALLOW),
        ("S21 a root with keys of every kind", _with(new, keys.rsa, keys.ed25519), Answer.ALLOW),
        ("S22 a root with one more key", _with_line(new, spki), Answer.ALLOW),
        ("S23 a root with a point beside the curve", _with_line(new, beside), Answer.SYNTAX),
    ):
        signatures = ssh_signed(text, *by, role=Role.ROOT)
        yield rotation_case(RotationCase(name, old, text, signatures, answer), MARK)
    plain = RotationCase("S24 plainly", old, new, signed(new, *by), Answer.ROOT_SIGNATURES)
    yield rotation_case(plain, MARK)


def _with(root: bytes, *keys: SigningKey) -> bytes:
    for key in keys:
        root = _with_line(root, key.verification.spki, str(key.kind))
    return root


def _with_line(root: bytes, spki: bytes, kind: str = "ecdsa-p256") -> bytes:
    """The root with one more release key."""
    head, start, rest = root.partition(b"key ")
    line = f"key release {kind} {base64.b64encode(spki).decode()}\n".encode()
    return head + b"".join(sorted([*(start + rest).splitlines(keepends=True), line]))
