"""The reader: what honest artifacts give, and what each hostile one is refused for.

The ids of the hostile table are those of the design's corpus (part D, "Artifacts"); `m-` cases are
the ones measured with Mender's own tools. A62 (another fleet's artifact) is a matter of keys, and
stands in tests/unit/trust.
"""

import base64
import gzip
import io
import lzma
import os
import struct
import tarfile
import tracemalloc
import zlib

import pytest

from orchestrator.artifact import (
    ArtifactError,
    Compression,
    ReadOptions,
    Rule,
    ScriptPolicy,
    read_artifact,
)
from orchestrator.errors import ExitCode
from tests.unit.artifact.crafting import (
    END,
    PACKERS,
    Craft,
    compact,
    header,
    member,
    padded,
    pax,
    python_tar,
    sha256,
    tar,
)

HELLO = ("app", b"hello\n")


def read(tmp_path, data, **options):
    path = tmp_path / "a.mender"
    path.write_bytes(data)
    return read_artifact(path, options=ReadOptions(**options))


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


def xz_with_dictionary(code):
    """An xz stream whose block header asks for the dictionary size of a code (40 is 4 GiB)."""
    data = bytearray(lzma.compress(tar(member(*HELLO))))
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


HOSTILE = {
    "A01": (lambda: b"", Rule.EMPTY),
    "A02": (lambda: bytes(1024), Rule.MEMBER_UNEXPECTED),
    "A03": (lambda: Craft().build()[:300], Rule.TRUNCATED),
    "A04": (lambda: Craft().build()[:-1400], Rule.TRUNCATED),
    "A05": (lambda: Craft().build()[:-1], Rule.TRUNCATED),
    "A06": (lambda: Craft().build() + b"x", Rule.TRUNCATED),
    "A06-block": (lambda: Craft().build() + b"x" * 512, Rule.TAR_SLACK),
    "A06-zeros": (lambda: text_sized(10240), Rule.TAR_SLACK),
    "A07": (lambda: Craft().build() + member("hidden", b"x") + END, Rule.TAR_SLACK),
    "A07-one-end": (
        lambda: Craft().build()[:-512] + member("hidden", b"x") + END,
        Rule.TAR_SLACK,
    ),
    "A08": (lambda: b"V" + Craft().build()[1:], Rule.TAR_CHECKSUM),
    "A09": (lambda: Craft(raw_members=first_size(b"\xff" * 12)).build(), Rule.TAR_NUMBER),
    "A10": (
        lambda: Craft(raw_members=first_size(b"\x80" + b"\x7f" * 11)).build(),
        Rule.TAR_NUMBER,
    ),
    "A11": (lambda: Craft(raw_members=first_size(b"0000000003z\0")).build(), Rule.TAR_NUMBER),
    "A11-sign": (lambda: Craft(raw_members=first_size(b"-0000000037\0")).build(), Rule.TAR_NUMBER),
    "A12": (
        lambda: Craft(raw_members=outer(at=0, insert=pax({"size": "7"}))).build(),
        Rule.TAR_EXTENSION,
    ),
    "A13": (
        lambda: Craft(raw_members=outer(at=0, insert=pax({"path": "../../evil"}))).build(),
        Rule.TAR_EXTENSION,
    ),
    "A14": (
        lambda: Craft(raw_members=outer(at=0, insert=pax({"mtime": "1"}, b"g"))).build(),
        Rule.TAR_EXTENSION,
    ),
    "A15": (
        lambda: Craft(raw_members=outer(at=0, insert=pax({"path": b"version\0x"}))).build(),
        Rule.TAR_EXTENSION,
    ),
    "A15-long": (
        lambda: Craft(raw_members=outer(at=0, insert=pax({"comment": "x" * 5000}))).build(),
        Rule.TAR_EXTENSION,
    ),
    "A15-grammar": (
        lambda: Craft(raw_members=outer(at=0, insert=member("x", b"9 a=b\n", kind=b"x"))).build(),
        Rule.TAR_EXTENSION,
    ),
    "A15-twice": (
        lambda: Craft(raw_members=outer(at=0, insert=pax({"a": ""}) + pax({"a": ""}))).build(),
        Rule.TAR_NAME,
    ),
    "A16": (
        lambda: Craft(
            raw_members=outer(at=0, insert=member("././@LongLink", b"x" * 20000, kind=b"L"))
        ).build(),
        Rule.TAR_EXTENSION,
    ),
    "A17": (
        lambda: Craft(
            raw_members=outer(at=0, insert=header("././@LongLink", 8**11 - 1, kind=b"L"))
        ).build(),
        Rule.TAR_EXTENSION,
    ),
    "A18": (lambda: Craft(raw_members=renamed("../version")).build(), Rule.TAR_NAME),
    "A18-payload": (lambda: payload(member("../../evil", b"x")).build(), Rule.TAR_NAME),
    "A19": (lambda: Craft(raw_members=renamed("/version")).build(), Rule.TAR_NAME),
    "A20": (
        lambda: payload(header("app", kind=b"2", link=b"/etc/passwd"), member(*HELLO)).build(),
        Rule.TAR_TYPE,
    ),
    "A21": (lambda: Craft(raw_members=first_kind(b"2", b"manifest")).build(), Rule.TAR_TYPE),
    "A22": (lambda: Craft(raw_members=first_kind(b"1", b"/etc/shadow")).build(), Rule.TAR_TYPE),
    "A23": (lambda: Craft(raw_members=first_kind(b"3")).build(), Rule.TAR_TYPE),
    "A24": (lambda: Craft(raw_members=first_kind(b"6")).build(), Rule.TAR_TYPE),
    "A25": (lambda: payload(member(*HELLO, mode=0o4755)).build(), Rule.TAR_MODE),
    "A26": (lambda: Craft(raw_members=first_kind(b"S")).build(), Rule.TAR_TYPE),
    "A26-pax": (
        lambda: Craft(raw_members=outer(at=0, insert=pax({"GNU.sparse.size": "9"}))).build(),
        Rule.TAR_EXTENSION,
    ),
    "A27": (lambda: Craft(edit_members=doubled("manifest")).build(), Rule.MEMBER_DUPLICATE),
    "A28": (lambda: Craft(edit_members=doubled("version")).build(), Rule.MEMBER_DUPLICATE),
    "A29": (lambda: Craft(edit_members=swapped).build(), Rule.MEMBER_UNEXPECTED),
    "A30": (
        lambda: Craft(info=info(payloads=[{"type": "a"}, {"type": "b"}])).build(),
        Rule.PAYLOAD_COUNT,
    ),
    "A31": (lambda: Craft(edit_members=appended("extra")).build(), Rule.MEMBER_UNEXPECTED),
    "A32": (lambda: Craft(raw_members=renamed("ver\nsion")).build(), Rule.TAR_NAME),
    "A33": (lambda: Craft(raw_members=renamed("\x1b[2Jversion")).build(), Rule.TAR_NAME),
    "A34": (lambda: payload(member("--checkpoint-action=x", b"")).build(), Rule.TAR_NAME),
    "A35": (lambda: Craft(raw_members=renamed(b"\xff\xfeversion")).build(), Rule.TAR_NAME),
    "A35-after-nul": (lambda: Craft(raw_members=renamed(b"version\0x")).build(), Rule.TAR_NAME),
    "A36-2": (lambda: Craft(version=b'{"format":"mender","version":2}').build(), Rule.VERSION),
    "A36-4": (lambda: Craft(version=b'{"format":"mender","version":4}').build(), Rule.VERSION),
    "A36-3.0": (lambda: Craft(version=b'{"format":"mender","version":3.0}').build(), Rule.VERSION),
    "A36-text": (
        lambda: Craft(version=b'{"format":"mender","version":"3"}').build(),
        Rule.VERSION,
    ),
    "A37": (lambda: Craft(edit_manifest=lambda m: m[m.index(b"\n") + 1 :]).build(), "A133"),
    "A38": (
        lambda: Craft(edit_manifest=lambda m: b"0" * 64 + b"  data/0000/more\n" + m).build(),
        Rule.MANIFEST_EXTRA,
    ),
    "A38-other": (
        lambda: Craft(edit_manifest=lambda m: m + b"0" * 64 + b"  data/0001/app\n").build(),
        Rule.MANIFEST_EXTRA,
    ),
    "A39": (
        lambda: Craft(edit_manifest=lambda m: m.replace(b"\n", b"\r\n")).build(),
        Rule.MANIFEST_FORM,
    ),
    "A40": (lambda: Craft(edit_manifest=upper_hex).build(), Rule.MANIFEST_FORM),
    "A41": (lambda: Craft(edit_manifest=other_line).build(), Rule.MANIFEST_DUPLICATE),
    "A41-empty": (lambda: Craft(manifest=b"").build(), Rule.MANIFEST_FORM),
    "A41-no-lf": (lambda: Craft(edit_manifest=lambda m: m[:-1]).build(), Rule.MANIFEST_FORM),
    "A43": (lambda: Craft(signature=b"").build(), Rule.SIGNATURE_FORM),
    "A43-lf": (lambda: Craft(signature=b"\n\n").build(), Rule.SIGNATURE_FORM),
    "A43-noise": (lambda: Craft(signature=b"QUJD ").build(), Rule.SIGNATURE_FORM),
    "A43-bits": (lambda: Craft(signature=b"QUJ=").build(), Rule.SIGNATURE_FORM),
    "A43-long": (lambda: Craft(signature=b"QUJD" * 5000).build(), Rule.SIZE_LIMIT),
    "A49": (lambda: Craft(header_packed=bomb(64 << 20)).build(), Rule.STREAM_LIMIT),
    "A49-size": (
        lambda: Craft(suffix="", header_packed=bytes(3 << 20)).build(),
        Rule.SIZE_LIMIT,
    ),
    "A50": (
        lambda: Craft(
            edit_members=lambda items: [(name.replace(".gz", ".zst"), data) for name, data in items]
        ).build(),
        Rule.COMPRESSION_UNSUPPORTED,
    ),
    "A51": (
        lambda: Craft(suffix=".xz", payload_packed=xz_with_dictionary(40)).build(),
        Rule.STREAM_LIMIT,
    ),
    "A52": (
        lambda: Craft(payload_packed=bomb(64 << 20, tar(member(*HELLO)))).build(),
        Rule.TAR_SLACK,
    ),
    "A52-declared": (
        lambda: payload(header("app", 8**11 - 1)).build(),
        Rule.TRUNCATED,
    ),
    "A53": (
        lambda: Craft(
            payload_packed=PACKERS[".gz"](tar(member(*HELLO))) + PACKERS[".gz"](b"")
        ).build(),
        Rule.STREAM_TRAILING,
    ),
    "A53-split": (
        lambda: Craft(
            payload_packed=PACKERS[".gz"](tar(member(*HELLO))[:600])
            + PACKERS[".gz"](tar(member(*HELLO))[600:])
        ).build(),
        Rule.TRUNCATED,
    ),
    "A53-xz": (
        lambda: Craft(
            suffix=".xz", payload_packed=lzma.compress(tar(member(*HELLO))) + bytes(4)
        ).build(),
        Rule.STREAM_TRAILING,
    ),
    "A53-fields": (
        lambda: Craft(
            payload_packed=bytes([31, 139, 8, 4]) + gzip.compress(tar(member(*HELLO)))[4:]
        ).build(),
        Rule.STREAM_DAMAGED,
    ),
    "A53-crc": (
        lambda: Craft(payload_packed=gzip.compress(tar(member(*HELLO)))[:-8] + bytes(8)).build(),
        Rule.STREAM_DAMAGED,
    ),
    "A53-cut": (
        lambda: Craft(payload_packed=gzip.compress(tar(member(*HELLO)))[:-3]).build(),
        Rule.TRUNCATED,
    ),
    "A55": (
        lambda: Craft(suffix="", info=b'{"a":"' + b"x" * (1 << 20) + b'"}').build(),
        Rule.STREAM_LIMIT,
    ),
    "A56": (lambda: Craft(info=b'{"a":' * 100_000).build(), Rule.HEADER_JSON),
    "A56-quotes": (lambda: Craft(info=b'{"' + b'\\"' * 400_000).build(), Rule.HEADER_JSON),
    "A57": (lambda: Craft(info=b'{"payloads":[],"payloads":[]}').build(), Rule.HEADER_JSON),
    "A57-nan": (lambda: Craft(meta_data=b'{"a":NaN}').build(), Rule.HEADER_JSON),
    "A57-infinity": (lambda: Craft(meta_data=b'{"a":1e999}').build(), Rule.HEADER_JSON),
    "A57-list": (lambda: Craft(meta_data=b"[]").build(), Rule.HEADER_JSON),
    "A57-surrogate": (lambda: Craft(meta_data=b'{"a":"\\ud800"}').build(), Rule.HEADER_JSON),
    "A57-utf8": (lambda: Craft(meta_data=b'{"a":"\xff"}').build(), Rule.HEADER_JSON),
    "A57-digits": (lambda: Craft(meta_data=b'{"a":' + b"9" * 9999 + b"}").build(), "A150"),
    "A58": (lambda: Craft(info=info(artifact_depends={"device_type": [".*"]})).build(), "A152"),
    "A58-glob": (
        lambda: Craft(info=info(artifact_depends={"device_type": ["d*"]})).build(),
        "A152",
    ),
    "A59-long": (lambda: Craft(name="n" * 10_000).build(), Rule.TEXT),
    "A59-newline": (lambda: Craft(name="n\nrc 0").build(), Rule.TEXT),
    "A59-escape": (lambda: Craft(name="n\x1b[2J").build(), Rule.TEXT),
    "A59-bidi": (lambda: Craft(name="n\u202etxt").build(), Rule.TEXT),
    "A59-empty": (lambda: Craft(name="").build(), Rule.TEXT),
    "A61": (lambda: Craft(edit_members=augmented).build(), Rule.AUGMENTED),
    "A61-header": (
        lambda: Craft(
            edit_members=lambda items: [*items[:-1], ("header-augment.tar.gz", b"x"), items[-1]]
        ).build(),
        Rule.AUGMENTED,
    ),
    "m-dot-names": (lambda: Craft(raw_members=renamed("./version")).build(), Rule.TAR_NAME),
    "m-not-in-manifest": (lambda: payload(member(*HELLO), member("more", b"x")).build(), "A133"),
    "m-file-twice": (
        lambda: payload(member(*HELLO), member(*HELLO)).build(),
        Rule.MEMBER_DUPLICATE,
    ),
    "m-file-missing": (lambda: payload().build(), Rule.MANIFEST_EXTRA),
    "m-file-changed": (lambda: payload(member("app", b"hellO\n")).build(), Rule.CHECKSUM),
    "m-header-changed": (
        lambda: Craft(edit_manifest=lambda m: m.replace(b"  header", b"\0 header")).build(),
        Rule.MANIFEST_FORM,
    ),
    "m-header-sum": (
        lambda: Craft(
            manifest=f"{'0' * 64}  header.tar.gz\n{sha256(Craft().version)}  version\n".encode()
        ).build(),
        Rule.CHECKSUM,
    ),
    "m-no-version-line": (
        lambda: Craft(edit_manifest=lambda m: m[: m[:-1].rindex(b"\n") + 1]).build(),
        Rule.MANIFEST_MISSING,
    ),
    "m-manifest-path": (
        lambda: Craft(edit_manifest=lambda m: m.replace(b"0000/app", b"0000/../../e")).build(),
        Rule.FILE_NAME,
    ),
    "m-file-dots": (lambda: Craft(files=[("a..b", b"x")]).build(), Rule.FILE_NAME),
    "m-many-files": (
        lambda: Craft(files=[(f"f{n}", b"") for n in range(251)]).build(),
        Rule.SIZE_LIMIT,
    ),
    "m-type-path": (lambda: Craft(type="../../x").build(), Rule.PAYLOAD_TYPE),
    "m-type-null": (lambda: Craft(info=info(payloads=[{"type": None}])).build(), "A154"),
    "m-type-differs": (
        lambda: Craft(type_info=b'{"type":"directory"}').build(),
        Rule.TYPE_MISMATCH,
    ),
    "m-type-empty": (lambda: Craft(type_info=b'{"type":""}').build(), Rule.TYPE_MISMATCH),
    "m-second-payload": (
        lambda: Craft(edit_members=appended("data/0001.tar.gz")).build(),
        Rule.PAYLOAD_COUNT,
    ),
    "m-script-state": (lambda: Craft(scripts=["scripts/Download_Enter_00"]).build(), "A156"),
    "m-script-path": (lambda: Craft(scripts=["scripts/../../x"]).build(), Rule.TAR_NAME),
    "m-script-anchor": (
        lambda: Craft(scripts=["scripts/xArtifactInstall_Enter_00"]).build(),
        Rule.STATE_SCRIPT,
    ),
    "m-script-twice": (
        lambda: Craft(scripts=["scripts/ArtifactCommit_Enter_01"] * 2).build(),
        Rule.MEMBER_DUPLICATE,
    ),
    "m-info-unknown": (lambda: Craft(info=info(extra=1)).build(), Rule.HEADER_FIELD),
    "m-provides-unknown": (
        lambda: Craft(info=info(artifact_provides={"artifact_name": "a", "x": "y"})).build(),
        Rule.HEADER_FIELD,
    ),
    "m-no-device-type": (lambda: Craft(info=info(artifact_depends={})).build(), Rule.DEVICE_TYPE),
    "m-device-type-text": (
        lambda: Craft(info=info(artifact_depends={"device_type": "dt"})).build(),
        Rule.DEVICE_TYPE,
    ),
    "m-no-provides": (lambda: Craft(info=info(artifact_provides=None)).build(), Rule.HEADER_FIELD),
    "m-provides-name": (
        lambda: Craft(
            type_info=b'{"type":"single-file","artifact_provides":{"artifact_name":"other"}}'
        ).build(),
        Rule.HEADER_FIELD,
    ),
    "m-provides-list": (
        lambda: Craft(type_info=b'{"type":"single-file","artifact_provides":["a"]}').build(),
        Rule.HEADER_FIELD,
    ),
    "m-depends-number": (
        lambda: Craft(type_info=b'{"type":"single-file","artifact_depends":{"a":1}}').build(),
        Rule.HEADER_FIELD,
    ),
    "m-depends-taken": (
        lambda: Craft(
            type_info=b'{"type":"single-file","artifact_depends":{"device_type":"x"}}'
        ).build(),
        Rule.HEADER_FIELD,
    ),
    "m-case": (
        lambda: Craft(type_info=b'{"type":"single-file","TYPE":"../x"}').build(),
        Rule.HEADER_FIELD,
    ),
    "m-case-folded": (
        lambda: Craft(
            type_info='{"type":"single-file","clear\u017f_artifact_provides":[]}'.encode()
        ).build(),
        Rule.HEADER_FIELD,
    ),
    "m-header-order": (
        lambda: Craft(
            header_members=[member("headers/0000/type-info", b"{}"), member("header-info", b"{}")]
        ).build(),
        Rule.MEMBER_UNEXPECTED,
    ),
    "m-header-short": (
        lambda: Craft(header_members=[member("header-info", b"{}")]).build(),
        Rule.MEMBER_UNEXPECTED,
    ),
    "m-ends-early": (
        lambda: Craft(edit_members=lambda items: items[:-1]).build(),
        Rule.MEMBER_UNEXPECTED,
    ),
    "m-other-compression": (
        lambda: Craft(
            edit_members=lambda items: [*items[:-1], ("data/0000.tar.xz", items[-1][1])]
        ).build(),
        Rule.MEMBER_UNEXPECTED,
    ),
    "m-no-manifest": (lambda: Craft(edit_members=without("manifest")).build(), "A120"),
    "t-directory": (lambda: Craft(raw_members=first_kind(b"5")).build(), Rule.TAR_TYPE),
    "t-old-form": (
        lambda: Craft(
            raw_members=outer(at=0, replace=lambda n, d: member(n, d, magic=bytes(8)))
        ).build(),
        Rule.TAR_FORMAT,
    ),
    "t-prefix": (
        lambda: Craft(
            raw_members=outer(at=0, replace=lambda n, d: member(n, d, prefix=b"data"))
        ).build(),
        Rule.TAR_FORMAT,
    ),
    "t-link-name": (
        lambda: Craft(
            raw_members=outer(at=0, replace=lambda n, d: member(n, d, link=b"x"))
        ).build(),
        Rule.TAR_FORMAT,
    ),
    "t-padding": (
        lambda: Craft(
            raw_members=outer(at=0, replace=lambda n, d: member(n, d)[:-1] + b"x")
        ).build(),
        Rule.TAR_SLACK,
    ),
    "t-no-tar": (lambda: b"not a tar file " * 100, Rule.TAR_FORMAT),
}


@pytest.mark.parametrize("case", HOSTILE)
def test_hostile_artifact_is_refused(tmp_path, case):
    build, rule = HOSTILE[case]

    with pytest.raises(ArtifactError) as caught:
        read(tmp_path, build())

    assert caught.value.code == rule
    assert caught.value.exit_code is ExitCode.REFUSED
    assert str(caught.value.where) == str(tmp_path / "a.mender")
    assert caught.value.message.isprintable()
    assert caught.value.hint.isprintable()


@pytest.mark.parametrize("case", ["A10", "A17", "A49", "A51", "A52", "A52-declared", "A55", "A56"])
def test_memory_is_bounded_whatever_is_declared(tmp_path, case):
    path = tmp_path / "a.mender"
    path.write_bytes(HOSTILE[case][0]())

    tracemalloc.start()
    try:
        with pytest.raises(ArtifactError):
            read_artifact(path)
        peak_bytes = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()

    assert peak_bytes < 32 * 1024 * 1024


@pytest.mark.parametrize("form", [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
@pytest.mark.parametrize("suffix", ["", ".gz", ".xz"])
def test_what_python_writes_is_accepted(tmp_path, form, suffix):
    files = [HELLO, ("other.bin", os.urandom(3000))]
    craft = Craft(suffix=suffix, files=files, payload_tar=python_tar(files, form))
    craft.raw_members = lambda items: python_tar(items, form)

    artifact = read(tmp_path, craft.build())

    assert [file.name for file in artifact.payload.files] == ["app", "other.bin"]
    assert artifact.payload.size_bytes == 3006


def test_gzip_stream_with_name_and_time_is_accepted(tmp_path):
    buffer = io.BytesIO()
    with gzip.GzipFile("payload.tar", "wb", fileobj=buffer, mtime=1_700_000_000) as file:
        file.write(tar(member(*HELLO)))

    artifact = read(tmp_path, Craft(payload_packed=buffer.getvalue()).build())

    assert artifact.payload.files[0].size_bytes == 6


def test_pax_record_that_repeats_the_header_is_accepted(tmp_path):
    same = pax({"path": "version", "size": "31", "mtime": "1.5"})

    artifact = read(tmp_path, Craft(raw_members=outer(at=0, insert=same)).build())

    assert artifact.name == "rel-1"


def test_artifact_tells_what_the_header_says(tmp_path):
    craft = Craft(
        info=compact(
            {
                "payloads": [{"type": "single-file"}],
                "artifact_provides": {"artifact_name": "r/../1 ü", "artifact_group": "g"},
                "artifact_depends": {"device_type": ["a", "b c"], "artifact_name": ["r0"]},
            }
        ),
        type_info=compact(
            {
                "type": "single-file",
                "artifact_depends": {"one": "1", "two": ["2", "3"]},
                "artifact_provides": {"k": "", "l": "x y"},
                "clears_artifact_provides": ["k.*"],
                "new": 1,
            }
        ),
        meta_data=b'{"n":1}',
        scripts=["scripts/ArtifactInstall_Leave_07_note"],
        signature=b"QUJD",
    )
    data = craft.build()

    artifact = read(tmp_path, data)

    assert (artifact.name, artifact.group) == ("r/../1 ü", "g")
    assert artifact.device_types == ("a", "b c")
    assert artifact.depends == {"artifact_name": ("r0",), "one": ("1",), "two": ("2", "3")}
    assert artifact.provides == {"k": "", "l": "x y"}
    assert artifact.clears_provides == ("k.*",)
    assert artifact.payload.meta_data == {"n": 1}
    assert artifact.scripts == ("ArtifactInstall_Leave_07_note",)
    assert artifact.signature == b"ABC"
    assert artifact.compression is Compression.GZIP
    assert (artifact.size_bytes, artifact.sha256) == (len(data), sha256(data))
    assert artifact.manifest_sha256 == sha256(dict(craft.members())["manifest"])
    assert artifact.warnings == ("`headers/0000/type-info` has an unknown field `'new'`",)


def test_absent_optional_parts_are_none(tmp_path):
    artifact = read(tmp_path, Craft(meta_data=b"").build())

    assert artifact.payload.meta_data is None
    assert artifact.clears_provides is None
    assert artifact.signature is None
    assert artifact.group is None


def test_empty_type_of_old_rootfs_images_is_accepted_with_a_warning(tmp_path):
    craft = Craft(type="rootfs-image", type_info=b'{"type":""}')

    artifact = read(tmp_path, craft.build())

    assert artifact.payload.type == "rootfs-image"
    assert "empty type" in artifact.warnings[0]


def test_wrapped_signature_is_accepted(tmp_path):
    raw = bytes(range(256))

    artifact = read(tmp_path, Craft(signature=base64.encodebytes(raw)).build())

    assert artifact.signature == raw


def test_script_policy_forbids_even_known_scripts(tmp_path):  # A60
    data = Craft(scripts=["scripts/ArtifactCommit_Enter_00"]).build()

    with pytest.raises(ArtifactError) as caught:
        read(tmp_path, data, scripts=ScriptPolicy.FORBID)

    assert caught.value.rule is Rule.STATE_SCRIPT


def test_payload_limit_is_kept(tmp_path):
    data = Craft(files=[("a", bytes(600)), ("b", bytes(600))]).build()

    with pytest.raises(ArtifactError) as caught:
        read(tmp_path, data, payload_bytes_max=1000)

    assert caught.value.rule is Rule.SIZE_LIMIT
    assert read(tmp_path, data, payload_bytes_max=1200).payload.size_bytes == 1200


def test_signature_is_judged_before_anything_is_unpacked(tmp_path):
    seen = []

    class RefusedError(Exception):
        pass

    def accept(manifest, signature):
        seen.append((manifest, signature))
        raise RefusedError

    craft = Craft(signature=b"QUJD", header_packed=b"no gzip", payload_packed=b"no gzip")

    with pytest.raises(RefusedError):
        read(tmp_path, craft.build(), accept=accept)

    assert seen == [(dict(craft.members())["manifest"], b"ABC")]


@pytest.mark.parametrize("kind", ["missing", "directory", "fifo", "nul"])
def test_unreadable_path_is_refused(tmp_path, kind):
    path = tmp_path / "a.mender"
    if kind == "directory":
        path.mkdir()
    elif kind == "fifo":
        os.mkfifo(path)
    elif kind == "nul":
        path = tmp_path / "a\0b"

    with pytest.raises(ArtifactError) as caught:
        read_artifact(path)

    assert caught.value.rule is Rule.UNREADABLE
