"""The reader: what honest artifacts give, and what each hostile one is refused for.

The hostile ones: `hostile` has the listed ones, `hostile_more` the others.
"""

import base64
import gzip
import io
import os
import tarfile
import tracemalloc

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
    Craft,
    compact,
    member,
    pax,
    python_tar,
    sha256,
    tar,
)
from tests.unit.artifact.hostile import HELLO, outer
from tests.unit.artifact.hostile_more import HOSTILE, built


def read(tmp_path, data, **options):
    path = tmp_path / "a.mender"
    path.write_bytes(data)
    return read_artifact(path, options=ReadOptions(**options))


@pytest.mark.parametrize("case", HOSTILE)
def test_hostile_artifact_is_refused(tmp_path, case):
    rule = HOSTILE[case][1]

    with pytest.raises(ArtifactError) as caught:
        read(tmp_path, built(case))

    assert caught.value.code == rule
    assert caught.value.exit_code is ExitCode.REFUSED
    assert str(caught.value.where) == str(tmp_path / "a.mender")
    assert caught.value.message.isprintable()
    assert caught.value.hint.isprintable()


@pytest.mark.parametrize("case", ["A10", "A17", "A49", "A51", "A52", "A52-declared", "A55", "A56"])
def test_memory_is_bounded_whatever_is_declared(tmp_path, case):
    path = tmp_path / "a.mender"
    path.write_bytes(built(case))

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
