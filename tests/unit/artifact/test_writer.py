"""The writer: deterministic, as mender-artifact lays it out, and never a half-written file."""

import hashlib
import io
import json
import tarfile

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from orchestrator.artifact import (
    ArtifactError,
    ArtifactSource,
    ArtifactSpec,
    Compression,
    InputFile,
    PayloadSpec,
    Rule,
    SoftwareVersion,
    module_payload,
    read_artifact,
    sign_artifact,
    text_file,
    write_artifact,
)

PAYLOAD = PayloadSpec("app", (text_file("one", "1"), text_file("two", "22")))


def spec(**changes):
    return ArtifactSpec(**{"name": "rel-1", "device_types": ("dt",), "payload": PAYLOAD} | changes)


def inner(path, name):
    with tarfile.open(path) as file:
        member = file.extractfile(name)
        assert member is not None
        return tarfile.open(fileobj=io.BytesIO(member.read()))


def header_json(path, name):
    suffix = read_artifact(path).compression.suffix
    with inner(path, f"header.tar{suffix}") as header:
        return json.loads(header.extractfile(name).read())


@pytest.mark.parametrize("compression", Compression)
def test_same_input_gives_same_bytes(tmp_path, compression):
    first = write_artifact(spec(compression=compression), tmp_path / "a.mender")
    second = write_artifact(spec(compression=compression), tmp_path / "b.mender")

    assert (tmp_path / "a.mender").read_bytes() == (tmp_path / "b.mender").read_bytes()
    assert first == second


def test_members_are_laid_out_as_mender_artifact_does(tmp_path):
    path = tmp_path / "a.mender"

    artifact = write_artifact(spec(), path, sign=lambda manifest: b"S" * 64)

    with tarfile.open(path) as file:
        members = [(m.name, m.mode, m.uid, m.gid, m.uname, m.mtime) for m in file]
    names = ["version", "manifest", "manifest.sig", "header.tar.gz", "data/0000.tar.gz"]
    assert members == [(name, 0o600, 0, 0, "", 0) for name in names]
    assert [line.split()[1] for line in artifact.manifest.decode().splitlines()] == [
        "data/0000/one",
        "data/0000/two",
        "header.tar.gz",
        "version",
    ]
    assert artifact.signature == b"S" * 64


def test_header_carries_every_field_where_mender_wants_it(tmp_path):
    path = tmp_path / "a.mender"
    wanted = spec(
        group="g",
        device_types=("b", "a"),
        depends={
            "artifact_group": ("g1",),
            "artifact_name": ("n1", "n2"),
            "k": ("1",),
            "l": ("2", "3"),
        },
        provides={"z": "1", "a": "2"},
        clears_provides=("q.*",),
        meta_data={"b": 1, "a": [True]},
    )

    artifact = write_artifact(wanted, path)

    assert header_json(path, "header-info") == {
        "payloads": [{"type": "app"}],
        "artifact_provides": {"artifact_name": "rel-1", "artifact_group": "g"},
        "artifact_depends": {
            "artifact_name": ["n1", "n2"],
            "device_type": ["b", "a"],
            "artifact_group": ["g1"],
        },
    }
    assert header_json(path, "headers/0000/type-info") == {
        "type": "app",
        "artifact_depends": {"k": "1", "l": ["2", "3"]},
        "artifact_provides": {"a": "2", "rootfs-image.app.version": "rel-1", "z": "1"},
        "clears_artifact_provides": ["q.*", "rootfs-image.app.*"],
    }
    assert artifact.depends == wanted.depends
    assert artifact.payload.meta_data == {"a": [True], "b": 1}


@pytest.mark.parametrize(
    ("software", "provides", "clears"),
    [
        (None, {}, None),
        (SoftwareVersion(), {"rootfs-image.app.version": "rel-1"}, ("rootfs-image.app.*",)),
        (SoftwareVersion("web", "2.0", "data"), {"data.web.version": "2.0"}, ("data.web.*",)),
    ],
)
def test_software_version_entries(tmp_path, software, provides, clears):
    artifact = write_artifact(spec(software=software), tmp_path / "a.mender")

    assert artifact.provides == provides
    assert artifact.clears_provides == clears


def test_system_image_provides_its_version_and_checksum_and_clears_all_software(tmp_path):
    payload = PayloadSpec("rootfs-image", (text_file("system.img", "image"),))

    artifact = write_artifact(spec(payload=payload), tmp_path / "a.mender")

    checksum = hashlib.sha256(b"image").hexdigest()
    assert artifact.provides == {"rootfs-image.checksum": checksum, "rootfs-image.version": "rel-1"}
    assert artifact.clears_provides == ("artifact_group", "rootfs_image_checksum", "rootfs-image.*")


@pytest.mark.parametrize(
    ("changes", "rule"),
    [
        ({"name": ""}, Rule.TEXT),
        ({"name": "a\nb"}, Rule.TEXT),
        ({"name": "n" * 257}, Rule.TEXT),
        ({"name": " n"}, Rule.TEXT),
        ({"group": "\x1b"}, Rule.TEXT),
        ({"device_types": ()}, Rule.DEVICE_TYPE),
        ({"device_types": ("d*",)}, Rule.DEVICE_TYPE),
        ({"payload": PayloadSpec("../x", PAYLOAD.files)}, Rule.PAYLOAD_TYPE),
        ({"payload": PayloadSpec("rootfs-image", PAYLOAD.files * 2)}, Rule.WRITE_INPUT),
        ({"payload": PayloadSpec("app", ())}, Rule.WRITE_INPUT),
        ({"payload": PayloadSpec("app", PAYLOAD.files * 2)}, Rule.WRITE_INPUT),
        ({"payload": PayloadSpec("app", (text_file("a b", ""),))}, Rule.FILE_NAME),
        ({"payload": PayloadSpec("app", (text_file("-x", ""),))}, Rule.FILE_NAME),
        ({"payload": PayloadSpec("app", (text_file(".", ""),))}, Rule.FILE_NAME),
        ({"provides": {"artifact_name": "x"}}, Rule.HEADER_FIELD),
        ({"provides": {"a=b": "x"}}, Rule.HEADER_FIELD),
        ({"depends": {"a": ("\n",)}}, Rule.TEXT),
        ({"depends": {"device_type": ("x",)}}, Rule.HEADER_FIELD),
        ({"clears_provides": ("",)}, Rule.TEXT),
        ({"meta_data": {"a": float("nan")}}, Rule.HEADER_JSON),
        ({"meta_data": {"a": {1, 2}}}, Rule.HEADER_JSON),
        ({"meta_data": {"a": "x" * 2**21}}, Rule.STREAM_LIMIT),
    ],
)
def test_wrong_specification_is_refused_and_leaves_nothing(tmp_path, changes, rule):
    with pytest.raises(ArtifactError) as caught:
        write_artifact(spec(**changes), tmp_path / "a.mender")

    assert caught.value.rule is rule
    assert list(tmp_path.iterdir()) == []


def test_missing_input_is_named(tmp_path):
    with pytest.raises(ArtifactError, match="no such file") as caught:
        write_artifact(
            spec(payload=module_payload("app", (tmp_path / "x",))), tmp_path / "a.mender"
        )

    assert caught.value.rule is Rule.WRITE_INPUT
    assert str(caught.value.where) == str(tmp_path / "x")


def test_input_that_changes_meanwhile_is_refused(tmp_path):
    contents = [b"first", b"other"]
    payload = PayloadSpec("app", (InputFile("f", lambda: iter((contents.pop(0),))),))

    with pytest.raises(ArtifactError) as caught:
        write_artifact(spec(payload=payload), tmp_path / "a.mender")

    assert caught.value.rule is Rule.WRITE_CHANGED
    assert list(tmp_path.iterdir()) == []


def test_payload_that_tar_cannot_hold_is_refused(tmp_path, monkeypatch):
    payload = PayloadSpec("app", (text_file("one", "x" * 2000),))
    for compression, limit in ((Compression.GZIP, 1999), (Compression.NONE, 2000)):
        for module in ("writer", "output"):
            monkeypatch.setattr(f"orchestrator.artifact.{module}.PAYLOAD_BYTES_MAX", limit)

        with pytest.raises(ArtifactError) as caught:
            write_artifact(spec(payload=payload, compression=compression), tmp_path / "a.mender")

        assert caught.value.rule is Rule.SIZE_LIMIT
    assert list(tmp_path.iterdir()) == []


def test_signing_adds_only_the_signature(tmp_path):
    unsigned, signed = tmp_path / "a.mender", tmp_path / "b.mender"
    write_artifact(spec(), unsigned)

    artifact = sign_artifact(unsigned, signed, sign=lambda manifest: b"X" + manifest[:3])

    reference = tmp_path / "c.mender"
    write_artifact(spec(), reference, sign=lambda manifest: b"X" + manifest[:3])
    assert signed.read_bytes() == reference.read_bytes()
    assert artifact.signature == b"X" + artifact.manifest[:3]


def test_signature_is_replaced_only_when_told(tmp_path):
    path = tmp_path / "a.mender"
    write_artifact(spec(), path, sign=lambda _: b"old")

    with pytest.raises(ArtifactError) as caught:
        sign_artifact(path, path, sign=lambda _: b"new", overwrite=True)

    assert caught.value.rule is Rule.WRITE_SIGNED
    again = sign_artifact(path, path, sign=lambda _: b"new", overwrite=True, replace=True)
    assert again.signature == b"new"


TEXTS = st.text(
    st.characters(codec="utf-8", categories=("L", "N", "P", "S")), min_size=1, max_size=20
)
NAMES = st.from_regex(r"[A-Za-z0-9_,][A-Za-z0-9_,-]{0,20}(\.[a-z0-9]+)?", fullmatch=True)


@settings(
    max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    name=TEXTS,
    files=st.dictionaries(NAMES, st.binary(max_size=2000), min_size=1, max_size=4),
    provides=st.dictionaries(
        TEXTS.filter(lambda key: "=" not in key and not key.startswith("artifact_")), TEXTS
    ),
    compression=st.sampled_from(Compression),
)
def test_what_is_written_is_read_back(tmp_path, name, files, provides, compression):
    payload = PayloadSpec(
        "app", tuple(InputFile(key, lambda data=data: iter((data,))) for key, data in files.items())
    )
    path = tmp_path / "a.mender"

    written = write_artifact(
        spec(name=name, payload=payload, provides=provides, compression=compression, software=None),
        path,
        overwrite=True,
    )

    assert (written.name, written.provides) == (name, provides)
    assert [file.name for file in written.payload.files] == list(files)
    with ArtifactSource(path) as source:
        assert source.artifact == written
        delivered = {frame.name: b"".join(frame.chunks(0)) for frame in source.frames}
    assert [delivered[f"data/0000/{key}"] for key in files] == list(files.values())
    assert hashlib.sha256(delivered["manifest"]).hexdigest() == written.manifest_sha256
