"""Cases of devices that have signify, and neither openssl nor ssh-keygen: Ed25519 counts, and nothing else."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from dataclasses import replace

from orchestrator.testing.ssh_table import with_larger_s
from orchestrator.testing.ticket_table import TICKET
from orchestrator.testing.tickets import (
    FLEET,
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
from orchestrator.trust.keys import KeyKind, SigningKey, generate_key
from orchestrator.trust.root import Role
from orchestrator.trust.signature_file import SSH_TAG
from orchestrator.trust.signing import sign_bytes
from tests.hostile.no_openssl import (
    good_case,
    keys_at_hand,
    rotation_case,
    signed_case,
    without_root,
)
from tests.hostile.tickets import IN, DeviceCase

ALONE = "signify-alone"


@functools.cache
def of_ed25519() -> CaseKeys:
    """Of a fleet whose keys of each role that a threshold asks for are Ed25519, and one is not."""
    made = iter(generate_key(KeyKind.ED25519) for _ in range(7))
    others = keys_at_hand()
    return replace(
        others,
        root=(*(next(made) for _ in range(3)), others.root[3]),
        release=(next(made), next(made), others.release[2]),
        build=next(made),
    )


def signify_cases() -> Iterator[DeviceCase]:
    """All of them."""
    manifest, keys = good_case().files[f"{IN}/manifest"], of_ed25519()
    one, two, ecdsa = keys.release
    plain, build = signed(TICKET, one, two), ssh_line(manifest, keys.build, Role.BUILD)

    def case(name: str, wanted: str, by: bytes, root: bytes = root_text(keys)) -> DeviceCase:
        return signed_case(name, wanted, by, root, ALONE)

    first, few = signed(TICKET, one), "ticket_signatures"
    for name, by, wanted in (
        ("U01 plainly", plain, "ok"),
        ("U02 in the form of SSH", ssh_signed(TICKET, one, two), "ok"),
        ("U03 one in each form", first + ssh_line(TICKET, two), "ok"),
        ("U04 one in both forms", first + ssh_line(TICKET, one), few),
        ("U05 ECDSA is the second", first + signed(TICKET, ecdsa) + ssh_line(TICKET, ecdsa), few),
        ("U06 of another text", first + signed(TICKET + b"x", two), few),
        ("U07 SSH, of another text", first + ssh_line(TICKET + b"x", two), few),
        ("U08 SSH, made for roots", first + ssh_line(TICKET, two, Role.ROOT), few),
        ("U09 SSH, made for another fleet", first + ssh_line(TICKET, two, fleet="acme-test"), few),
        ("U10 tagged, and made plainly", first + _tagged(TICKET, two), few),
        ("U11 SSH, without its tag", first + _untagged(TICKET, two), few),
        ("U12 a larger S", first + _larger(sign_bytes(TICKET, two), two), few),
        ("U13 SSH, a larger S", first + _larger(ssh_data(TICKET, two), two), few),
        ("U14 a byte behind it", first + raw_line(two.fingerprint, sign_bytes(TICKET, two) + b"\0"), few),
        ("U15 SSH, a byte behind it", first + raw_line(two.fingerprint, ssh_data(TICKET, two) + b"\0"), few),
        ("U16 the build key", first + ssh_line(TICKET, keys.build), few),
        ("U17 by the other's id", first + raw_line(two.fingerprint, sign_bytes(TICKET, one)), few),
    ):  # fmt: skip
        yield case(name, wanted, by + build)
    for name, by in (
        ("U20 no build key", b""),
        ("U21 a build key, plainly", signed(manifest, keys.build)),
        ("U22 a build key over the ticket", ssh_line(TICKET, keys.build, Role.BUILD)),
        ("U23 a build key for releases", ssh_line(manifest, keys.build)),
        ("U24 a build key for another fleet", ssh_line(manifest, keys.build, Role.BUILD, "acme-test")),
        ("U25 a build key over another manifest", ssh_line(manifest + b"x", keys.build, Role.BUILD)),
        ("U26 a release key in place of it", ssh_line(manifest, one, Role.BUILD)),
        ("U27 a stranger in place of it", ssh_line(manifest, keys.ed25519, Role.BUILD)),
        ("U28 a larger S", _larger(ssh_data(manifest, keys.build, Role.BUILD), keys.build)),
    ):  # fmt: skip
        yield case(name, "denied", plain + by)
    other = keys_at_hand().build
    yield case(
        "U29 a build key of another kind",
        "denied",
        plain + ssh_line(manifest, other, Role.BUILD),
        root_text(replace(keys, build=other)),
    )
    yield without_root(case("U30 no root", "denied", plain + build), other)
    yield from _rotations(keys)


def _rotations(keys: CaseKeys) -> Iterator[DeviceCase]:
    """Roots that follow: keys that nothing there reads are taken, and never count."""
    one, two, three, ecdsa = keys.root
    old, new = root_text(keys), root_text(keys, version=4, root=keys.root[1:])
    unlike = root_text(keys, version=4, root=(two, ecdsa, keys.stranger))
    both = Role.ROOT
    for name, text, by, answer in (
        ("U40 plainly", new, signed(new, two, three), Answer.ALLOW),
        ("U41 in the form of SSH", new, ssh_signed(new, two, three, role=both), Answer.ALLOW),
        ("U42 one key in both forms", new, signed(new, two) + ssh_line(new, two, both), Answer.ROOT_SIGNATURES),
        ("U43 made for tickets", new, ssh_signed(new, two, three), Answer.ROOT_SIGNATURES),
        ("U44 by the old alone", new, signed(new, one, two), Answer.ROOT_OWN_SIGNATURES),
        ("U45 too few of Ed25519 in the new", unlike, signed(unlike, one, two, ecdsa), Answer.ROOT_OWN_SIGNATURES),
    ):  # fmt: skip
        yield rotation_case(RotationCase(name, old, text, by, answer), ALONE)


def _tagged(text: bytes, key: SigningKey) -> bytes:
    return raw_line(key.fingerprint, SSH_TAG + sign_bytes(text, key))


def _untagged(text: bytes, key: SigningKey) -> bytes:
    data = ssh_data(text, key, Role.RELEASE, FLEET)
    return raw_line(key.fingerprint, data.removeprefix(SSH_TAG))


def _larger(signature: bytes, key: SigningKey) -> bytes:
    return raw_line(key.fingerprint, with_larger_s(signature))
