"""The cases of roots that follow another (see `orchestrator.testing.tickets`)."""

from __future__ import annotations

import functools
from collections.abc import Iterator

from orchestrator.testing.key_table import key_cases
from orchestrator.testing.ssh_table import ssh_rotation_cases
from orchestrator.testing.tickets import (
    Answer,
    CaseKeys,
    RotationCase,
    root_text,
    signature_line,
    signed,
)
from orchestrator.trust.keys import SigningKey, generate_key


@functools.cache
def rotation_cases() -> tuple[RotationCase, ...]:
    """Every case; the same in one process."""
    keys = CaseKeys.make()
    in_ssh_form = ssh_rotation_cases(root_text(keys), _next(keys), keys)
    cases = (
        *_listed(keys), *_forms(keys), *_signatures(keys), *_at_limits(keys), *key_cases(keys),
        *in_ssh_form,
    )  # fmt: skip
    assert len({case.name for case in cases}) == len(cases), "names tell cases apart"
    return cases


def _next(keys: CaseKeys, version: int = 4) -> bytes:
    """The root after the first: its first root key is gone, a new one has come."""
    return root_text(keys, version=version, root=keys.root[1:])


def _case(
    keys: CaseKeys, name: str, answer: Answer, new: bytes, by: tuple[SigningKey, ...] = ()
) -> RotationCase:
    """A root signed by two keys that stand in both, unless others are named."""
    return RotationCase(name, root_text(keys), new, signed(new, *(by or keys.root[1:3])), answer)


def _listed(keys: CaseKeys) -> Iterator[RotationCase]:
    """T24 to T30 of the list."""
    first, second, third, fourth = keys.root
    new = _next(keys)
    others = root_text(keys, version=4, root=(fourth, keys.rsa, keys.ed25519))
    key_line = new[new.index(b"key root") :].partition(b"\n")[0] + b"\n"
    yield _case(keys, "T24 signed by old and new", Answer.ALLOW, new)
    yield _case(keys, "T25 by the new alone", Answer.ROOT_SIGNATURES, others, (fourth, keys.rsa))
    yield _case(keys, "T26 by one of the old", Answer.ROOT_SIGNATURES, new, (third, fourth))
    yield _case(keys, "T27 a version is skipped", Answer.ROOT_VERSION, _next(keys, 5))
    yield _case(keys, "T28 the same version", Answer.ROOT_VERSION, _next(keys, 3))
    zero = new.replace(b"threshold-root 2", b"threshold-root 0")
    yield _case(keys, "T29 threshold of nobody", Answer.SYNTAX, zero)
    yield _case(keys, "T30 a key twice", Answer.SYNTAX, new.replace(key_line, key_line * 2))
    yield _case(keys, "N100 an older version", Answer.ROOT_VERSION, _next(keys, 2))
    yield _case(
        keys,
        "N101 other fleet",
        Answer.FLEET,
        root_text(keys, version=4, fleet="acme-test", root=keys.root[1:]),
    )
    yield _case(keys, "N102 by the old alone", Answer.ROOT_OWN_SIGNATURES, new, (first, second))
    fewer = root_text(keys, version=4, root=(second, fourth))
    yield _case(
        keys, "N104 by all the old", Answer.ROOT_OWN_SIGNATURES, fewer, (first, second, third)
    )
    yield _case(keys, "N103 each counts in both", Answer.ALLOW, new, (first, second, third))


def _forms(keys: CaseKeys) -> Iterator[RotationCase]:
    """Roots that are signed and have another form."""
    new = _next(keys)
    start = new.index(b"key ")
    head, lines = new[:start], new[start:].splitlines(keepends=True)
    build, release, root = lines[0], lines[1:4], lines[4:]
    moved = release[0].replace(b"key release", b"key root")
    crowd = tuple(generate_key() for _ in range(42))
    for name, text in (
        ("N110 no keys", head),
        ("N111 keys not sorted", head + b"".join(reversed(lines))),
        ("N112 a key in two roles", head + build + b"".join(release) + b"".join(sorted([*root, moved]))),
        ("N113 no build key", head + b"".join(release + root)),
        ("N114 fewer keys than the threshold", new.replace(b"threshold-release 2", b"threshold-release 4")),
        ("N115 threshold above 16", new.replace(b"threshold-release 2", b"threshold-release 17")),
        ("N116 a threshold is missing", new.replace(b"threshold-build 1\n", b"")),
        ("N117 version 0", new.replace(b"version 4", b"version 0")),
        ("N118 unknown role", new.replace(b"key build", b"key audit")),
        ("N119 other kind than the key", new.replace(b"key build ecdsa-p256", b"key build ed25519")),
        ("N120 unknown kind", new.replace(b"key build ecdsa-p256", b"key build ecdsa-p384")),
        ("N121 a key that is none", head + b"key build ecdsa-p256 AAAA\n" + b"".join(release + root)),
        ("N122 more behind a key", new.replace(build, build[:-1] + b" x\n")),
        ("N123 a ticket in place of a root", b"fleet-release 1\n" + new.partition(b"\n")[2]),
        ("N124 a line behind the keys", new + b"note hello\n"),
        ("N125 key cut short", new.replace(build, build[:-5] + b"\n")),
        ("N126 no line feed at the end", new[:-1]),
        ("N127 CRLF", new.replace(b"\n", b"\r\n")),
        ("N129 other line in place of a threshold", new.replace(b"threshold-build 1\n", b"threshold-root 1\n")),
        ("N136 fleet of 64 characters", new.replace(b"acme-prod", b"f" * 64)),
        ("N137 threshold 17", root_text(keys, version=4, root=keys.root[1:], release=crowd[:17], threshold_release=16).replace(b"threshold-release 16", b"threshold-release 17")),
        ("N128 more than 48 keys", head + b"".join(sorted([*lines, *_lines(keys, crowd)]))),
    ):  # fmt: skip
        yield _case(keys, name, Answer.SYNTAX, text)


def _at_limits(keys: CaseKeys) -> Iterator[RotationCase]:
    """Good roots whose values are as small or as large as they may be."""
    new = _next(keys)
    crowd = tuple(generate_key() for _ in range(44))
    issued = new[new.index(b"issued") :].partition(b"\n")[0]
    for name, text in (
        ("N230 issued at 0", new.replace(issued, b"issued 0")),
        ("N231 48 keys", root_text(keys, version=4, root=keys.root[1:], release=crowd)),
        ("N232 threshold 16", root_text(keys, version=4, root=keys.root[1:], release=crowd[:16], threshold_release=16)),
        ("N233 threshold 1", new.replace(b"threshold-root 2", b"threshold-root 1")),
    ):  # fmt: skip
        yield _case(keys, name, Answer.ALLOW, text)
    first = _next(keys, 1)
    second = root_text(keys, version=2, root=keys.root[1:])
    by = signed(second, *keys.root[1:3])
    yield RotationCase("N234 the second root", first, second, by, Answer.ALLOW)


def _lines(keys: CaseKeys, crowd: tuple[SigningKey, ...]) -> list[bytes]:
    """The lines of release keys."""
    text = root_text(keys, release=crowd)
    return [line for line in text.splitlines(keepends=True) if line.startswith(b"key release")]


def _signatures(keys: CaseKeys) -> Iterator[RotationCase]:
    """Signature files of roots."""
    new = _next(keys)
    old = root_text(keys)
    good = signed(new, *keys.root[1:3])
    twice = signature_line(new, keys.root[1]) * 2
    release = signed(new, *keys.release[:2])
    for name, signatures, answer in (
        ("N130 the same key twice", twice, Answer.ROOT_SIGNATURES),
        ("N131 by release keys", release, Answer.ROOT_SIGNATURES),
        ("N132 over the root before", signed(old, *keys.root[1:3]), Answer.ROOT_SIGNATURES),
        ("N133 empty", b"", Answer.SYNTAX),
        ("N134 comment", good + b"# mine\n", Answer.SYNTAX),
        ("N135 release keys beside them", release + good, Answer.ALLOW),
    ):
        yield RotationCase(name, old, new, signatures, answer)
