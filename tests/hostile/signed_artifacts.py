"""What of the list of bad artifacts is a matter of keys and signatures, or of a delivery's frames."""

from __future__ import annotations

import base64
import random
import zlib
from collections.abc import Callable
from dataclasses import replace

from cryptography.hazmat.primitives.asymmetric import utils

from tests.device.kit import Key, sha
from tests.hostile.artifacts import (
    OUTER,
    TWICE,
    Case,
    Frames,
    both,
    frames_of,
    headers,
    info,
    kind,
    listed,
    signed,
)
from tests.hostile.header_texts import header_cases
from tests.unit.artifact.crafting import PACKERS, Craft, member, tar

GIANT = "4 GiB take long to hash: test_no_byte_of_a_giant_payload_goes_unseen, at night"
FLEET = "an artifact names no fleet: test_an_artifact_of_another_fleet_needs_a_ticket_of_this_one"
ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551  # of P-256
ZEROS: dict[str, Callable[[bytes], bytes]] = {  # which a shell reads over
    "end": lambda manifest: manifest + b"\0",
    "line": lambda manifest: manifest.replace(b"\n", b"\0\n", 1),
    "sum": lambda manifest: b"\0" + manifest,
    "lines": lambda manifest: manifest.replace(b"\n", b"\n\0"),
}
NAMES = {
    "A18-frame": "../version",
    "A19-frame": "/version",
    "A31-frame": "extra",
    "A32-frame": "ver\nsion",
    "A33-frame": "\x1b[2Jversion",
    "A34-frame": "--checkpoint-action=x",
    "A34-dash-frame": "data/0000/-x",
    "A18-dot-frame": "data/0000/.",
    "A18-dots-frame": "data/0000/a..b",
    "A18-folder-frame": "data/0000/",
    "A31-root-frame": "root",
    "A31-root-signature-frame": "root.sig",
    "A31-header-frame": "header.tar.xz",
    "A31-long-frame": "data/0000/" + "a" * 91,
    "A61-frame": "header-augment.tar.gz",
}


def all_cases(key: Key) -> list[Case]:
    """The whole list."""
    return [
        *listed(key),
        *headers(key),
        *by_key(key),
        *by_frame(key),
        *packed(key),
        *others(key),
        *header_cases(key),
    ]


def by_key(key: Key) -> list[Case]:
    """A42 to A48: who signed, and in which form."""
    craft = Craft()
    manifest = dict(craft.members())["manifest"]
    der, rsa = Key("der"), Key("rsa")
    cases = [
        both("A42", craft),
        both("A44", signed(craft, Key("ec"))),
        both("A45-raw", signed(craft, key), good=True),
        both("A45-der", signed(craft, der), good=True, keys={"k": der.public_pem}),
        both("A45-rsa", signed(craft, rsa), good=True, keys={"k": rsa.public_pem}),
        both("A45-second", signed(craft, der), good=True, keys={"a": key.public_pem, "b": der.public_pem}),
        both("A45-wrapped", replace(craft, signature=base64.encodebytes(rsa_bytes(rsa, manifest))), good=True, keys={"k": rsa.public_pem}),
    ]  # fmt: skip
    for name, weak in (
        ("A46", Key("rsa", bits=1024)),
        ("A46-2048", Key("rsa", bits=2048)),
        ("A48", Key("p384")),
    ):
        cases.append(both(name, signed(craft, weak), keys={"k": weak.public_pem}))
    cases += [
        both("A46-beside-good", signed(craft, key), keys={"a": key.public_pem, "b": weak.public_pem}),
        both("A46-broken", signed(craft, key), keys={"a": key.public_pem, "b": b"nonsense\n"}),
        both("A46-private", signed(craft, key), keys={"a": key.public_pem.replace(b"PUBLIC", b"PRIVATE")}),
    ]  # fmt: skip
    r, s = (int.from_bytes(half, "big") for half in halves(key, manifest))
    for name, pair in (
        ("r0", (0, s)), ("s0", (r, 0)), ("rn", (ORDER, s)), ("sn", (r, ORDER)), ("00", (0, 0)),
        ("r-and-n", (r + ORDER if r + ORDER < 2**256 else r - 1, s)), ("swapped", (s, r)),
    ):  # fmt: skip
        raw = b"".join(number.to_bytes(32, "big") for number in pair)
        cases.append(both(f"A47-{name}", unsigned_as(craft, raw)))
        encoded = utils.encode_dss_signature(*pair)
        cases.append(both(f"A47-{name}-der", unsigned_as(craft, encoded)))
    whole = base64.b64decode(der.sign(manifest))
    for name, raw in (
        ("short", halves(key, manifest)[0]),
        ("behind-der", whole + b"\0"),
        ("long-length", whole[:1] + b"\x81" + whole[1:]),
        ("cut", whole[:-1]),
    ):
        pem = {"a": key.public_pem, "b": der.public_pem}
        cases.append(both(f"A45-{name}", unsigned_as(craft, raw), keys=pem))
    return cases


def rsa_bytes(key: Key, manifest: bytes) -> bytes:
    return base64.b64decode(key.sign(manifest))


def unsigned_as(craft: Craft, raw: bytes) -> Craft:
    """With those bytes in place of a signature."""
    return replace(craft, signature=base64.b64encode(raw))


def halves(key: Key, manifest: bytes) -> tuple[bytes, bytes]:
    raw = base64.b64decode(key.sign(manifest))
    return raw[:32], raw[32:]


def by_frame(key: Key) -> list[Case]:
    """What can be wrong with the frames of a delivery; Python meets it as A18 to A35."""
    good = frames_of(signed(Craft(), key))

    def case(name: str, frames: Frames) -> Case:
        return Case(name, None, frames, why=OUTER)

    cases = [case(name, (*good, (frame, b"x"))) for name, frame in NAMES.items()]
    cases += [
        Case("A01", b"", why=TWICE.partition(",")[0]),
        case("A01-frame", ()),
        case("A27-frame", (*good[:2], good[1], *good[2:])),
        case("A28-frame", (good[0], *good)),
        case("A30-frame", (*good, ("data/0001/app", b"x"))),
        case("A38-frame", (*good, ("data/0000/more", b"x"))),
        case("A37-frame", good[:-1]),
        case("A42-frame", tuple(frame for frame in good if frame[0] != "manifest.sig")),
        case("A49-frame", tuple((n, d + bytes(2 << 20) * n.startswith("header")) for n, d in good)),
    ]
    for name, number, size, taken in (
        ("version", 36, 1024, False), ("manifest", 41, 262_144, False), ("manifest.sig", 43, 8192, True),
        ("header.tar.gz", 49, 1_048_576, False), ("ticket", 62, 16_384, True), ("ticket.sig", 62, 16_384, True),
    ):  # fmt: skip
        for more in (0, 1):
            found = {"ticket": b"x", "ticket.sig": b"x"} | dict(good)  # which nobody asks for here
            found[name] = found[name].ljust(size + more, b"\n")
            limit = case(f"A{number}-{name}-{size + more}-frame", tuple(found.items()))
            cases.append(replace(limit, good=taken and not more))
    plain = Craft(suffix="").members()[-2]
    line = f"{sha(plain[1])}  {plain[0]}\n".encode()
    both_headers = signed(Craft(edit_manifest=lambda text: text + line), key)
    cases.append(case("A30-headers-frame", (*frames_of(both_headers), plain)))
    cases.append(replace(case("A29-frame", good[::-1]), good=True))  # their order says nothing
    return cases


def packed(key: Key) -> list[Case]:
    """Headers of gzip as programs write them, and as none does."""
    head = Craft().members()[-2][1]
    cases = []
    for name, flags, effort, system, good in (
        ("name", 8, 2, 255, True), ("fast", 0, 4, 3, True), ("default", 0, 0, 0, True),
        ("macos", 0, 0, 19, True), ("last", 0, 0, 13, True), ("ntfs", 0, 0, 11, True),
        ("effort-1", 0, 1, 3, False), ("effort-3", 0, 3, 3, False), ("effort-5", 0, 5, 3, False),
        ("system-14", 0, 0, 14, False), ("system-18", 0, 0, 18, False), ("system-20", 0, 0, 20, False),
        ("system-254", 0, 0, 254, False), ("crc", 2, 0, 3, False), ("text", 1, 0, 3, False),
        ("reserved", 32, 0, 3, False), ("tops-20", 0, 0, 10, True), ("unknown", 0, 0, 255, True),
        ("fast-unknown", 0, 4, 255, True),
    ):  # fmt: skip
        more = b"header.tar\0" if flags == 8 else b""
        data = head[:3] + bytes((flags,)) + head[4:8] + bytes((effort, system)) + more + head[10:]
        case = both(f"A53-gzip-{name}", signed(Craft(header_packed=data), key), good=good)
        cases.append(case)
    for name, data, good in (
        ("A49-packed", stored(2036), True), ("A49-packed-more", stored(2038), False),
        ("A49-unpacked", PACKERS[".gz"](heavy(2038, bytes)), True),
        ("A49-unpacked-more", PACKERS[".gz"](heavy(2039, bytes)), False),
        ("A53-crc-alone", head[:-8] + bytes(4) + head[-4:], False),
    ):  # fmt: skip
        cases.append(both(name, signed(Craft(header_packed=data), key), good=good))
    return cases


def heavy(blocks: int, content: Callable[[int], bytes]) -> bytes:
    """A header with so many blocks of scripts; ten more are around them."""
    parts = [member("header-info", info())]
    for number in range(4):
        data = content((blocks + number) // 4 * 512)
        parts.append(member(f"scripts/ArtifactCommit_Enter_0{number}", data, mode=0o755))
    return tar(*parts, member("headers/0000/type-info", kind()))


def stored(blocks: int) -> bytes:
    """The same, as gzip keeps what cannot be made smaller."""
    plain = heavy(blocks, random.Random(blocks).randbytes)
    packer = zlib.compressobj(0, zlib.DEFLATED, 16 + zlib.MAX_WBITS)
    packed = bytearray(packer.compress(plain) + packer.flush())
    packed[8:10] = b"\0\3"
    return bytes(packed)


def gnu() -> Craft:
    """A header as GNU tar writes it."""
    return Craft(header_members=[
        member("header-info", info(), magic=b"ustar  \0"),
        member("headers/0000/type-info", kind(), magic=b"ustar  \0"),
    ])  # fmt: skip


def others(key: Key) -> list[Case]:
    known = Craft(scripts=["scripts/ArtifactCommit_Enter_00", "scripts/ArtifactInstall_Leave_01_x"])
    unknown = Craft(scripts=["scripts/Download_Enter_00"])
    twice = Craft(scripts=["scripts/ArtifactCommit_Enter_00"] * 2)
    return [
        both("A00", signed(Craft(), key), good=True),
        both("A00-xz", signed(Craft(suffix=".xz"), key), good=True),
        both("A00-plain", signed(Craft(suffix=""), key), good=True),
        both("A00-long-name", signed(Craft(files=[("a" * 90, b"x")]), key), good=True),
        both("A00-meta-data", signed(Craft(meta_data=b'{"a":[1,2,{"b":null}]}'), key), good=True),
        both(
            "A00-large", signed(Craft(meta_data=b'{"a":"' + b"x" * 150_000 + b'"}'), key), good=True
        ),
        both("A60", signed(unknown, key)),
        both("A60-twice", signed(twice, key)),
        both("A60-known", signed(known, key), good=True),
        both(
            "A38-double",
            signed(Craft(files=[("app", b"x"), ("more", b"y")], edit_manifest=_twice), key),
        ),
        *(
            both(f"A38-{count}-files", signed(many(count), key), good=count == 250)
            for count in (250, 251)
        ),
        *(
            both(f"A36-zero-{name}", signed(Craft(edit_manifest=edit), key))
            for name, edit in ZEROS.items()
        ),
        Case("A54", why=GIANT),
        Case("A62", why=FLEET),
    ]


def many(count: int) -> Craft:
    """So many files of payload."""
    return Craft(files=[(f"f{number:03}", b"") for number in range(count)])


def _twice(manifest: bytes) -> bytes:
    """Its first line twice, the second one is gone: as many lines as there are files."""
    first, _, *rest = manifest.splitlines(keepends=True)
    return b"".join((first, first, *rest))
