"""The list of bad artifacts, A01 to A62, as both verifiers meet them.

Python reads a file; a device is sent its parts as frames, and the only tar file that it opens is
the header. So what the list does to a tar file is done twice: to the artifact (`unit.artifact.hostile`),
which ends at the controller, and to the header (`A12-header`), which both of them open.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

from tests.device.kit import Key
from tests.unit.artifact.crafting import END, PACKERS, Craft, header, member, padded, pax, tar
from tests.unit.artifact.hostile import LISTED, bomb, xz_with_dictionary
from tests.unit.artifact.hostile_more import MORE

Frames = tuple[tuple[str, bytes], ...]

OUTER = "the tar file of an artifact and that of its payload end at the controller; see the -header case"
PACKED = "a device is sent the files of the payload unpacked, each with its size said before"
TWICE = "a spool holds a name once, and a delivery with a name twice is refused (-frame)"
LEFT_OUT = (
    "gzip and xz of a device pass over it; what comes out is the same header, and it is signed"
)
UNICODE = "a device has no tables of Unicode; it says such a name percent-encoded, if at all"
NOT_ON_DEVICE = {
    "A18-payload": OUTER, "A20": OUTER, "A25": OUTER, "A34": OUTER, "A29": OUTER,
    "A51": PACKED, "A52": PACKED, "A52-declared": PACKED, "A53": PACKED, "A53-split": PACKED,
    "A53-xz": PACKED, "A53-fields": PACKED, "A53-crc": PACKED, "A53-cut": PACKED,
    "m-not-in-manifest": OUTER, "m-file-twice": OUTER, "m-file-missing": OUTER,
    "m-file-changed": OUTER, "m-ends-early": OUTER, "m-other-compression": OUTER,
    "m-second-payload": OUTER,
}  # fmt: skip


@dataclass(frozen=True)
class Case:
    """One bad input; `why` says so where one of the two cannot be given it."""

    name: str
    artifact: bytes | None = None
    frames: Frames | None = None
    why: str = ""
    keys: Mapping[str, bytes] = field(default_factory=dict)  # PEM by name; empty: the build key
    good: bool = False  # what must be taken, beside what must not

    @property
    def id(self) -> str:
        """Its place in the list."""
        return self.name[:3]


def frames_of(craft: Craft) -> Frames:
    """What a controller without scruples sends: every part as a frame, whatever it is called."""
    parts = [part for part in craft.members() if not part[0].startswith("data/0000.tar")]
    return (*parts, *((f"data/0000/{name}", data) for name, data in craft.files))


def signed(craft: Craft, key: Key) -> Craft:
    """With the build key's signature, unless the case has one of its own."""
    if craft.signature is not None:
        return craft
    return replace(craft, sign=lambda manifest: base64.b64decode(key.sign(manifest)))


def both(name: str, craft: Craft, **more: object) -> Case:
    return Case(name, craft.build(), frames_of(craft), **more)  # type: ignore[arg-type]


def listed(key: Key) -> list[Case]:
    """The cases that the reader is tested with."""
    cases = []
    for name, (make, _) in (LISTED | MORE).items():
        made = make()
        if not isinstance(made, Craft):
            cases.append(Case(name, made, why=OUTER))
            continue
        craft = signed(made, key)
        frames = name not in NOT_ON_DEVICE and made.raw_members is None
        why = "" if frames else NOT_ON_DEVICE.get(name, OUTER)
        cases.append(Case(name, craft.build(), frames_of(craft) if frames else None, why))
    return cases


def good_header() -> bytes:
    """The header of a plain artifact, unpacked."""
    return Craft(suffix="").members()[-2][1]


def info() -> bytes:
    return good_header()[512:].partition(b"\0")[0]


def kind() -> bytes:
    return b'{"type":"single-file"}'


def members(*, insert: bytes = b"", first: bytes | None = None, last: bytes = b"") -> bytes:
    """A header with something before its members, in place of the first, or behind them."""
    front = member("header-info", info()) if first is None else first
    return tar(insert + front + member("headers/0000/type-info", kind()) + last)


def named(name: bytes | str) -> bytes:
    return members(first=member(name, info()))


def of_kind(code: bytes, link: bytes = b"") -> bytes:
    return members(first=header("header-info", 0, kind=code, link=link))


def sized(size: int | bytes) -> bytes:
    return members(first=header("header-info", size) + padded(info()))


HEADERS: dict[str, Callable[[], bytes]] = {
    "A02": lambda: bytes(1024),
    "A03": lambda: good_header()[:300],
    "A04": lambda: good_header()[:600],
    "A05": lambda: good_header()[:-1],
    "A06": lambda: good_header() + b"x",
    "A06-block": lambda: good_header() + b"x" * 512,
    "A06-zeros": lambda: good_header() + bytes(10240),
    "A06-one-end": lambda: good_header()[:-512],
    "A07": lambda: good_header() + member("hidden", b"x") + END,
    "A07-one-end": lambda: good_header()[:-512] + member("hidden", b"x") + END,
    "A08": lambda: b"V" + good_header()[1:],
    "A08-form": lambda: good_header()[:154] + b"  " + good_header()[156:],
    "A09": lambda: sized(b"\xff" * 12),
    "A10": lambda: sized(b"\x80" + b"\x7f" * 11),
    "A11": lambda: sized(b"0000000003z\0"),
    "A11-sign": lambda: sized(b"-0000000037\0"),
    "A11-much": lambda: sized(8**11 - 1),
    "A12": lambda: members(insert=pax({"size": "7"})),
    "A13": lambda: members(insert=pax({"path": "../../evil"})),
    "A13-name": lambda: members(insert=pax({"path": "header-info"}), first=member("x", info())),
    "A14": lambda: members(insert=pax({"mtime": "1"}, b"g")),
    "A15": lambda: members(insert=pax({"path": b"header-info\0x"})),
    "A15-long": lambda: members(insert=pax({"comment": "x" * 5000})),
    "A15-grammar": lambda: members(insert=member("x", b"9 a=b\n", kind=b"x")),
    "A15-twice": lambda: members(insert=pax({"mtime": "1"}) + pax({"mtime": "1"})),
    "A15-record-twice": lambda: members(insert=member("x", b"11 mtime=1\n" * 2, kind=b"x")),
    "A16": lambda: members(insert=member("././@LongLink", b"x" * 20000, kind=b"L")),
    "A17": lambda: members(insert=header("././@LongLink", 8**11 - 1, kind=b"L")),
    "A18": lambda: named("../header-info"),
    "A18-dot": lambda: named("./header-info"),
    "A19": lambda: named("/header-info"),
    "A20": lambda: members(insert=header("header-info", kind=b"2", link=b"/etc/passwd")),
    "A21": lambda: of_kind(b"2", b"type-info"),
    "A22": lambda: of_kind(b"1", b"/etc/shadow"),
    "A23": lambda: of_kind(b"3"),
    "A24": lambda: of_kind(b"6"),
    "A24-directory": lambda: of_kind(b"5"),
    "A25": lambda: members(first=member("header-info", info(), mode=0o4755)),
    "A26": lambda: of_kind(b"S"),
    "A26-pax": lambda: members(insert=pax({"GNU.sparse.size": "9"})),
    "A27": lambda: members(insert=member("header-info", info())),
    "A28": lambda: members(last=member("headers/0000/type-info", kind())),
    "A29": lambda: tar(member("headers/0000/type-info", kind()), member("header-info", info())),
    "A30": lambda: members(last=member("headers/0001/type-info", kind())),
    "A31": lambda: members(last=member("extra", b"x")),
    "A32": lambda: named("header\n-info"),
    "A33": lambda: named("\x1b[2Jheader-info"),
    "A34": lambda: members(last=member("--checkpoint-action=x", b"")),
    "A35": lambda: named(b"\xff\xfeheader-info"),
    "A35-after-nul": lambda: named(b"header-info\0x"),
    "A35-old-form": lambda: members(first=member("header-info", info(), magic=bytes(8))),
    "A35-prefix": lambda: members(first=member("header-info", info(), prefix=b"data")),
    "A35-link-name": lambda: members(first=member("header-info", info(), link=b"x")),
    "A35-padding": lambda: members(first=member("header-info", info())[:-1] + b"x"),
}


def headers(key: Key) -> list[Case]:
    """What the list does to a tar file, done to the one that both verifiers open."""
    cases = [
        both(f"{name}-header", signed(Craft(suffix=".gz", header_tar=make()), key))
        for name, make in HEADERS.items()
    ]
    pack = PACKERS
    good = good_header()
    for name, suffix, packed in (
        ("A49-header", ".gz", bomb(64 << 20, good)),
        ("A51-header", ".xz", xz_with_dictionary(40, good)),
        ("A53-crc-header", ".gz", pack[".gz"](good)[:-8] + bytes(8)),
        ("A53-cut-header", ".gz", pack[".gz"](good)[:-3]),
        ("A53-trailing-header", ".gz", pack[".gz"](good) + b"x"),
        ("A53-zeros-header", ".gz", pack[".gz"](good) + bytes(512)),
        ("A53-behind-header", ".gz", pack[".gz"](good) + pack[".gz"](b"")),
        ("A53-split-header", ".gz", pack[".gz"](good[:600]) + pack[".gz"](good[600:])),
        ("A53-fields-header", ".gz", bytes([31, 139, 8, 4]) + pack[".gz"](good)[4:]),
        ("A53-comment-header", ".gz", pack[".gz"](good)[:3] + b"\x10" + pack[".gz"](good)[4:10] + b"x\0" + pack[".gz"](good)[10:]),
        ("A53-xz-header", ".xz", pack[".xz"](good)[:-4]),
        ("A53-xz-damage-header", ".xz", pack[".xz"](good)[:40] + b"\xff" + pack[".xz"](good)[41:]),
        ("A49-random-header", ".gz", b"x" * 100),
    ):  # fmt: skip
        craft = signed(Craft(suffix=suffix, header_packed=packed), key)
        cases.append(both(name, craft))
    for name, suffix, packed in (
        ("A53-empty-first-header", ".gz", pack[".gz"](b"") + pack[".gz"](good)),
        ("A53-garbage-header", ".gz", pack[".gz"](good) + b"x" + pack[".gz"](good)[-4:]),
        ("A53-xz-behind-header", ".xz", pack[".xz"](good) + pack[".xz"](b"")),
        ("A53-xz-padding-header", ".xz", pack[".xz"](good) + bytes(4)),
    ):
        craft = signed(Craft(suffix=suffix, header_packed=packed), key)
        cases.append(Case(name, craft.build(), why=LEFT_OUT))
    private = signed(Craft(name="n\ue000"), key)
    return [*cases, Case("A59-private-use", private.build(), why=UNICODE)]
