"""mender-artifact as an oracle: it reads and validates what we write, we verify what it writes."""

import io
import json
import os
import shutil
import subprocess
import tarfile

import pytest

from orchestrator.artifact import (
    ArtifactError,
    ArtifactSource,
    ArtifactSpec,
    Compression,
    Rule,
    SoftwareVersion,
    directory_payload,
    module_payload,
    read_artifact,
    sign_artifact,
    single_file_payload,
    write_artifact,
)
from orchestrator.errors import TrustError
from orchestrator.trust import (
    KeyKind,
    TrustRule,
    generate_key,
    load_private_key,
    load_public_key,
    save_private_key,
    save_public_key,
    signer,
    verify_artifact,
)

pytestmark = [
    pytest.mark.integration,
    pytest.mark.skipif(not shutil.which("mender-artifact"), reason="needs mender-artifact"),
]
PAYLOADS = ["directory", "single-file", "app-module"]
THEIR_COMPRESSION = {Compression.NONE: "none", Compression.GZIP: "gzip", Compression.XZ: "lzma"}


def mender(*args):
    return subprocess.run(
        ["mender-artifact", *map(str, args)],
        check=False,
        capture_output=True,
        text=True,
        timeout=60,
    )


def mender_ok(*args):
    done = mender(*args)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def keys(tmp_path_factory):
    """Key files of both kinds, ours; a third pair that nobody trusts."""
    folder = tmp_path_factory.mktemp("keys")
    for name, kind in (("rsa", KeyKind.RSA), ("ec", KeyKind.ECDSA_P256), ("other", KeyKind.RSA)):
        key = generate_key(kind)
        save_private_key(key, folder / f"{name}.key")
        save_public_key(key.verification, folder / f"{name}.pub")
    return folder


@pytest.fixture
def files(tmp_path):
    folder = tmp_path / "files"
    (folder / "tree" / "bin").mkdir(parents=True)
    (folder / "tree" / "bin" / "app").write_text("#!/bin/sh\n")
    (folder / "tree" / "current").symlink_to("bin/app")
    (folder / "app.conf").write_text("x=1\n")
    (folder / "blob").write_bytes(os.urandom(200_000))
    (folder / "meta.json").write_text('{"a": 1, "b": {"c": [true, null]}}')
    return folder


def payload(kind, files):
    if kind == "directory":
        return directory_payload(files / "tree", dest_dir="/opt/app")
    if kind == "single-file":
        return single_file_payload(files / "app.conf", dest_dir="/etc/app", permissions="644")
    return module_payload(kind, (files / "blob", files / "app.conf"))


def test_system_image_says_of_itself_what_theirs_says(tmp_path, keys, files):
    theirs = tmp_path / "theirs.mender"
    image = files / "blob"
    mender_ok("write", "rootfs-image", "-t", "gw", "-n", "s5", "-f", image, "-o", theirs)

    spec = ArtifactSpec("s5", ("gw",), module_payload("rootfs-image", (image,)))
    sign = signer(load_private_key(keys / "ec.key"))
    ours = write_artifact(spec, tmp_path / "ours.mender", sign=sign)

    read = read_artifact(theirs)
    assert (ours.provides, ours.clears_provides) == (read.provides, read.clears_provides)
    mender_ok("validate", "-k", keys / "ec.pub", tmp_path / "ours.mender")


@pytest.mark.parametrize("key", ["rsa", "ec"])
@pytest.mark.parametrize("compression", Compression)
@pytest.mark.parametrize("kind", PAYLOADS)
def test_what_we_write_is_validated_and_read(tmp_path, keys, files, kind, compression, key):
    path = tmp_path / "a.mender"
    spec = ArtifactSpec(
        "release 1",
        ("type-a", "type-b"),
        payload(kind, files),
        group="g1",
        depends={"artifact_name": ("r0",), "k": ("1",)},
        provides={"app.version": "1.0"},
        meta_data={"a": 1},
        compression=compression,
    )
    ours = write_artifact(spec, path, sign=signer(load_private_key(keys / f"{key}.key")))

    assert "validated successfully" in mender_ok("validate", "-k", keys / f"{key}.pub", path)
    assert mender("validate", "-k", keys / "other.pub", path).returncode != 0
    text = mender_ok("read", "-k", keys / f"{key}.pub", path)
    for line in (
        "Name: release 1",
        "Signature: signed and verified correctly",
        "Compatible devices: '[type-a type-b]'",
        "Provides group: g1",
        "Depends on one of artifact(s): [r0]",
        f"Type:   {kind}",
        "app.version: 1.0",
        f"rootfs-image.{kind}.version: release 1",
        "k: 1",
        f'Clears Provides: ["rootfs-image.{kind}.*"]',
    ):
        assert line in text
    for file in ours.payload.files:
        assert file.name in text
        assert file.sha256 in text


def test_files_that_mender_artifact_dumps_are_ours(tmp_path, files):
    path = tmp_path / "a.mender"
    write_artifact(ArtifactSpec("r", ("t",), payload("app-module", files)), path)

    mender_ok("dump", "--files", tmp_path / "out", path)

    assert (tmp_path / "out" / "blob").read_bytes() == (files / "blob").read_bytes()
    assert (tmp_path / "out" / "app.conf").read_bytes() == (files / "app.conf").read_bytes()


@pytest.mark.parametrize("key", ["rsa", "ec"])
@pytest.mark.parametrize("compression", Compression)
def test_what_it_writes_verifies(tmp_path, keys, files, compression, key):
    path = tmp_path / "a.mender"
    script = tmp_path / "ArtifactInstall_Enter_01_demo"
    script.write_text("#!/bin/sh\n")
    mender_ok(
        *("write", "module-image", "-T", "app", "-t", "type-a", "-t", "type-b", "-n", "r1"),
        *("-g", "g1", "-N", "r0", "-G", "g0", "-p", "p:1", "-d", "d:<2>", "-s", script),
        *("--clears-provides", "q.*", "--software-name", "web", "--software-version", "7"),
        *("-m", files / "meta.json", "-f", files / "blob", "-f", files / "app.conf"),
        *("-k", keys / f"{key}.key", "--compression", THEIR_COMPRESSION[compression], "-o", path),
    )

    verified = verify_artifact(path, [load_public_key(keys / f"{key}.pub")])

    artifact = verified.artifact
    assert (artifact.name, artifact.group, artifact.compression) == ("r1", "g1", compression)
    assert artifact.device_types == ("type-a", "type-b")
    assert artifact.depends == {"artifact_name": ("r0",), "artifact_group": ("g0",), "d": ("<2>",)}
    assert artifact.provides == {"p": "1", "rootfs-image.web.version": "7"}
    assert artifact.clears_provides == ("q.*", "rootfs-image.web.*")
    assert artifact.scripts == ("ArtifactInstall_Enter_01_demo",)
    assert artifact.payload.meta_data == {"a": 1, "b": {"c": [True, None]}}
    assert artifact.warnings == ()
    with ArtifactSource(path) as source:
        data = {frame.name: b"".join(frame.chunks(0)) for frame in source.frames}
    assert data["data/0000/blob"] == (files / "blob").read_bytes()
    with pytest.raises(TrustError) as caught:
        verify_artifact(path, [load_public_key(keys / "other.pub")])
    assert caught.value.code == TrustRule.SIGNATURE_MISMATCH


def header_files(path):
    suffix = read_artifact(path).compression.suffix
    with tarfile.open(path) as outer:
        packed = outer.extractfile(f"header.tar{suffix}").read()
    with tarfile.open(fileobj=io.BytesIO(packed)) as header:
        return {member.name: header.extractfile(member).read() for member in header}


@pytest.mark.parametrize("kind", PAYLOADS)
def test_header_is_the_same_to_the_byte(tmp_path, files, kind):
    ours, theirs = tmp_path / "ours.mender", tmp_path / "theirs.mender"
    spec = ArtifactSpec(
        "r1",
        ("b", "a"),
        payload(kind, files),
        group="g",
        depends={"artifact_name": ("n",), "artifact_group": ("h",), "z": ("1",), "y": ("2",)},
        provides={"z": "1", "a": "2"},
        clears_provides=("q.*",),
        software=SoftwareVersion("web", "7", "data"),
        meta_data=json.loads((files / "meta.json").read_text()),
    )
    written = write_artifact(spec, ours)
    mender_ok("dump", "--files", tmp_path / "out", ours)
    inputs = [word for f in written.payload.files for word in ("-f", tmp_path / "out" / f.name)]
    mender_ok(
        *("write", "module-image", "-T", kind, "-t", "b", "-t", "a", "-n", "r1", "-g", "g"),
        *("-N", "n", "-G", "h", "-d", "z:1", "-d", "y:2", "-p", "z:1", "-p", "a:2"),
        *("--clears-provides", "q.*", "--software-filesystem", "data", "--software-name", "web"),
        *("--software-version", "7", "-m", files / "meta.json", *inputs, "-o", theirs),
    )

    assert header_files(ours) == header_files(theirs)
    assert read_artifact(ours).payload == read_artifact(theirs).payload


def test_rootfs_image_with_its_empty_type_verifies(tmp_path, keys, files):
    path = tmp_path / "a.mender"
    mender_ok(
        *("write", "rootfs-image", "-t", "t", "-n", "r1", "-f", files / "blob", "-o", path),
        *("-k", keys / "ec.key"),
    )

    artifact = verify_artifact(path, [load_public_key(keys / "ec.pub")]).artifact

    assert artifact.payload.type == "rootfs-image"
    assert artifact.provides["rootfs-image.version"] == "r1"
    assert artifact.provides["rootfs-image.checksum"] == artifact.payload.files[0].sha256


def test_signatures_of_both_tools_are_exchanged(tmp_path, keys, files):
    unsigned, ours, theirs = (
        tmp_path / f"{name}.mender" for name in ("unsigned", "ours", "theirs")
    )
    write_artifact(ArtifactSpec("r", ("t",), payload("app-module", files)), unsigned)

    mender_ok("sign", "-k", keys / "rsa.key", "-o", theirs, unsigned)
    sign_artifact(theirs, ours, sign=signer(load_private_key(keys / "ec.key")), replace=True)

    assert verify_artifact(theirs, [load_public_key(keys / "rsa.pub")])
    mender_ok("validate", "-k", keys / "ec.pub", ours)
    assert mender("validate", "-k", keys / "rsa.pub", ours).returncode != 0


def test_keys_of_openssl_are_taken(tmp_path, files):
    path = tmp_path / "a.mender"
    for command in (
        "openssl ecparam -genkey -name prime256v1 -noout -out ec.key",
        "openssl ec -in ec.key -pubout -out ec.pub",
    ):
        subprocess.run(command.split(), cwd=tmp_path, check=True, capture_output=True)

    key = load_private_key(tmp_path / "ec.key")
    write_artifact(ArtifactSpec("r", ("t",), payload("app-module", files)), path, sign=signer(key))

    mender_ok("validate", "-k", tmp_path / "ec.pub", path)


def test_augmented_artifact_is_refused(tmp_path, keys, files):
    path = tmp_path / "a.mender"
    mender_ok(
        *("write", "module-image", "-T", "app", "-t", "t", "-n", "r1", "-f", files / "blob"),
        *("--augment-type", "app", "--augment-file", files / "app.conf", "-o", path),
        *("-k", keys / "ec.key"),
    )

    with pytest.raises(ArtifactError) as caught:
        verify_artifact(path, [load_public_key(keys / "ec.pub")])

    assert caught.value.rule is Rule.AUGMENTED


def test_bootstrap_artifact_is_refused(tmp_path):
    path = tmp_path / "a.mender"
    mender_ok("write", "bootstrap-artifact", "-t", "t", "-n", "r1", "-o", path)

    with pytest.raises(ArtifactError) as caught:
        read_artifact(path)

    assert caught.value.rule is Rule.PAYLOAD_TYPE
