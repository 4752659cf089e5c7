"""The cases of signatures in the form of SSH, of tickets and of roots (see `orchestrator.testing.tickets`)."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import replace

from orchestrator.testing.tickets import (
    FLEET,
    Answer,
    CaseKeys,
    RotationCase,
    TicketCase,
    raw_line,
    root_text,
    signature_line,
    signed,
    ssh_data,
    ssh_line,
    ssh_signed,
)
from orchestrator.trust.keys import KeyKind, SigningKey
from orchestrator.trust.purpose import Purpose
from orchestrator.trust.root import Role
from orchestrator.trust.signature_file import SSH_TAG
from orchestrator.trust.signers import KeyAtHand
from orchestrator.trust.signing import P256_ORDER, sign_bytes

_FIRST_BYTES = (0, 0x7F, 0x80)  # of a number: they want one length or another
_TRIES = 20_000
_ED25519_ORDER = 2**252 + 27742317777372353535851937790883648493  # RFC 8032, 5.1


def ssh_ticket_cases(good: TicketCase, keys: CaseKeys) -> Iterator[TicketCase]:
    """A good ticket of a fleet, signed in the form of SSH in one way and another."""
    yield from _by_kind(good, keys)
    yield from _by_file(good, keys)
    yield from _by_number(good, keys.release[0])
    yield from _other_forms(good, keys)


def _by_kind(good: TicketCase, keys: CaseKeys) -> Iterator[TicketCase]:
    """Keys of each kind, each alone."""
    text = good.ticket
    for number, key in enumerate((keys.release[0], keys.rsa, keys.ed25519), start=240):
        root = root_text(keys, release=(key,), threshold_release=1)
        data, plain = ssh_data(text, key), sign_bytes(text, key)
        for what, there, answer in (
            ("good", data, Answer.ALLOW),
            ("of another text", ssh_data(text + b"x", key), Answer.SIGNATURES),
            ("made for roots", ssh_data(text, key, Role.ROOT), Answer.SIGNATURES),
            ("made for another fleet", ssh_data(text, key, fleet="acme-test"), Answer.SIGNATURES),
            ("a byte behind it", data + b"\0", Answer.SIGNATURES),
            ("a byte short", data[:-1], Answer.SIGNATURES),
            ("tagged, and made plainly", SSH_TAG + plain, Answer.SIGNATURES),
            ("without its tag", data.removeprefix(SSH_TAG), Answer.SIGNATURES),
            ("the tag alone", SSH_TAG, Answer.SIGNATURES),
            ("its tag in other letters", b"SSHSIg" + data.removeprefix(SSH_TAG), Answer.SIGNATURES),
        ):  # fmt: skip
            yield replace(
                good,
                name=f"N{number} {key.kind} in the form of SSH, {what}",
                root=root,
                signatures=raw_line(key.fingerprint, there),
                answer=answer,
                kinds=frozenset((key.kind,)),
            )


def _by_file(good: TicketCase, keys: CaseKeys) -> Iterator[TicketCase]:
    """Both forms in one file."""
    text = good.ticket
    one, two, _ = keys.release
    plain = signature_line(text, one)
    bad = raw_line(one.fingerprint, ssh_data(text, two))
    stranger = ssh_line(text, keys.stranger)
    for name, signatures, answer in (
        ("N250 two keys in the form of SSH", ssh_signed(text, one, two), Answer.ALLOW),
        ("N251 one key in both forms", plain + ssh_line(text, one), Answer.SIGNATURES),
        ("N252 one key in both forms, SSH first", ssh_line(text, one) + plain, Answer.SIGNATURES),
        ("N253 one key twice in the form of SSH", ssh_line(text, one) * 2, Answer.SIGNATURES),
        ("N254 one key in each form", plain + ssh_line(text, two), Answer.ALLOW),
        ("N255 both keys in both forms", signed(text, one, two) + ssh_signed(text, one, two), Answer.ALLOW),
        ("N256 by another key, then good ones", bad + plain + ssh_line(text, two), Answer.ALLOW),
        ("N257 by another key", bad + ssh_line(text, two), Answer.SIGNATURES),
        ("N258 strangers before them", stranger * 30 + ssh_signed(text, one, two), Answer.ALLOW),
        ("N259 a root key among them", ssh_signed(text, one, keys.root[0]), Answer.SIGNATURES),
        ("N260 the build key among them", ssh_signed(text, one, keys.build), Answer.SIGNATURES),
        ("N261 thirty-three of them", ssh_line(text, one) * 33, Answer.SYNTAX),
    ):  # fmt: skip
        yield replace(good, name=name, signatures=signatures, answer=answer)


def _by_number(good: TicketCase, key: SigningKey) -> Iterator[TicketCase]:
    """Numbers of ECDSA that need one length or another in SSH's own form."""
    one, rest = good.signatures.split(b"\n", 1)
    assert key.kind is KeyKind.ECDSA_P256
    assert one.split()[1] == key.fingerprint.encode()
    for half, at in (("first", 0), ("second", 32)):
        for number, byte in enumerate(_FIRST_BYTES):
            data = _found(at, byte, good.ticket, key)
            name = f"N{262 + number} {half} number in the form of SSH begins with {byte}"
            yield replace(good, name=name, signatures=raw_line(key.fingerprint, data) + rest)


def _found(at: int, byte: int, text: bytes, key: SigningKey) -> bytes:
    """A signature with that byte there; one of 256 has it."""
    purpose, signer = Purpose(Role.RELEASE, FLEET, hashlib.sha256(text).digest()), KeyAtHand(key)
    made = (purpose.sign(signer)[0].data for _ in range(_TRIES))
    return next(data for data in made if data[len(SSH_TAG) + at] == byte)


def _other_forms(good: TicketCase, keys: CaseKeys) -> Iterator[TicketCase]:
    """What anybody can make of a signature without its key, where S means the same as S and the order.

    The two of ECDSA count, as one key's. Ed25519 has one form: `ssh-keygen`, `usign` and `signify`
    would take the other one.
    """
    text, ecdsa, ed25519 = good.ticket, keys.release[0], keys.ed25519
    of_ecdsa, of_ed25519 = ssh_data(text, ecdsa), ssh_data(text, ed25519)
    negated = (P256_ORDER - int.from_bytes(of_ecdsa[-32:], "big")).to_bytes(32, "big")
    for name, key, data, answer in (
        ("N280 ECDSA in the form of SSH, the other S", ecdsa, of_ecdsa[:-32] + negated, Answer.ALLOW),
        ("N281 Ed25519 in the form of SSH, a larger S", ed25519, with_larger_s(of_ed25519), Answer.SIGNATURES),
        ("N282 Ed25519, a larger S", ed25519, with_larger_s(sign_bytes(text, ed25519)), Answer.SIGNATURES),
        ("N283 Ed25519 in the form of SSH, S is the order", ed25519, of_ed25519[:-32] + _order(), Answer.SIGNATURES),
    ):  # fmt: skip
        root = root_text(keys, release=(key,), threshold_release=1)
        line = raw_line(key.fingerprint, data)
        kinds = frozenset((key.kind,))
        yield replace(good, name=name, root=root, signatures=line, answer=answer, kinds=kinds)


def with_larger_s(signature: bytes) -> bytes:
    """The signature by Ed25519 with the order of its group added to S, its last 32 bytes."""
    larger = int.from_bytes(signature[-32:], "little") + _ED25519_ORDER
    return signature[:-32] + larger.to_bytes(32, "little")


def _order() -> bytes:
    return _ED25519_ORDER.to_bytes(32, "little")


def ssh_rotation_cases(old: bytes, new: bytes, keys: CaseKeys) -> Iterator[RotationCase]:
    """A root that follows, signed by its second and third key in the form of SSH."""
    first, second, third, fourth = keys.root
    both = ssh_signed(new, second, third, role=Role.ROOT)
    for name, signatures, answer in (
        ("N270 in the form of SSH", both, Answer.ALLOW),
        ("N271 made for tickets", ssh_signed(new, second, third), Answer.ROOT_SIGNATURES),
        ("N272 over the root before", ssh_signed(old, second, third, role=Role.ROOT), Answer.ROOT_SIGNATURES),
        ("N273 one key in each form", signature_line(new, second) + ssh_line(new, third, Role.ROOT), Answer.ALLOW),
        ("N274 one key in both forms", signature_line(new, second) + ssh_line(new, second, Role.ROOT), Answer.ROOT_SIGNATURES),
        ("N275 by the old alone", ssh_signed(new, first, second, role=Role.ROOT), Answer.ROOT_OWN_SIGNATURES),
        ("N276 by one of the old", ssh_signed(new, third, fourth, role=Role.ROOT), Answer.ROOT_SIGNATURES),
    ):  # fmt: skip
        yield RotationCase(name, old, new, signatures, answer)
