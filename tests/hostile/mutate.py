"""Ways to spoil bytes: each change is a value, so that a case can be repeated and made smaller."""

from __future__ import annotations

import random
from dataclasses import dataclass

from orchestrator.testing.tickets import NOW_S

VALUES = (
    b"", b"0", b"1", b"00", b"01", b"-1", b"+1", b"1 ", b"0x1", b"1e3", b"7", b"8", b"16", b"17",
    b"42", b"43", b"100", b"101", b"999999999999999", b"1000000000000000", b"18446744073709551658",
    b"9" * 15, b"a" * 63, b"a" * 64, b"a" * 128, b"a" * 129, b"-a", b"a.b+c_d-e", b"*", b"$(id)",
    b"raspberrypi4", b"raspberrypi4 ", b"acme-prod", b"acme-prod.", b"ecdsa-p256", b"rsa",
    b"ed25519", b"root", b"release", b"build", b"\xc3\xa9", b"\xd0\xb0", b"%41", b"\\", b"\t",
    b"U1NIU0lH", str(NOW_S).encode(), str(NOW_S - 1).encode(), str(NOW_S + 1).encode(), b"open", b"key", b"sig",
)  # fmt: skip
LINES = (
    b"", b"open 100 0", b"open 1 0", b"min-security-version 0", b"min-security-version 7",
    b"min-security-version 8", b"device-type raspberrypi4", b"device-type a", b"device-type zzz",
    b"note x", b"fleet acme-prod", b"serial 42", b"threshold-root 1", b"threshold-build 2",
)  # fmt: skip
JSON = (
    b"null", b"true", b"[]", b"{}", b'""', b'"a"', b'" a"', b'"a "', b'"*"', b"0", b"-0", b"1e9", b"1e99",
    b"1e100", b"01", b"1.", b'["a"]', b'[""]', b'{"a":"b"}', b'{"a":["b"]}', b'{"a":1}', b'{"":""}',
    b'"\\u0000"', b'"\\u00e9"', b'"\\ud83d\\ude00"', b'"\\ud800"', b'"\xc3\xa9"', b'"\xc3"', b'"\xff"',
    b'"\xed\xa0\x80"', b'"\xf4\x90\x80\x80"', b'"\xe2\x80\xae"', b'"\x7f"', b'"\\u007f"', b'"\\/"',
    b'"dt"', b'["dt"]', b'["dt","x"]', b'["dt",1]', b'{"device_type":["dt"]}', b'"single-file"',
    b'"directory"', b'"rootfs-image"', b'{"artifact_name":"a"}', b'{"a=b":"c"}', b'"' + b"a" * 256 + b'"',
    b'"' + b"a" * 257 + b'"', b"[" * 30 + b"]" * 30, b"[" * 33 + b"]" * 33, b"1" * 64, b"1" * 65,
    b'"type"', b'"artifact_depends"', b'"artifact_provides"', b'"clears_artifact_provides"', b'"TYPE"',
    b'"clear\xc5\xbf_artifact_provides"', b'"artifact_group"', b'"artifact_name"', b'"device_type"',
)  # fmt: skip


@dataclass(frozen=True)
class Change:
    """One change of one part; `at` and `to` are taken modulo what there is."""

    part: str
    way: str
    at: int
    to: int

    def apply(self, data: bytes) -> bytes:
        """The data with the change."""
        change: bytes = WAYS[self.way](data, self.at, self.to)
        return change


def _flip(data: bytes, at: int, to: int) -> bytes:
    return _put(data, at, bytes((data[at % len(data)] ^ (1 << to % 8),))) if data else b"x"


def _put(data: bytes, at: int, new: bytes) -> bytes:
    at %= max(len(data), 1)
    return data[:at] + new + data[at + len(new) :]


def _byte(data: bytes, at: int, to: int) -> bytes:
    return _put(data, at, bytes((to % 256,)))


def _insert(data: bytes, at: int, to: int) -> bytes:
    at %= len(data) + 1
    return data[:at] + bytes((to % 256,)) + data[at:]


def _cut(data: bytes, at: int, to: int) -> bytes:
    at %= len(data) + 1
    return data[:at] + data[at + 1 + to % 4 :]


def _end(data: bytes, at: int, to: int) -> bytes:
    return (
        data[: -(1 + to % 16)]
        if at % 2
        else data + (b"\n", b"x", b"\0", b" ")[to % 4] * (1 + at % 5)
    )


def _lines(data: bytes) -> list[bytes]:
    return data.split(b"\n")


def _drop(data: bytes, at: int, to: int) -> bytes:
    lines = _lines(data)
    del lines[at % len(lines)]
    return b"\n".join(lines)


def _double(data: bytes, at: int, to: int) -> bytes:
    lines = _lines(data)
    lines.insert(to % len(lines), lines[at % len(lines)])
    return b"\n".join(lines)


def _swap(data: bytes, at: int, to: int) -> bytes:
    lines = _lines(data)
    a, b = at % len(lines), to % len(lines)
    lines[a], lines[b] = lines[b], lines[a]
    return b"\n".join(lines)


def _line(data: bytes, at: int, to: int) -> bytes:
    lines = _lines(data)
    lines.insert(at % len(lines), LINES[to % len(LINES)])
    return b"\n".join(lines)


def _word(data: bytes, at: int, to: int) -> bytes:
    lines = _lines(data)
    words = lines[at % len(lines)].split(b" ")
    words[(at // len(lines)) % len(words)] = VALUES[to % len(VALUES)]
    lines[at % len(lines)] = b" ".join(words)
    return b"\n".join(lines)


def _number(data: bytes, at: int, to: int) -> bytes:
    """A number of the text, a little more or less."""
    words = data.replace(b"\n", b" \n ").split(b" ")
    places = [place for place, word in enumerate(words) if word.isdigit()]
    if not places:
        return data
    place = places[at % len(places)]
    words[place] = str(max(0, int(words[place]) + (-1, 1, -2, 10, -3600, 86_400)[to % 6])).encode()
    return b" ".join(words).replace(b" \n ", b"\n")


def _json(data: bytes, at: int, to: int) -> bytes:
    """A value or key of a JSON text, replaced by another."""
    starts = [
        place for place, byte in enumerate(data) if byte in b'"[{' and data[place - 1] in b":[{,"
    ]
    if not starts:
        return JSON[to % len(JSON)]
    start = starts[at % len(starts)]
    end = start + 1
    if data[start] in b'"':
        end = data.find(b'"', end) + 1 or len(data)
    else:
        depth = 1
        while depth and end < len(data):
            depth += (data[end] in b"[{") - (data[end] in b"]}")
            end += 1
    return data[:start] + JSON[to % len(JSON)] + data[end:]


def _field(data: bytes, at: int, to: int) -> bytes:
    """One more field in an object of a JSON text."""
    places = [place + 1 for place, byte in enumerate(data) if byte in b"{"]
    if not places:
        return data
    place = places[at % len(places)]
    keys = [text for text in JSON if text.startswith(b'"')]
    comma = b"" if data[place : place + 1] == b"}" else b","
    value = JSON[(to // 64) % len(JSON)]
    return data[:place] + keys[to % len(keys)] + b":" + value + comma + data[place:]


WAYS = {
    "flip": _flip, "byte": _byte, "insert": _insert, "cut": _cut, "end": _end, "drop": _drop,
    "double": _double, "swap": _swap, "line": _line, "word": _word, "number": _number,
    "json": _json, "field": _field,
}  # fmt: skip
TEXT_WAYS = tuple(way for way in WAYS if way not in ("json", "field"))
BYTE_WAYS = ("flip", "byte", "insert", "cut", "end")


def draw(rng: random.Random, part: str, ways: tuple[str, ...]) -> Change:
    """A change of that part."""
    to = rng.choice((0, 10, 13, 32, 127, 255, *range(256), rng.randrange(1 << 20)))
    return Change(part, rng.choice(ways), rng.randrange(1 << 20), to)
