"""Drawn cases: good tickets, roots and artifacts, spoilt by a few changes before and after signing.

A case is what it was drawn from (`Drawn`), so that leaving changes out gives a smaller one. Keys are
the same in every process; signatures are not, so a failure also keeps the bytes (`Bytes`).
"""

from __future__ import annotations

import base64
import functools
import random
from collections.abc import Mapping
from dataclasses import dataclass, replace

from cryptography.hazmat.primitives.asymmetric import ec, ed25519

from orchestrator.testing.ssh_table import with_larger_s
from orchestrator.testing.ticket_table import TICKET
from orchestrator.testing.tickets import (
    NOW_S,
    CaseKeys,
    raw_line,
    root_text,
    signed,
    ssh_line,
    ssh_signed,
)
from orchestrator.trust.keys import TICKET_KINDS, SigningKey, verification_key
from orchestrator.trust.root import Role
from orchestrator.trust.signature import sign_manifest
from tests.hostile.mutate import BYTE_WAYS, TEXT_WAYS, WAYS, Change, draw
from tests.hostile.no_openssl import MARK
from tests.hostile.signify import ALONE
from tests.unit.artifact.crafting import (
    PACKERS,
    VERSION,
    compact,
    header,
    padded,
    pax,
    seal,
    sha256,
)

TICKETS, ROOTS, ARTIFACTS = "ticket", "root", "artifact"
TEXTS, HEADERS = "text", "header"  # what is signed, as both read it before they look who did
FORMS = ("ticket", "root", "signatures")
_HEADER: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("info", tuple(WAYS)), ("type", tuple(WAYS)), ("meta", tuple(WAYS)), ("block", BYTE_WAYS),
    ("tar", BYTE_WAYS), ("info", ("json", "field")), ("type", ("json", "field")), ("block", ("byte", "flip")),
)  # fmt: skip
MANIFEST = b"00" * 32 + b"  version\n"


@dataclass(frozen=True)
class Drawn:
    """One case; `numbers` are choices that are no changes of bytes."""

    kind: str
    changes: tuple[Change, ...]
    numbers: tuple[int, ...]


@dataclass(frozen=True)
class Bytes:
    """All that both verifiers are given."""

    kind: str
    parts: Mapping[str, bytes]
    numbers: Mapping[str, int]


@functools.cache
def keys() -> CaseKeys:
    """Of the drawn fleet."""

    def key(number: int) -> SigningKey:
        private = ec.derive_private_key(1_000_003 * (number + 1), ec.SECP256R1())
        return SigningKey(verification_key(private.public_key(), None, TICKET_KINDS), private)

    return CaseKeys(
        root=tuple(key(n) for n in range(4)),
        release=(key(4), key(5), _of_ed25519()),
        build=key(7),
        stranger=key(8),
        rsa=key(9),
        ed25519=key(10),
    )


@functools.cache
def keys_of_ed25519() -> CaseKeys:
    """Of a fleet with devices that count no others; one of each three is another."""
    made = [_of_ed25519(number) for number in range(1, 6)]
    others = keys()
    return replace(
        others,
        root=(*made[:2], *others.root[:2]),
        release=(*made[2:4], others.release[0]),
        build=made[4],
    )


def _of_ed25519(number: int = 0) -> SigningKey:
    private = ed25519.Ed25519PrivateKey.from_private_bytes(b"drawn" + bytes((*range(26), number)))
    return SigningKey(verification_key(private.public_key(), None, TICKET_KINDS), private)


def draw_case(seed: int) -> Drawn:
    """The case of a seed."""
    rng = random.Random(seed)
    kind = rng.choice((TICKETS, ROOTS, *(ARTIFACTS,) * 2, *(TEXTS,) * 3, *(HEADERS,) * 5))
    parts: tuple[tuple[str, tuple[str, ...]], ...] = {
        TICKETS: (("ticket", TEXT_WAYS),) * 5 + (("ticket.sig", TEXT_WAYS), ("root.txt", TEXT_WAYS)),
        ROOTS: (("root", TEXT_WAYS),) * 5 + (("root.sig", TEXT_WAYS),),
        ARTIFACTS: (*_HEADER, ("packed", BYTE_WAYS), ("manifest", TEXT_WAYS), ("sig", BYTE_WAYS)),
        TEXTS: (("text", TEXT_WAYS),),
        HEADERS: _HEADER,
    }[kind]  # fmt: skip
    count = rng.choice((0, 1, 1, 1, 1, 2, 2, 3))
    changes = tuple(draw(rng, *rng.choice(parts)) for _ in range(count))
    return Drawn(kind, changes, tuple(rng.randrange(1 << 16) for _ in range(8)))


def make(drawn: Drawn) -> Bytes:
    """Its bytes."""
    makers = {
        TICKETS: _ticket, ROOTS: _root, ARTIFACTS: _artifact, TEXTS: _text, HEADERS: _header,
    }  # fmt: skip
    return makers[drawn.kind](drawn)


def changed(drawn: Drawn, part: str, data: bytes) -> bytes:
    """The part, with its changes."""
    for change in drawn.changes:
        if change.part == part:
            data = change.apply(data)
    return data


def _ticket(drawn: Drawn) -> Bytes:
    a, b, c, d, e, f, g, h = drawn.numbers
    text = changed(drawn, "ticket", _fresh_ticket(d))
    stands_in = ("", MARK, ALONE, "")[h // 1024 % 4]
    people = keys_of_ed25519() if stands_in == ALONE else keys()
    release = people.release
    by = ((release[0], release[1]), (release[1], release[2], keys().stranger), (release[2],))[
        (0, 0, 1, 1, 1, 2)[a % 6]
    ]
    signatures = _in_forms(h, text, Role.RELEASE, by)
    if h // 256 % 4:  # else no build key signs beside the ticket
        signatures += _in_another_form(ssh_line(MANIFEST, people.build, Role.BUILD), h // 512 % 8)
    parts = {
        "root.txt": _own_root(drawn, people),
        "ticket": text,
        "ticket.sig": changed(drawn, "ticket.sig", signatures),
        "manifest": MANIFEST,
        "manifest.sig": base64.b64encode(sign_manifest(MANIFEST, keys().build)),
    }
    steps = (0, 0, 0, -1, 1)
    numbers = {
        "device": b,
        "now": NOW_S + (0, 0, 0, -4000, 6 * 86_400, 6 * 86_400 - 1, 90_000)[c % 7],
        "time-floor": (0, NOW_S, NOW_S + 6 * 86_400 + steps[e % 5])[(0, 0, 1, 2)[e % 4]],
        "security-floor": 7 + steps[f % 5],
        "serial": 42 + steps[g % 5],
        MARK: int(stands_in == MARK),
        ALONE: int(stands_in == ALONE),
    }
    return Bytes(TICKETS, parts, numbers)


def _in_forms(choice: int, text: bytes, role: Role, by: tuple[SigningKey, ...]) -> bytes:
    """Signatures of those keys, plain ones, in the form of SSH, some of each, or made for something else."""
    other = Role.BUILD if choice % 16 == 0 else role
    lines = (
        signed(text, *by),
        ssh_signed(text, *by, role=other),
        signed(text, *by) + ssh_signed(text, *by, role=other),
        signed(text, by[0]) + ssh_signed(text, *by[1:], role=other),
    )[choice // 16 % 4]
    return b"".join(_in_another_form(line, choice // 64 % 4) for line in lines.splitlines(True))


def _in_another_form(line: bytes, choice: int) -> bytes:
    """A signature by Ed25519 as some programs take it, and others do not; for one choice of all."""
    _, key_id, text = line.decode().split()
    data = base64.b64decode(text)
    people = (keys().release[2], *keys_of_ed25519().release[:2], keys_of_ed25519().build)
    of_ed25519 = key_id in {key.fingerprint for key in people}
    return raw_line(key_id, with_larger_s(data)) if of_ed25519 and not choice else line


def _text(drawn: Drawn) -> Bytes:
    form, choice, *_ = drawn.numbers
    form %= len(FORMS)
    root = root_text(keys())
    head = root.index(b"key ")  # whether a key lies on its curve openssl alone can tell
    signatures = _in_forms(choice, b"x", Role.RELEASE, keys().release)
    text = (_fresh_ticket(choice), root[:head], signatures)[form]
    text = changed(drawn, "text", text) + (root[head:] if FORMS[form] == "root" else b"")
    return Bytes(TEXTS, {"text": text}, {"form": form})


def _header(drawn: Drawn) -> Bytes:
    _, b, c, *_ = drawn.numbers
    return Bytes(HEADERS, {"header.tar": _header_tar(drawn, b, c)}, {})


def _own_root(drawn: Drawn, people: CaseKeys) -> bytes:
    """The device's own root, spoilt before its keys: those were tried when it was placed."""
    text = root_text(people)
    head = text.index(b"key ")
    return changed(drawn, "root.txt", text[:head]) + text[head:]


def _fresh_ticket(choice: int) -> bytes:
    """A good ticket for `MANIFEST`, of one form or another."""
    digest = sha256(MANIFEST).encode()
    lines = [
        b"manifest-sha256 " + digest if line.startswith(b"manifest") else line
        for line in TICKET.split(b"\n")
    ]
    text = b"\n".join(lines)
    if choice % 3:
        text = text[: text.index(b"open")] + (b"", b"open 100 1\n")[choice % 3 - 1]
    return text


def _root(drawn: Drawn) -> Bytes:
    a, *_, h = drawn.numbers
    root = keys().root
    text = changed(drawn, "root", root_text(keys(), version=4, root=root[1:]))
    by = (root[1:3], root, (root[1], root[3]), (root[0], root[1]))[(0, 0, 0, 1, 2, 3)[a % 6]]
    parts = {
        "root.txt": root_text(keys()),
        "root": text,
        "root.sig": changed(drawn, "root.sig", _in_forms(h, text, Role.ROOT, by)),
    }
    return Bytes(ROOTS, parts, {})


def _artifact(drawn: Drawn) -> Bytes:
    a, b, c, d, *_ = drawn.numbers
    suffix = (".gz", ".gz", "", ".xz")[a % 4]
    packed = changed(drawn, "packed", PACKERS[suffix](_header_tar(drawn, b, c)))
    payload = b"hello\n"
    lines = [("data/0000/app", payload), (f"header.tar{suffix}", packed), ("version", VERSION)]
    manifest = "".join(f"{sha256(data)}  {name}\n" for name, data in lines).encode()
    manifest = changed(drawn, "manifest", manifest)
    signature = changed(drawn, "sig", _signature(manifest, d))
    parts = {"version": VERSION, "manifest": manifest, "manifest.sig": base64.b64encode(signature)}
    parts |= {f"header.tar{suffix}": packed, "data/0000/app": payload}
    return Bytes(ARTIFACTS, parts, {})


def _signature(manifest: bytes, choice: int) -> bytes:
    if choice % 8:
        return sign_manifest(manifest, keys().build)
    return base64.b64decode(signed(manifest, keys().build).split()[2])  # DER


def _header_tar(drawn: Drawn, choice: int, more: int) -> bytes:
    info = {
        "payloads": [{"type": "single-file"}],
        "artifact_provides": {"artifact_name": "rel-1"}
        | ({"artifact_group": "g"} if more % 3 == 0 else {}),
        "artifact_depends": {"device_type": ["dt"]},
    }
    kind: dict[str, object] = {"type": "single-file"}
    if choice % 2:
        kind |= {
            "artifact_provides": {"a.b": "1"},
            "clears_artifact_provides": ["a.*"],
            "new": {"x": [1]},
        }
    files = [
        ("header-info", changed(drawn, "info", compact(info))),
        ("headers/0000/type-info", changed(drawn, "type", compact(kind))),
    ]
    if choice % 3 == 0:
        files.append(
            ("headers/0000/meta-data", changed(drawn, "meta", b'{"m":[1.5,true,null,"x"]}'))
        )
    parts = []
    for number, (name, data) in enumerate(files):
        if number == more % 5:
            parts.append(
                pax(
                    (
                        {"mtime": "1.5"},
                        {"path": name},
                        {"path": "x"},
                        {"size": str(len(data)), "uname": "\u00e9"},
                    )[more // 5 % 4]
                )
            )
        block = bytearray(header(name, len(data), magic=(b"ustar\x0000", b"ustar  \0")[more % 2]))
        if number == choice % len(files):
            spoilt = bytearray(changed(drawn, "block", bytes(block)).ljust(512, b"\0")[:512])
            block = bytearray(seal(spoilt)) if choice % 4 else spoilt
        parts.append(bytes(block) + padded(data))
    end = bytes(512 * (2, 2, 2, 20, 1, 22)[more // 7 % 6])
    return changed(drawn, "tar", b"".join(parts) + end)


def smaller(drawn: Drawn) -> list[Drawn]:
    """The case without one of its changes, for each."""
    count = len(drawn.changes)
    return [
        replace(drawn, changes=drawn.changes[:at] + drawn.changes[at + 1 :]) for at in range(count)
    ]
