"""Trust roots: whose signatures count for what, and how many of them are needed.

A key stands in one role and once. A draft is a root whose roles may still lack keys; nothing but
the commands that make roots reads drafts. docs/reference/release.md has the format.
"""

from __future__ import annotations

import base64
from dataclasses import dataclass
from enum import StrEnum

from orchestrator.errors import TrustError
from orchestrator.trust.errors import TrustRule, refuse
from orchestrator.trust.keys import KeyKind, VerificationKey, parse_spki
from orchestrator.trust.text import Lines

KEYS_MAX = 48
THRESHOLD_MAX = 16
_HEAD = "fleet-root"
_VERSION = "1"


class Role(StrEnum):
    """What a key's signatures are for."""

    ROOT = "root"
    RELEASE = "release"
    BUILD = "build"


@dataclass(frozen=True, slots=True)
class RoleKey:
    """A key in its role."""

    role: Role
    key: VerificationKey

    @property
    def value(self) -> str:
        """The value of its line, by which roots are sorted too."""
        text = base64.b64encode(self.key.spki).decode("ascii")
        return f"{self.role} {self.key.kind} {text}"


@dataclass(frozen=True, slots=True)
class Root:
    """The keys of a fleet, sorted, and the signatures needed of each role."""

    fleet: str
    version: int
    issued_s: int
    threshold_root: int
    threshold_release: int
    threshold_build: int
    keys: tuple[RoleKey, ...]

    def of(self, role: Role) -> tuple[VerificationKey, ...]:
        """The keys of a role."""
        return tuple(each.key for each in self.keys if each.role is role)

    def ed25519_count(self, role: Role) -> int:
        """How many of them are Ed25519: all that devices with `usign` or `signify` alone count."""
        return sum(key.kind is KeyKind.ED25519 for key in self.of(role))

    def threshold(self, role: Role) -> int:
        """How many of them must sign."""
        return {
            Role.ROOT: self.threshold_root,
            Role.RELEASE: self.threshold_release,
            Role.BUILD: self.threshold_build,
        }[role]

    def missing(self, role: Role) -> int:
        """How many keys a draft still lacks in a role."""
        return max(0, self.threshold(role) - len(self.of(role)))


def parse_root(data: bytes) -> Root:
    """The root that a file holds; says nothing about who signed it.

    Raises:
        TrustError: it is none, to the byte.
    """
    lines, root = _parse(data)
    if not root.keys:
        raise lines.wrong(TrustRule.TEXT_LINE, "is the last; a root has keys")
    for role in Role:
        if root.missing(role):
            message = (
                f"the root wants {root.threshold(role)} {role} signatures and has"
                f" {len(root.of(role))} such keys"
            )
            hint = "`rollout root add` adds keys to a draft"
            raise refuse(TrustRule.THRESHOLD, message, hint=hint)
    return root


def parse_draft(data: bytes) -> Root:
    """A root that may still lack keys.

    Raises:
        TrustError: it is none, to the byte.
    """
    return _parse(data)[1]


def write_root(root: Root) -> bytes:
    """The root, or a draft of one, as the one text that stands for it.

    Raises:
        TrustError: a value has no place in a root, or a key stands in it twice.
    """
    lines = [
        f"{_HEAD} {_VERSION}",
        f"fleet {root.fleet}",
        f"version {root.version}",
        f"issued {root.issued_s}",
        *(f"threshold-{role} {root.threshold(role)}" for role in Role),
        *(f"key {value}" for value in sorted(each.value for each in root.keys)),
    ]
    data = "".join(f"{line}\n" for line in lines).encode("utf-8", "replace")
    parse_draft(data)
    return data


def _parse(data: bytes) -> tuple[Lines, Root]:
    lines = Lines(data, "root")
    if lines.one(_HEAD) != _VERSION:
        raise lines.wrong(TrustRule.TEXT_VALUE, f"is not `{_HEAD} {_VERSION}`")
    root = Root(
        fleet=lines.name(lines.one("fleet")),
        version=lines.number(lines.one("version"), least=1),
        issued_s=lines.number(lines.one("issued")),
        threshold_root=_threshold(lines, Role.ROOT),
        threshold_release=_threshold(lines, Role.RELEASE),
        threshold_build=_threshold(lines, Role.BUILD),
        keys=_keys(lines),
    )
    lines.end()
    return lines, root


def _threshold(lines: Lines, role: Role) -> int:
    return lines.number(lines.one(f"threshold-{role}"), least=1, most=THRESHOLD_MAX)


def _keys(lines: Lines) -> tuple[RoleKey, ...]:
    values = lines.many("key", KEYS_MAX)
    if values != sorted(values):
        raise lines.wrong(TrustRule.TEXT_VALUE, "ends keys that are not sorted")
    found = tuple(_key(lines, value) for value in values)
    if len({each.key.fingerprint for each in found}) < len(found):
        raise lines.wrong(TrustRule.KEY_TWICE, "ends keys of which one stands there twice")
    return found


def _key(lines: Lines, value: str) -> RoleKey:
    role, kind, text = lines.words(value, 3)
    if role not in set(Role):
        raise lines.wrong(TrustRule.TEXT_VALUE, f"ends keys of which one has the role `{role}`")
    try:
        key = parse_spki(lines.base64(text))
    except TrustError as error:
        message = f"ends keys of which one cannot be used: {error.message}"
        raise lines.wrong(TrustRule.TEXT_VALUE, message) from error
    if key.kind != kind:
        message = f"ends keys of which one is `{key.kind}`, not `{kind}`"
        raise lines.wrong(TrustRule.TEXT_VALUE, message)
    return RoleKey(Role(role), key)
