"""Headers at the limits of their grammars, good and bad, for both verifiers: JSON, UTF-8, tar and pax.

Beside the list A01 to A62. A good one is also a matter of what is made of it: the values of
`type-info` stand in a file that the answers of two programs are compared with.
"""

from __future__ import annotations

from collections.abc import Iterator

from tests.device.kit import Key
from tests.hostile.artifacts import Case, both, frames_of, info, kind, signed
from tests.unit.artifact.crafting import Craft, header, member, padded, pax, seal, tar

BYTES = (
    "7f 7e 20 c280 dfbf e0a080 e0bfbf e18080 ecbfbf ed8080 ed9fbf ee8080 efbfbf "
    "f0908080 f0bfbfbf f1808080 f3bfbfbf f4808080 f48fbfbf"
)
TEXT = (
    rb' "esc":"\"\\\/\b\f\n\r\t%#=/!", "points":"\u0001\u001F\u007f\u0080\u07ff\u0800\u1234\uabcd'
    rb'\uFFFF\ud7ff\ue000\ud800\udc00\udbff\udfff\uD83D\uDE00\ud8c0\udc00\u0025\u0041", "bytes":"'
    + bytes.fromhex(BYTES.replace(" ", ""))
    + b'", "k=/\\u002f\\u003d%#":[0,-0 ,1.0,1e05,1.5,-1.25e10,1e+5,1E-99,10,1e0,true,false,null,{},[],""],"l":{"a":{}},'
    b'"":1,"long":"' + b"x" * 700 + b'","digits":' + b"1" * 64
)
GOOD_VALUES = {
    "rich": b"{" + TEXT + b"}",
    "blanks": b"\t\r\n [ \t1\r,\n2 ]\t\r\n ",
    "deep": b"[" * 31 + b"]" * 31,
    "deep-objects": b'{"a":' * 30 + b"{}" + b"}" * 30,
}
BAD_VALUES: tuple[bytes, ...] = (
    b'["a";"b"]', b'{"a":"b";"c":"d"}', b'{a":1}', b'"\\udc00\\udc00"',
    b"", b",", b"01", b"-", b"-01", b"1.", b".5", b"1e", b"1e+", b"1e100", b"+1", b"0x10", b"00",
    b"1" * 65, b"1." + b"1" * 63, b"tr", b"True", b"truee", b"nul", b"NaN", b"1 2", b"'a'", b"1]", b"\x0b1", b"\x0c1", b"1\0",
    b"[1 2]", b"[1,]", b"[,1]", b"[1,,2]", b"[", b"[1", b"[1,", b"[1}", b"]",
    b'{"a" 1}', b'{"a":}', b'{"a":1,}', b'{,"a":1}', b'{"a":1 "b":2}', b'{"a":1]', b'{"a"}', b'{a:1}',
    b"{1:2}", b'{"a":1,"a":2}', b'{"a":1,"\\u0061":2}', b'{"a":1;"b":2}', b'{"a",1}', b"{", b'{"a":1',
    b'"', b'"a', b'"\\"', b'"\\', b'"\\u', b'"a\\', b'"\n"', b'"\x1f"', b'"\0"', b'"\t"',
    b'"\\x"', b'"\\U0041"', b'"\\a"', b'"\\0"', b'"\\u00g0"', b'"\\u004"', b'"\\u12 3"', b'"\\u:000"', b'"\\u@000"', b'"\\u`000"', b'"\\u/000"', b'"\\u0000"',
    b'"\\udc00"', b'"\\udfff"', b'"\\ud800"', b'"\\udbff"', b'"\\ud800x"', b'"\\ud800\\u0041"', b'"\\ud800\\ud800"',
    b'"\\ud800\\udbff"', b'"\\ud800\\ue000"', b'"\\ud800xudc00"', b'"\\ud800\\xdc00"', b'"\\ud800\\n"', b'"\\udbffx"',
    b'"\x80"', b'"\xbf"', b'"\xc0\x80"', b'"\xc1\xbf"', b'"\xc2\x7f"', b'"\xc2\xc0"', b'"\xc2"', b'"\xdf"', b'"\xdf\xc0"',
    b'"\xe0\x9f\xbf"', b'"\xe0\xc0\x80"', b'"\xe1\x7f\x80"', b'"\xe1\x80\x7f"', b'"\xe1\x80\xc0"', b'"\xe2\x82"', b'"\xe2"', b'"\xec\xc0\x80"',
    b'"\xed\xa0\x80"', b'"\xed\xbf\xbf"', b'"\xee\xc0\x80"', b'"\xef\x7f\x80"', b'"\xf0\x8f\xbf\xbf"', b'"\xf0\xc0\x80\x80"', b'"\xf0\x9f\x98"', b'"\xf0\x90\xc0\x80"',
    b'"\xf1\x80\x80\x7f"', b'"\xf1\x80\x80\xc0"', b'"\xf4\x90\x80\x80"', b'"\xf5\x80\x80\x80"', b'"\xff"', b'"\xfe"', b'"\xc3',
    b"[" * 32 + b"]" * 32, b'{"a":' * 32 + b"{}" + b"}" * 32,
)  # fmt: skip
OURS: tuple[tuple[bytes, bool], ...] = (  # fields of type-info, and whether they are taken
    (b'"artifact_provides":{"a":"b"}', True), (b'"artifact_provides":null', True), (b'"artifact_provides":{"a":""}', True),
    (b'"artifact_provides":"a"', False), (b'"artifact_provides":[]', False), (b'"artifact_provides":{"a":1}', False),
    (b'"artifact_provides":{"a":null}', False), (b'"artifact_provides":{"a":["b"]}', False), (b'"artifact_provides":{"a":{"b":"c"}}', False),
    (b'"artifact_provides":{"a":" b"}', False), (b'"artifact_provides":{"a":"b "}', False), (b'"artifact_provides":{"a=b":"c"}', False), (b'"artifact_provides":{" a":"c"}', False),
    (b'"artifact_provides":{"":"c"}', False), (b'"artifact_provides":{"artifact_group":"c"}', False), (b'"artifact_provides":{"device_type":"c"}', False),
    (b'"artifact_provides":1', False), (b'"artifact_provides":true', False), (b'"Artifact_provides":{}', False), (b'"TYPE":"x"', False), (b'"tYpe":1', False),
    (b'"artifact_provide\xc5\xbf":{}', False), (b'"artifact_depends":null', True), (b'"artifact_depends":{}', True), (b'"artifact_depends":{"a":[]}', False),
    (b'"artifact_depends":{"a":1}', False), (b'"artifact_depends":{"a":{}}', False), (b'"artifact_depends":{"a":[1]}', False), (b'"artifact_depends":{"a":[["b"]]}', False),
    (b'"artifact_depends":{"a":[{}]}', False), (b'"artifact_depends":{"a":[[]]}', False), (b'"artifact_depends":[]', False), (b'"artifact_depends":"a"', False), (b'"artifact_depends":{"artifact_name":[]}', False),
    (b'"artifact_depends":{"a":null}', False), (b'"artifact_depends":{"a":[" b"]}', False), (b'"artifact_depends":{"":[]}', False),
    (b'"clears_artifact_provides":null', True), (b'"clears_artifact_provides":[]', True), (b'"clears_artifact_provides":["a.*","b"]', True),
    (b'"clears_artifact_provides":[1]', False), (b'"clears_artifact_provides":[["a"]]', False), (b'"clears_artifact_provides":[{"a":"b"}]', False), (b'"clears_artifact_provides":{"a":"b"}', False), (b'"clears_artifact_provides":"a"', False),
    (b'"clears_artifact_provides":[""]', False), (b'"clears_artifact_provides":[" a"]', False), (b'"clears_artifact_provides":{}', False),
    (b'"other":{"type":1,"artifact_provides":[]}', True), (b'"othertype":1', True),
)  # fmt: skip
WORDS: tuple[tuple[bytes, bool], ...] = (  # names of artifacts
    (b"a" * 256, True), (b"a" * 257, False), (b"a b", True), (b"", False), (b" a", False), (b"a ", False), (b" ", False), (b"\xc3\xa9" * 128, True), (b"\xc2\x80", False),
    (b"\xc2\x9f", False), (b"\xc2\xa1", True), (b"a\\u0001", False), (b"a\\u001f", False), (b"\\u007f", False), (b"\\u0085", False), (b"\xe2\x80\x8b", False),
    (b"\xe2\x80\x8e", False), (b"\xe2\x80\xa8", False), (b"\xe2\x80\xae", False), (b"\xe2\x81\xa0", False), (b"\xe2\x81\xa6", False), (b"\xef\xbb\xbf", False), (b"\xe2\x80\x90", True), (b"\xe2\x80\xa6", True), (b"%20", True), (b"\\\\ud", True),
)  # fmt: skip


def header_cases(key: Key) -> Iterator[Case]:
    """All of them."""
    for name, data, good in (*_values(), *_fields(), *_words()):
        yield both(name, signed(data, key), good=good)
    for name, tar_bytes, good in (*_blocks(), *_whole_tars(), *_pax_records()):
        yield both(name, signed(Craft(header_tar=tar_bytes, suffix=""), key), good=good)
    for name, craft, good in _for_devices():
        frames = frames_of(signed(craft, key))
        yield Case(name, None, frames, why="only a device knows what it has", good=good)


def _for_devices() -> Iterator[tuple[str, Craft, bool]]:
    """Good ones; are they for this device, by what it is and by `provides.txt`."""
    good = info()
    yield "J-payload-64", Craft(type="t" * 64), False
    yield "J-other-device", Craft(info=good.replace(b'["dt"]', b'["other"]')), False
    for number, (field, fits) in enumerate((
        (b'"artifact_name":["a","rel-0"]', True), (b'"artifact_name":["el-0","a"]', False),
        (b'"artifact_group":["a"]', False), (b'"artifact_name":[]', False),
    )):  # fmt: skip
        more = b'["dt"],' + field
        yield f"J-depends-info-{number}", Craft(info=good.replace(b'["dt"]', more)), fits
    for number, (field, fits) in enumerate((
        (b'"a":["b"]', False), (b'"old.part":["a","v=1"]', True), (b'"old.part":["v"]', False),
        (b'"old.part":"v=1"', True), (b'"old.part":["=v=1"]', False), (b'"old.part":["v=1"],"a":["b"]', False),
    )):  # fmt: skip
        text = b'{"type":"single-file","artifact_depends":{%s}}' % field
        yield f"J-depends-{number}", Craft(type_info=text), fits


def _values() -> Iterator[tuple[str, Craft, bool]]:
    for name, value in GOOD_VALUES.items():
        text = b'{"type":"single-file","x":%s}' % value.replace(b"\0", b"")
        yield f"J-{name}", Craft(type_info=text), True
        yield f"J-{name}-meta", Craft(meta_data=b' {"x":%s} ' % value), True
    for number, value in enumerate(BAD_VALUES):
        yield f"J-bad-{number}-{value[:12]!r}", Craft(meta_data=b'{"x":' + value + b"}"), False
    for number, text in enumerate(
        (b"[]", b'"a"', b"1", b"{}x", b"{}{}", b"{", b"}", b" ", b"null")
    ):
        yield f"J-whole-{number}", Craft(meta_data=text), False
        yield f"J-whole-info-{number}", Craft(info=text), False
        yield f"J-whole-type-{number}", Craft(type_info=text), False
    yield "J-end-meta", Craft(meta_data=b'{"x":"\xc3'), False
    yield "J-end-info", Craft(info=info()[:-1]), False
    yield "J-blank-behind", Craft(info=b"\n" + info() + b" \t\r\n"), True
    yield "J-nothing", Craft(meta_data=b""), True


def _fields() -> Iterator[tuple[str, Craft, bool]]:
    for number, (field, good) in enumerate(OURS):
        yield f"J-ours-{number}", Craft(type_info=b'{"type":"single-file",%s}' % field), good
    for number, (text, good) in enumerate((
        (b'{"type":1}', False), (b'{"type":{"a":"single-file"}}', False), (b'{"type":["single-file"]}', False),
        (b'{"type":null}', False), (b"{}", False), (b'{"type":""}', False), (b'{"type":"rootfs-image"}', False),
    )):  # fmt: skip
        yield f"J-type-{number}", Craft(type_info=text), good
    yield "J-empty-type-of-image", Craft(type="rootfs-image", type_info=b'{"type":""}'), True
    yield "J-no-type-of-image", Craft(type="rootfs-image", type_info=b"{}"), False
    good = info()
    for number, (was, now, taken) in enumerate((
        (b'"rel-1"', b"1", False), (b'"rel-1"', b"null", False), (b'"rel-1"', b'["a"]', False),
        (b'"rel-1"}', b'"rel-1","artifact_group":"g"}', True), (b'"rel-1"}', b'"rel-1","artifact_group":" g"}', False), (b'"rel-1"}', b'"rel-1","artifact_group":1}', False),
        (b'["dt"]', b'["dt","d t","D.t_:+@-9"]', True), (b'["dt"]', b'["dt"," t"]', False), (b'["dt"]', b'["dt","t "]', False), (b'["dt"]', b'["dt",""]', False),
        (b'["dt"]', b'["dt","-t"]', False), (b'["dt"]', b'["dt","t/"]', False), (b'["dt"]', b'["dt","%s"]' % (b"t" * 256), True), (b'["dt"]', b'["dt","%s"]' % (b"t" * 257), False),
        (b'["dt"]', b'["dt",1]', False), (b'["dt"]', b'["dt",["x"]]', False), (b'["dt"]', b"[]", False), (b'["dt"]', b'{"a":"dt"}', False), (b'["dt"]', b"null", False),
        (b'["dt"]}', b'["dt"],"artifact_name":"a"}', False), (b'["dt"]}', b'["dt"],"artifact_name":[1]}', False), (b'["dt"]}', b'["dt"],"artifact_group":[" a"]}', False),
        (b'["dt"]}', b'["dt"],"other":["a"]}', False), (b'{"type":"single-file"}', b'{"type":1}', False), (b'{"type":"single-file"}', b'{"type":"single-file","x":"y"}', False),
        (b'[{"type":"single-file"}]', b'[{"type":"single-file"},{"type":"single-file"}]', False), (b'{"type":"single-file"}', b'{"type":"single-file","x":{}}', False), (b'{"type":"single-file"}', b'{"type":"single-file","x":[]}', False), (b'["dt"]}', b'["dt"]},"x":{}', False), (b'["dt"]}', b'["dt"]},"x":[]', False), (b'{"artifact_name":"rel-1"}', b"{}", False), (b'[{"type":"single-file"}]', b"[]", False), (b'[{"type":"single-file"}]', b'["single-file"]', False),
    )):  # fmt: skip
        assert was in good
        yield f"J-info-{number}", Craft(info=good.replace(was, now)), taken
    for number, (name, taken) in enumerate(
        ((b"t" * 65, False), (b".t", False), (b"t/t", False), (b"", False))
    ):
        text = good.replace(b'"single-file"', b'"%s"' % name)
        yield f"J-payload-{number}", Craft(info=text, type_info=b'{"type":"%s"}' % name), taken


def _words() -> Iterator[tuple[str, Craft, bool]]:
    for number, (word, good) in enumerate(WORDS):
        yield f"J-word-{number}", Craft(info=info().replace(b"rel-1", word)), good


def _first() -> bytes:
    return member("header-info", info())


def _second() -> bytes:
    return member("headers/0000/type-info", kind())


def _spoilt(at: int, byte: bytes, name: str = "header-info") -> bytes:
    """A header whose first block has another byte there."""
    block = bytearray(header(name, len(info())))
    block[at : at + len(byte)] = byte
    return tar(seal(block) + padded(info()), _second())


def _pax(body: bytes) -> bytes:
    return tar(member("x", body, kind=b"x"), _first(), _second())


def _record(key: str, value: str) -> bytes:
    return pax({key: value})[512:].rstrip(b"\0")


def _blocks() -> Iterator[tuple[str, bytes, bool]]:
    for at in (99, 257 - 1, 157, 345, 499, 500, 511):
        yield f"H-byte-{at}", _spoilt(at, b"x"), False
    for at, data in (
        (265, b"o" * 32),
        (297, b"g" * 32),
        (329, b"0000001\x000000002\0"),
        (108, b"0000000 "),
        (136, b"77777777777\0"),
    ):
        yield f"H-free-{at}", _spoilt(at, data), True
    size = b"%o" % len(info())
    for number, (text, good) in enumerate((
        (size.rjust(11) + b"\0", True), (size.rjust(11, b"0") + b" ", True), (size.rjust(12, b"0"), True), (size.ljust(12), True), (size.ljust(12, b"\0"), True), (b" " + size + b" \0" * 4 + b" ", True),
        (b" " * 12, False), (b"\0" * 12, False), (b"\0" + size.rjust(11, b"0"), False), (size + b" " + size.ljust(8), False), (b"0000000008\0\0", False), (b"-" + size.rjust(10, b"0") + b"\0", False),
    )):  # fmt: skip
        yield f"H-size-{number}", _spoilt(124, text[:12].ljust(12, b"\0")), good
    for mode, good in (
        (0o777, True),
        (0o1000, False),
        (0o4755, False),
        (0o100644, True),
        (0o40000, True),
        (0o101000, False),
    ):
        yield f"H-mode-{mode:o}", _spoilt(100, b"%07o\0" % mode), good
    for flag, good in (
        (b"\0", True),
        (b"7", False),
        (b"1", False),
        (b"x", False),
        (b"g", False),
        (b" ", False),
    ):
        yield f"H-kind-{flag!r}", _spoilt(156, flag), good
    for magic, good in (
        (b"ustar  \0", True),
        (b"ustar\x0001", False),
        (b"ustar   ", False),
        (b"ustar\0\0\0", False),
    ):
        yield f"H-magic-{magic!r}", _spoilt(257, magic), good


def _whole_tars() -> Iterator[tuple[str, bytes, bool]]:
    first, second = _first(), _second()
    for size, good in (
        (512, True),
        (1024, True),
        (511, True),
        (513, True),
        (262_144, True),
        (262_145, False),
    ):
        meta = b'{"x":"' + b"y" * (size - 8) + b'"}'
        whole = first + second + member("headers/0000/meta-data", meta)
        yield f"H-meta-{size}", tar(whole), good
    padded_info = info() + b" " * (512 - len(info()))
    yield "H-info-512", tar(member("header-info", padded_info), second), True
    for blocks, good in ((0, False), (1, False), (2, True), (21, True), (22, False)):
        yield f"H-ends-{blocks}", first + second + bytes(512 * blocks), good
    yield "H-ends-short", first + second + bytes(1024 + 16), False
    yield "H-ends-511", first + second + bytes(1024 + 511), False
    yield (
        "H-padding",
        first[: 512 + len(info())] + b"x" + first[513 + len(info()) :] + second + bytes(1024),
        False,
    )
    script = member("scripts/ArtifactInstall_Enter_00_~", b"")
    yield "H-script", tar(first, script, second), False
    yield "H-one-file", tar(first), False
    yield "H-end-between", first + bytes(512) + second + bytes(1024), False
    yield (
        "H-two-metas",
        tar(
            first,
            second,
            member("headers/0000/meta-data", b"{}"),
            member("headers/0000/meta-data", b"{}"),
        ),
        False,
    )
    for at in range(148, 156):
        block = bytearray(first)
        block[at] ^= 1
        yield f"H-sum-{at}", bytes(block) + second + bytes(1024), False


def _pax_records() -> Iterator[tuple[str, bytes, bool]]:
    for keyword in ("atime", "ctime", "mtime", "uname", "gname", "uid", "gid", "comment"):
        yield f"H-pax-{keyword}", _pax(_record(keyword, "1=2")), True
    for keyword in (
        "xtime",
        "amtime",
        "path",
        "size",
        "linkpath",
        "hdrcharset",
        "SCHILY.xattr.a",
        "uname2",
        "a-b",
        "GNU.sparse.major",
    ):
        yield f"H-pax-{keyword}", _pax(_record(keyword, "1")), False
    yield "H-pax-path-same", _pax(_record("path", "header-info")), True
    yield "H-pax-size-same", _pax(_record("size", str(len(info())))), True
    yield "H-pax-size-zero", _pax(_record("size", f"0{len(info())}")), False
    good = _record("mtime", "1.5")
    for number, (body, taken) in enumerate((
        (good + _record("ctime", "2"), True), (good + good, False), (good[:-1], False), (good + b"x", False), (good + b"\n", False), (good[:-1] + b"x", False), (b"0" + good, False),
        (b"014 mtime=1.5\n", False), (b"99999" + good, False), (b"12 mtime=1.5\n", False), (b"14 mtime=1.5\n", False), (b"13mtime=1.55\n", False), (b"13 mtime1.55\n"[:13], False), (b"6 =1\n", False), (b"5 a=\n", False),
        (b"9 mtime=\n", True), (b" 13 mtime=1.5\n", False), (b"x" + good[1:], False), (good.replace(b"1.5", b"1\x005"), False), (b"3 \n", False), (b"1", False), (b"", True), (b"1\n", False), (b"2\n", False),
        (_record("comment", "x" * 4082), True), (_record("comment", "x" * 4083), False), (b"13\tmtime=1.5\n", False),
    )):  # fmt: skip
        yield f"H-pax-record-{number}", _pax(body), taken
    first, second, each = _first(), _second(), pax({"mtime": "1"})
    yield "H-pax-each", tar(each + first + each + second), True
    yield "H-pax-other-path", tar(first + pax({"path": "header-info"}) + second), False
    yield "H-pax-last", tar(first + second + each), False
    yield "H-pax-end", first + second + each + bytes(1024), False
    yield "H-pax-then-nothing", tar(first + each), False
