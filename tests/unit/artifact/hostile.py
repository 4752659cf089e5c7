"""The artifacts that are refused, by the ids of the list of bad inputs (A01 to A62).

A case is a `Craft`, of which an artifact and the frames of a delivery are made, or bytes that are
no more an artifact than a delivery. Beside each stands the reader's rule. What the device says of
them, and the ids that are a matter of keys: `tests.hostile.artifacts`.
"""

import gzip
import lzma
import struct
import zlib

from orchestrator.artifact import Rule
from tests.unit.artifact.crafting import (
    END,
    PACKERS,
    Craft,
    compact,
    header,
    member,
    padded,
    pax,
    tar,
)

HELLO = ("app", b"hello\n")


def info(**changes):
    return compact(Craft().info_json() | changes)


def outer(*, at, insert=b"", replace=None):
    """Edits the outer members: raw bytes before member number `at`, or instead of it."""

    def build(items):
        parts = [member(name, data) for name, data in items]
        if replace is not None:
            parts[at] = replace(*items[at])
        parts.insert(at, insert)
        return tar(*parts)

    return build


def renamed(name):
    return outer(at=0, replace=lambda _, data: member(name, data))


def first_kind(kind, link=b""):
    return outer(at=0, replace=lambda name, data: header(name, 0, kind=kind, link=link))


def first_size(size):
    return outer(at=0, replace=lambda name, data: header(name, size) + padded(data))


def xz_with_dictionary(code, content):
    """An xz stream whose block header asks for the dictionary size of a code (40 is 4 GiB)."""
    data = bytearray(lzma.compress(content))
    size = (data[12] + 1) * 4
    assert data[14:16] == b"\x21\x01"  # the one filter is LZMA2, with one byte of properties
    data[16] = code
    data[12 + size - 4 : 12 + size] = struct.pack("<I", zlib.crc32(data[12 : 12 + size - 4]))
    return bytes(data)


def bomb(size, prefix=b""):
    packer = zlib.compressobj(9, wbits=31)
    pieces = [packer.compress(prefix)]
    pieces += [packer.compress(bytes(1 << 20)) for _ in range(size >> 20)]
    return b"".join(pieces) + packer.flush()


def payload(*members):
    return Craft(payload_tar=tar(*members))


def without(name):
    return lambda items: [item for item in items if item[0] != name]


def doubled(name):
    return lambda items: [copy for item in items for copy in [item] * (1 + (item[0] == name))]


def swapped(items):
    return [*items[:-2], items[-1], items[-2]]


def appended(name, data=b"x"):
    return lambda items: [*items, (name, data)]


def augmented(items):
    return [*items[:2], ("manifest-augment", items[1][1]), *items[2:]]


def upper_hex(data):
    return data.replace(data[:64], data[:64].upper())


def other_line(data):
    return data + b"0" * 64 + b"  version\n"


def text_sized(size):
    return Craft().build() + bytes(size)


LISTED = {
    "A01": (lambda: b"", Rule.EMPTY),
    "A02": (lambda: bytes(1024), Rule.MEMBER_UNEXPECTED),
    "A03": (lambda: Craft().build()[:300], Rule.TRUNCATED),
    "A04": (lambda: Craft().build()[:-1400], Rule.TRUNCATED),
    "A05": (lambda: Craft().build()[:-1], Rule.TRUNCATED),
    "A06": (lambda: Craft().build() + b"x", Rule.TAR_SLACK),
    "A06-block": (lambda: Craft().build() + b"x" * 512, Rule.TAR_SLACK),
    "A06-zeros": (lambda: text_sized(10240), Rule.TAR_SLACK),
    "A07": (lambda: Craft().build() + member("hidden", b"x") + END, Rule.TAR_SLACK),
    "A07-one-end": (
        lambda: Craft().build()[:-512] + member("hidden", b"x") + END,
        Rule.TAR_SLACK,
    ),
    "A08": (lambda: b"V" + Craft().build()[1:], Rule.TAR_CHECKSUM),
    "A09": (lambda: Craft(raw_members=first_size(b"\xff" * 12)), Rule.TAR_NUMBER),
    "A10": (
        lambda: Craft(raw_members=first_size(b"\x80" + b"\x7f" * 11)),
        Rule.TAR_NUMBER,
    ),
    "A11": (lambda: Craft(raw_members=first_size(b"0000000003z\0")), Rule.TAR_NUMBER),
    "A11-sign": (lambda: Craft(raw_members=first_size(b"-0000000037\0")), Rule.TAR_NUMBER),
    "A12": (
        lambda: Craft(raw_members=outer(at=0, insert=pax({"size": "7"}))),
        Rule.TAR_EXTENSION,
    ),
    "A13": (
        lambda: Craft(raw_members=outer(at=0, insert=pax({"path": "../../evil"}))),
        Rule.TAR_EXTENSION,
    ),
    "A14": (
        lambda: Craft(raw_members=outer(at=0, insert=pax({"mtime": "1"}, b"g"))),
        Rule.TAR_EXTENSION,
    ),
    "A15": (
        lambda: Craft(raw_members=outer(at=0, insert=pax({"path": b"version\0x"}))),
        Rule.TAR_EXTENSION,
    ),
    "A15-long": (
        lambda: Craft(raw_members=outer(at=0, insert=pax({"comment": "x" * 5000}))),
        Rule.TAR_EXTENSION,
    ),
    "A15-grammar": (
        lambda: Craft(raw_members=outer(at=0, insert=member("x", b"9 a=b\n", kind=b"x"))),
        Rule.TAR_EXTENSION,
    ),
    "A15-twice": (
        lambda: Craft(raw_members=outer(at=0, insert=pax({"a": ""}) + pax({"a": ""}))),
        Rule.TAR_NAME,
    ),
    "A16": (
        lambda: Craft(
            raw_members=outer(at=0, insert=member("././@LongLink", b"x" * 20000, kind=b"L"))
        ),
        Rule.TAR_EXTENSION,
    ),
    "A17": (
        lambda: Craft(
            raw_members=outer(at=0, insert=header("././@LongLink", 8**11 - 1, kind=b"L"))
        ),
        Rule.TAR_EXTENSION,
    ),
    "A18": (lambda: Craft(raw_members=renamed("../version")), Rule.TAR_NAME),
    "A18-payload": (lambda: payload(member("../../evil", b"x")), Rule.TAR_NAME),
    "A19": (lambda: Craft(raw_members=renamed("/version")), Rule.TAR_NAME),
    "A20": (
        lambda: payload(header("app", kind=b"2", link=b"/etc/passwd"), member(*HELLO)),
        Rule.TAR_TYPE,
    ),
    "A21": (lambda: Craft(raw_members=first_kind(b"2", b"manifest")), Rule.TAR_TYPE),
    "A22": (lambda: Craft(raw_members=first_kind(b"1", b"/etc/shadow")), Rule.TAR_TYPE),
    "A23": (lambda: Craft(raw_members=first_kind(b"3")), Rule.TAR_TYPE),
    "A24": (lambda: Craft(raw_members=first_kind(b"6")), Rule.TAR_TYPE),
    "A25": (lambda: payload(member(*HELLO, mode=0o4755)), Rule.TAR_MODE),
    "A26": (lambda: Craft(raw_members=first_kind(b"S")), Rule.TAR_TYPE),
    "A26-pax": (
        lambda: Craft(raw_members=outer(at=0, insert=pax({"GNU.sparse.size": "9"}))),
        Rule.TAR_EXTENSION,
    ),
    "A27": (lambda: Craft(edit_members=doubled("manifest")), Rule.MEMBER_DUPLICATE),
    "A28": (lambda: Craft(edit_members=doubled("version")), Rule.MEMBER_DUPLICATE),
    "A29": (lambda: Craft(edit_members=swapped), Rule.MEMBER_UNEXPECTED),
    "A30": (
        lambda: Craft(info=info(payloads=[{"type": "a"}, {"type": "b"}])),
        Rule.PAYLOAD_COUNT,
    ),
    "A31": (lambda: Craft(edit_members=appended("extra")), Rule.MEMBER_UNEXPECTED),
    "A32": (lambda: Craft(raw_members=renamed("ver\nsion")), Rule.TAR_NAME),
    "A33": (lambda: Craft(raw_members=renamed("\x1b[2Jversion")), Rule.TAR_NAME),
    "A34": (lambda: payload(member("--checkpoint-action=x", b"")), Rule.TAR_NAME),
    "A35": (lambda: Craft(raw_members=renamed(b"\xff\xfeversion")), Rule.TAR_NAME),
    "A35-after-nul": (lambda: Craft(raw_members=renamed(b"version\0x")), Rule.TAR_NAME),
    "A36-2": (lambda: Craft(version=b'{"format":"mender","version":2}'), Rule.VERSION),
    "A36-4": (lambda: Craft(version=b'{"format":"mender","version":4}'), Rule.VERSION),
    "A36-3.0": (lambda: Craft(version=b'{"format":"mender","version":3.0}'), Rule.VERSION),
    "A36-text": (
        lambda: Craft(version=b'{"format":"mender","version":"3"}'),
        Rule.VERSION,
    ),
    "A37": (lambda: Craft(edit_manifest=lambda m: m[m.index(b"\n") + 1 :]), "A133"),
    "A38": (
        lambda: Craft(edit_manifest=lambda m: b"0" * 64 + b"  data/0000/more\n" + m),
        Rule.MANIFEST_EXTRA,
    ),
    "A38-other": (
        lambda: Craft(edit_manifest=lambda m: m + b"0" * 64 + b"  data/0001/app\n"),
        Rule.MANIFEST_EXTRA,
    ),
    "A39": (
        lambda: Craft(edit_manifest=lambda m: m.replace(b"\n", b"\r\n")),
        Rule.MANIFEST_FORM,
    ),
    "A40": (lambda: Craft(edit_manifest=upper_hex), Rule.MANIFEST_FORM),
    "A41": (lambda: Craft(edit_manifest=other_line), Rule.MANIFEST_DUPLICATE),
    "A41-empty": (lambda: Craft(manifest=b""), Rule.MANIFEST_FORM),
    "A41-no-lf": (lambda: Craft(edit_manifest=lambda m: m[:-1]), Rule.MANIFEST_FORM),
    "A41-rest": (lambda: Craft(edit_manifest=lambda m: m + b"rest"), Rule.MANIFEST_FORM),
    "A43": (lambda: Craft(signature=b""), Rule.SIGNATURE_FORM),
    "A43-lf": (lambda: Craft(signature=b"\n\n"), Rule.SIGNATURE_FORM),
    "A43-noise": (lambda: Craft(signature=b"QUJD "), Rule.SIGNATURE_FORM),
    "A43-bits": (lambda: Craft(signature=b"QUJ="), Rule.SIGNATURE_FORM),
    "A43-long": (lambda: Craft(signature=b"QUJD" * 5000), Rule.SIZE_LIMIT),
    "A49": (lambda: Craft(header_packed=bomb(64 << 20)), Rule.STREAM_LIMIT),
    "A49-size": (
        lambda: Craft(suffix="", header_packed=bytes(3 << 20)),
        Rule.SIZE_LIMIT,
    ),
    "A50": (
        lambda: Craft(
            edit_members=lambda items: [(name.replace(".gz", ".zst"), data) for name, data in items]
        ),
        Rule.COMPRESSION_UNSUPPORTED,
    ),
    "A51": (
        lambda: Craft(suffix=".xz", payload_packed=xz_with_dictionary(40, tar(member(*HELLO)))),
        Rule.STREAM_LIMIT,
    ),
    "A52": (
        lambda: Craft(payload_packed=bomb(64 << 20, tar(member(*HELLO)))),
        Rule.TAR_SLACK,
    ),
    "A52-declared": (
        lambda: payload(header("app", 8**11 - 1)),
        Rule.TRUNCATED,
    ),
    "A53": (
        lambda: Craft(payload_packed=PACKERS[".gz"](tar(member(*HELLO))) + PACKERS[".gz"](b"")),
        Rule.STREAM_TRAILING,
    ),
    "A53-split": (
        lambda: Craft(
            payload_packed=PACKERS[".gz"](tar(member(*HELLO))[:600])
            + PACKERS[".gz"](tar(member(*HELLO))[600:])
        ),
        Rule.TRUNCATED,
    ),
    "A53-xz": (
        lambda: Craft(suffix=".xz", payload_packed=lzma.compress(tar(member(*HELLO))) + bytes(4)),
        Rule.STREAM_TRAILING,
    ),
    "A53-fields": (
        lambda: Craft(
            payload_packed=bytes([31, 139, 8, 4]) + gzip.compress(tar(member(*HELLO)))[4:]
        ),
        Rule.STREAM_DAMAGED,
    ),
    "A53-crc": (
        lambda: Craft(payload_packed=gzip.compress(tar(member(*HELLO)))[:-8] + bytes(8)),
        Rule.STREAM_DAMAGED,
    ),
    "A53-cut": (
        lambda: Craft(payload_packed=gzip.compress(tar(member(*HELLO)))[:-3]),
        Rule.TRUNCATED,
    ),
    "A55": (
        lambda: Craft(suffix="", info=b'{"a":"' + b"x" * (1 << 20) + b'"}'),
        Rule.SIZE_LIMIT,
    ),
    "A56": (lambda: Craft(info=b'{"a":' * 50_000), Rule.HEADER_JSON),
    "A56-quotes": (lambda: Craft(info=b'{"' + b'\\"' * 120_000), Rule.HEADER_JSON),
    "A57": (lambda: Craft(info=b'{"payloads":[],"payloads":[]}'), Rule.HEADER_JSON),
    "A57-nan": (lambda: Craft(meta_data=b'{"a":NaN}'), Rule.HEADER_JSON),
    "A57-infinity": (lambda: Craft(meta_data=b'{"a":1e999}'), Rule.HEADER_JSON),
    "A57-list": (lambda: Craft(meta_data=b"[]"), Rule.HEADER_JSON),
    "A57-surrogate": (lambda: Craft(meta_data=b'{"a":"\\ud800"}'), Rule.HEADER_JSON),
    "A57-utf8": (lambda: Craft(meta_data=b'{"a":"\xff"}'), Rule.HEADER_JSON),
    "A57-digits": (lambda: Craft(meta_data=b'{"a":' + b"9" * 9999 + b"}"), "A150"),
    "A58": (lambda: Craft(info=info(artifact_depends={"device_type": [".*"]})), "A152"),
    "A58-glob": (
        lambda: Craft(info=info(artifact_depends={"device_type": ["d*"]})),
        "A152",
    ),
    "A59-long": (lambda: Craft(name="n" * 10_000), Rule.TEXT),
    "A59-newline": (lambda: Craft(name="n\nrc 0"), Rule.TEXT),
    "A59-escape": (lambda: Craft(name="n\x1b[2J"), Rule.TEXT),
    "A59-bidi": (lambda: Craft(name="n\u202etxt"), Rule.TEXT),
    "A59-empty": (lambda: Craft(name=""), Rule.TEXT),
    "A61": (lambda: Craft(edit_members=augmented), Rule.AUGMENTED),
    "A61-header": (
        lambda: Craft(
            edit_members=lambda items: [*items[:-1], ("header-augment.tar.gz", b"x"), items[-1]]
        ),
        Rule.AUGMENTED,
    ),
}
