"""The cases of keys in a root: each kind has one form in DER, and limits (see `tickets`)."""

from __future__ import annotations

import base64
from collections.abc import Iterator

from orchestrator.testing.tickets import Answer, CaseKeys, RotationCase, root_text, signed

_MODULUS = b"\xc3" * 384  # nobody asks whether it is the product of two primes
_EXPONENT = b"\x01\x00\x01"
_ALGORITHM = bytes.fromhex("300d06092a864886f70d0101010500")
_P256 = bytes.fromhex("3059301306072a8648ce3d020106082a8648ce3d03010703420004")


def key_cases(keys: CaseKeys) -> Iterator[RotationCase]:
    """Roots that bring one more key, in one form and another."""
    point = keys.stranger.verification.spki[len(_P256) :]
    good, small = _number(_MODULUS), _number(_EXPONENT)
    whole = _rsa(good + small)
    for name, kind, der, answer in (
        ("N140 RSA", "rsa", whole, Answer.ALLOW),
        ("N141 RSA of 3073 bits", "rsa", _rsa(_number(b"\1" + _MODULUS) + small), Answer.ALLOW),
        ("N142 RSA of 8192 bits", "rsa", _rsa(_number(b"\xc3" * 1024) + small), Answer.ALLOW),
        ("N143 RSA of 3071 bits", "rsa", _rsa(_number(b"\x43" + _MODULUS[1:]) + small), Answer.SYNTAX),
        ("N144 RSA of 8193 bits", "rsa", _rsa(_number(b"\1" + b"\xc3" * 1024) + small), Answer.SYNTAX),
        ("N145 exponent 3", "rsa", _rsa(good + _number(b"\3")), Answer.SYNTAX),
        ("N146 exponent of 16 bits", "rsa", _rsa(good + _number(b"\xff\xff")), Answer.SYNTAX),
        ("N147 exponent of 32 bits", "rsa", _rsa(good + _number(b"\xff" * 4)), Answer.ALLOW),
        ("N148 length of the whole not in its shortest form", "rsa", b"\x30\x83\0" + whole[2:], Answer.SYNTAX),
        ("N149 length of the exponent in two bytes", "rsa", _rsa(good + b"\2\x81\3" + _EXPONENT), Answer.SYNTAX),
        ("N150 length of the exponent in three bytes", "rsa", _rsa(good + b"\2\x82\0\3" + _EXPONENT), Answer.SYNTAX),
        ("N151 zeros before the modulus", "rsa", _rsa(_integer(b"\0\0" + _MODULUS) + small), Answer.SYNTAX),
        ("N152 modulus below zero", "rsa", _rsa(_integer(_MODULUS) + small), Answer.SYNTAX),
        ("N153 zero before the exponent", "rsa", _rsa(good + _integer(b"\0" + _EXPONENT)), Answer.SYNTAX),
        ("N154 exponent of no bytes", "rsa", _rsa(good + _integer(b"")), Answer.SYNTAX),
        ("N155 exponent 0", "rsa", _rsa(good + _integer(b"\0")), Answer.SYNTAX),
        ("N156 bytes behind the exponent", "rsa", _rsa(good + small + b"\5\0"), Answer.SYNTAX),
        ("N157 bytes behind the key", "rsa", whole + b"\0", Answer.SYNTAX),
        ("N158 unused bits", "rsa", _rsa(good + small, unused=b"\1"), Answer.SYNTAX),
        ("N159 other algorithm", "rsa", whole.replace(b"\x0d\1\1\1", b"\x0d\1\1\x0a"), Answer.SYNTAX),
        ("N160 point that is compressed", "ecdsa-p256", _packed(b"\2" + point[:32]), Answer.SYNTAX),
        ("N161 point beside the curve", "ecdsa-p256", _P256 + point[:63] + bytes((point[63] ^ 1,)), Answer.SYNTAX),
        ("N162 point of another curve", "ecdsa-p256", _P256.replace(b"\3\1\7", b"\3\1\6") + point, Answer.SYNTAX),
        ("N163 a byte short", "ecdsa-p256", _P256 + point[:63], Answer.SYNTAX),
        ("N164 Ed25519", "ed25519", bytes.fromhex("302a300506032b6570032100") + b"\x11" * 32, Answer.ALLOW),
        ("N165 X25519", "ed25519", bytes.fromhex("302a300506032b656e032100") + b"\x11" * 32, Answer.SYNTAX),
        ("N166 even exponent", "rsa", _rsa(good + _number(b"\1\0\2")), Answer.SYNTAX),
        ("N167 modulus whose first byte is 128", "rsa", _rsa(_number(b"\x80" + _MODULUS[1:]) + small), Answer.ALLOW),
        ("N168 exponent of 64 bits", "rsa", _rsa(good + _number(b"\xff" * 8)), Answer.ALLOW),
        ("N169 exponent of 65 bits", "rsa", _rsa(good + _number(b"\1" + b"\xff" * 8)), Answer.SYNTAX),
        ("N170 length of the whole in one byte", "rsa", b"\x30\x81" + whole[2:], Answer.SYNTAX),
        ("N171 modulus of no bytes", "rsa", _rsa(_integer(b"") + small), Answer.SYNTAX),
        ("N172 nothing in the sequence", "rsa", b"\x30\0", Answer.SYNTAX),
        ("N174 length of the whole one too short", "rsa", whole[:3] + bytes((whole[3] - 1,)) + whole[4:], Answer.SYNTAX),
        ("N175 modulus below zero, its first byte 128", "rsa", _rsa(_integer(b"\x80" + _MODULUS[1:]) + small), Answer.SYNTAX),
        ("N176 zero before a modulus whose first byte is 127", "rsa", _rsa(_integer(b"\0\x7f" + _MODULUS) + small), Answer.SYNTAX),
        ("N173 modulus alone", "rsa", _rsa(good), Answer.SYNTAX),
    ):  # fmt: skip
        yield _rotation(keys, name, _with_key(keys, kind, der), answer)
    new = _with_key(keys, "rsa", whole)
    lines = new[new.index(b"key ") :].splitlines(keepends=True)
    lines.append(next(line for line in lines if b" rsa " in line).replace(b"A", b"\\", 1))
    text = new[: new.index(b"key ")] + b"".join(sorted(lines))
    yield _rotation(keys, "N180 a key twice, once with a backslash for its A", text, Answer.SYNTAX)
    for name, size_bytes, answer in (
        ("N178 a root of 16 KiB", 16_384, Answer.ALLOW),
        ("N179 a root of a byte more", 16_385, Answer.SYNTAX),
    ):
        yield _rotation(keys, name, _of_size(keys, size_bytes), answer)


def _rotation(keys: CaseKeys, name: str, new: bytes, answer: Answer) -> RotationCase:
    return RotationCase(name, root_text(keys), new, signed(new, *keys.root[1:3]), answer)


def _with_key(keys: CaseKeys, kind: str, *ders: bytes) -> bytes:
    """The next root, with more release keys."""
    text = root_text(keys, version=4, root=keys.root[1:])
    start = text.index(b"key ")
    lines = [f"key release {kind} {base64.b64encode(der).decode()}\n".encode() for der in ders]
    return text[:start] + b"".join(sorted([*text[start:].splitlines(keepends=True), *lines]))


def _of_size(keys: CaseKeys, size_bytes: int) -> bytes:
    """The next root, so long by RSA keys of 8192 bits, a shorter one, and when it was issued."""

    def key(first: int, modulus_bytes: int) -> bytes:
        modulus = bytes((0xC3, first)) + b"\xc3" * (modulus_bytes - 2)
        return _rsa(_number(modulus) + _number(_EXPONENT))

    large = [key(number, 1024) for number in range(10)]
    shortest = _with_key(keys, "rsa", *large, key(10, 384))
    quads, more = divmod(size_bytes - len(shortest), 4)  # of base64, each for three bytes
    text = _with_key(keys, "rsa", *large, key(10, 384 + 3 * quads))
    return text.replace(b"issued ", b"issued 1" + b"0" * (more - 1) if more else b"issued ")


def _length(size: int) -> bytes:
    if size < 0x80:  # noqa: PLR2004  DER's own limit
        return bytes((size,))
    raw = size.to_bytes((size.bit_length() + 7) // 8, "big")
    return bytes((0x80 + len(raw),)) + raw


def _integer(data: bytes) -> bytes:
    return b"\2" + _length(len(data)) + data


def _number(data: bytes) -> bytes:
    """As an integer that is not below zero."""
    return _integer(b"\0" * (data[0] >> 7) + data)


def _rsa(numbers: bytes, *, unused: bytes = b"\0") -> bytes:
    sequence = b"\x30" + _length(len(numbers)) + numbers
    content = _ALGORITHM + b"\3" + _length(len(sequence) + 1) + unused + sequence
    return b"\x30" + _length(len(content)) + content


def _packed(point: bytes) -> bytes:
    """A point of P-256 in another form."""
    content = _P256[2:23] + b"\3" + _length(len(point) + 1) + b"\0" + point
    return b"\x30" + _length(len(content)) + content
