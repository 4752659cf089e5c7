"""Cases of tickets and roots: what every verifier must answer, in Python and in a device's shell.

`ticket_cases()` and `rotation_cases()` give the whole table (`ticket_table` has the tickets,
`root_table` the roots); each case holds all that a verifier is given, as bytes and plain values.
T01 to T34 are the numbers of the bad-input list; N... are ours. Keys are made anew for each
process, and nothing but the keys differs.
"""

from __future__ import annotations

import base64
from dataclasses import dataclass
from enum import StrEnum

from orchestrator.trust.errors import TrustRule
from orchestrator.trust.judge import Delivery, DeviceView
from orchestrator.trust.keys import KeyKind, SigningKey, generate_key
from orchestrator.trust.purpose import Purpose
from orchestrator.trust.root import Role, RoleKey, Root, write_root
from orchestrator.trust.signers import KeyAtHand
from orchestrator.trust.signing import sign_bytes

NOW_S = 1_764_000_000
DAY_S = 86_400
FLEET = "acme-prod"


class Answer(StrEnum):
    """What a verifier says: that it takes it, or the first reason why not."""

    ALLOW = "allow"
    SYNTAX = "syntax"
    FLEET = "fleet"
    SIGNATURES = "signatures"
    DEVICE_TYPE = "device_type"
    EXPIRED = "expired"
    SECURITY_VERSION = "security_version"
    SERIAL = "serial"
    MANIFEST = "manifest"
    ARTIFACT = "artifact"
    NOT_OPEN = "not_open"
    ROOT_VERSION = "root_version"
    ROOT_SIGNATURES = "root_signatures"  # too few of the version before
    ROOT_OWN_SIGNATURES = "root_own_signatures"


_SYNTAX_RULES = frozenset(
    (
        TrustRule.TEXT_FORM, TrustRule.TEXT_LINE, TrustRule.TEXT_VALUE, TrustRule.THRESHOLD,
        TrustRule.KEY_TWICE,
    )
)  # fmt: skip


def answer_of(code: str) -> Answer:
    """The answer that a `TrustError` with this code is."""
    rule = TrustRule(code)
    return Answer.SYNTAX if rule in _SYNTAX_RULES else Answer(rule.name.lower())


@dataclass(frozen=True, slots=True)
class TicketCase:
    """A ticket that comes to a device; `kinds` are those of the keys that it must verify with.

    `delivery` is about `manifest`, which a build key of the root signed.
    """

    name: str
    root: bytes
    ticket: bytes
    signatures: bytes
    device: DeviceView
    manifest: bytes
    manifest_signature: bytes
    delivery: Delivery
    answer: Answer
    kinds: frozenset[KeyKind]


@dataclass(frozen=True, slots=True)
class RotationCase:
    """A root that comes to a holder of another."""

    name: str
    root: bytes
    new_root: bytes
    signatures: bytes
    answer: Answer


@dataclass(frozen=True, slots=True)
class CaseKeys:
    """The keys of the table's fleet, and one that belongs to nobody."""

    root: tuple[SigningKey, ...]
    release: tuple[SigningKey, ...]
    build: SigningKey
    stranger: SigningKey
    rsa: SigningKey
    ed25519: SigningKey

    @classmethod
    def make(cls) -> CaseKeys:
        """New keys."""
        return cls(
            root=tuple(generate_key() for _ in range(4)),
            release=tuple(generate_key() for _ in range(3)),
            build=generate_key(),
            stranger=generate_key(),
            rsa=generate_key(KeyKind.RSA),
            ed25519=generate_key(KeyKind.ED25519),
        )


def root_text(
    keys: CaseKeys,
    *,
    version: int = 3,
    fleet: str = FLEET,
    root: tuple[SigningKey, ...] = (),
    release: tuple[SigningKey, ...] = (),
    threshold_release: int = 2,
) -> bytes:
    """A root with two of three root keys, two of three release keys and one build key."""
    roles = (
        (Role.ROOT, root or keys.root[:3]),
        (Role.RELEASE, release or keys.release),
        (Role.BUILD, (keys.build,)),
    )
    return write_root(
        Root(
            fleet=fleet,
            version=version,
            issued_s=NOW_S - 30 * DAY_S,
            threshold_root=2,
            threshold_release=threshold_release,
            threshold_build=1,
            keys=tuple(RoleKey(role, key.verification) for role, some in roles for key in some),
        )
    )


def signature_line(text: bytes, key: SigningKey) -> bytes:
    """A key's line of a signature file over a text."""
    return raw_line(key.fingerprint, sign_bytes(text, key))


def ssh_line(text: bytes, key: SigningKey, role: Role = Role.RELEASE, fleet: str = FLEET) -> bytes:
    """A key's line of a signature file over a text, in the form of SSH."""
    return raw_line(key.fingerprint, ssh_data(text, key, role, fleet))


def ssh_data(text: bytes, key: SigningKey, role: Role = Role.RELEASE, fleet: str = FLEET) -> bytes:
    """What stands in such a line."""
    return Purpose.of(role, fleet, text).sign(KeyAtHand(key))[-1].data


def ssh_signed(text: bytes, *keys: SigningKey, role: Role = Role.RELEASE) -> bytes:
    """A signature file over a text, in the form of SSH."""
    return b"".join(ssh_line(text, key, role) for key in keys)


def raw_line(key_id: str, signature: bytes) -> bytes:
    """A line of a signature file."""
    return f"sig {key_id} ".encode() + base64.b64encode(signature) + b"\n"


def signed(text: bytes, *keys: SigningKey) -> bytes:
    """A signature file over a text."""
    return b"".join(signature_line(text, key) for key in keys)
