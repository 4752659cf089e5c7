"""Writes artifacts that mender-artifact would have written, with the same bytes each time.

Laws:
1. The same input gives the same file: times, owners and the order of everything are fixed.
2. What is written is read back by our own strict reader before it gets its name; a file of that
   name is never half written, and never replaced unless that was asked for.
3. Payload files are read twice (checksums stand before them in the file) and must not change.

Source: Mender Artifact v3; defaults of mender-artifact 3.9 measured in design "mender" 1a, 1f.
"""

from __future__ import annotations

import base64
import hashlib
import io
import tarfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO

from orchestrator.artifact.errors import ArtifactError, Rule
from orchestrator.artifact.fields import (
    check_depends,
    check_device_type,
    check_payload_type,
    check_provides,
    check_text,
)
from orchestrator.artifact.header import (
    INFO_NAME,
    META_DATA_NAME,
    ROOTFS_IMAGE,
    TYPE_INFO_NAME,
)
from orchestrator.artifact.manifest import check_file_name, format_manifest
from orchestrator.artifact.model import (
    MANIFEST_BYTES_MAX,
    MANIFEST_NAME,
    PAYLOAD_BYTES_MAX,
    PAYLOAD_FILES_MAX,
    PAYLOAD_FOLDER,
    PAYLOAD_TAR_NAME,
    SIGNATURE_NAME,
    VERSION_BYTES,
    VERSION_NAME,
    VERSION_SHA256,
    Artifact,
    Compression,
)
from orchestrator.artifact.output import (
    TAR_END,
    new_packer,
    publish,
    tar_header,
    write_member,
    write_sealed_member,
)
from orchestrator.artifact.reader import read_artifact
from orchestrator.artifact.spec import ArtifactSpec, InputFile
from orchestrator.artifact.strict_json import format_object
from orchestrator.artifact.tar import TarReader
from orchestrator.errors import Where

Sign = Callable[[bytes], bytes]
"""Gives the signature of the manifest's bytes."""

_COPY_BYTES = 128 * 1024
_MODE_PAYLOAD = 0o644


def write_artifact(
    spec: ArtifactSpec, out_path: Path, *, sign: Sign | None = None, overwrite: bool = False
) -> Artifact:
    """Writes an artifact and gives what a reader finds in it.

    Args:
        spec: what it shall contain.
        out_path: its file.
        sign: gives the signature; without it the artifact is unsigned and devices refuse it.
        overwrite: replace a file that is there.

    Raises:
        ArtifactError: the specification breaks a rule, an input cannot be read or changed, or
            `out_path` exists or cannot be written.
    """
    _check_spec(spec)
    sums = [_measure(file) for file in spec.payload.files]
    header = _pack(_header_tar(spec, sums[0][1]), spec.compression)
    suffix = spec.compression.suffix
    lines = [
        (PAYLOAD_FOLDER + file.name, digest)
        for file, (_, digest) in zip(spec.payload.files, sums, strict=True)
    ]
    lines.append((f"header.tar{suffix}", hashlib.sha256(header).hexdigest()))
    lines.append((VERSION_NAME, VERSION_SHA256))
    manifest = format_manifest(lines)

    def write(file: BinaryIO) -> None:
        write_member(file, VERSION_NAME, VERSION_BYTES)
        write_member(file, MANIFEST_NAME, manifest)
        if sign is not None:
            write_member(file, SIGNATURE_NAME, base64.b64encode(sign(manifest)))
        write_member(file, f"header.tar{suffix}", header)
        write_sealed_member(file, PAYLOAD_TAR_NAME + suffix, _packed_payload(spec, sums))
        file.write(TAR_END)

    return publish(out_path, write, overwrite=overwrite)


def sign_artifact(
    path: Path, out_path: Path, *, sign: Sign, overwrite: bool = False, replace: bool = False
) -> Artifact:
    """Writes a signed copy of an artifact; `out_path` may be `path` when `overwrite` is given.

    Args:
        path: the artifact.
        out_path: file of the copy.
        sign: gives the signature.
        overwrite: replace a file that is there.
        replace: replace a signature that is there.

    Raises:
        ArtifactError: the artifact breaks a rule or is signed already, or the copy cannot be
            written.
    """
    artifact = read_artifact(path)
    if artifact.signature is not None and not replace:
        message = f"`{path}` is signed already"
        hint = "build it again with the other key; an artifact carries one signature"
        raise ArtifactError(Rule.WRITE_SIGNED, message, hint=hint, where=Where(str(path)))

    def write(file: BinaryIO) -> None:
        with path.open("rb") as source:
            _copy(source, file, sign)

    return publish(out_path, write, overwrite=overwrite)


def _copy(source: BinaryIO, file: BinaryIO, sign: Sign) -> None:
    outer = TarReader(source, what="artifact")
    while member := outer.next_member():
        if member.name == SIGNATURE_NAME:
            outer.read_all(member.size_bytes)
            continue
        if member.name == MANIFEST_NAME:
            manifest = outer.read_all(MANIFEST_BYTES_MAX)
            write_member(file, MANIFEST_NAME, manifest)
            write_member(file, SIGNATURE_NAME, base64.b64encode(sign(manifest)))
            continue
        if member.name.startswith(PAYLOAD_TAR_NAME):
            write_sealed_member(file, member.name, iter(lambda: outer.read(_COPY_BYTES), b""))
            continue
        write_member(file, member.name, outer.read_all(member.size_bytes))
    file.write(TAR_END)


def _check_spec(spec: ArtifactSpec) -> None:
    check_text(spec.name, "artifact name")
    if spec.group is not None:
        check_text(spec.group, "artifact group")
    if not spec.device_types:
        message = "no device type is given"
        raise ArtifactError(Rule.DEVICE_TYPE, message, hint="name at least one device type")
    for device_type in spec.device_types:
        check_device_type(device_type)
    check_payload_type(spec.payload.type)
    if spec.payload.type == ROOTFS_IMAGE and len(spec.payload.files) != 1:
        message = f"a payload of type `{ROOTFS_IMAGE}` is one image"
        raise ArtifactError(Rule.WRITE_INPUT, message, hint="name one file, packed or not")
    check_provides(dict(spec.provides), "provides")
    check_depends({key: list(values) for key, values in spec.depends.items()}, "depends")
    for pattern in spec.clears_provides:
        check_text(pattern, "clears-provides")
    _check_files(spec.payload.files)


def _check_files(files: tuple[InputFile, ...]) -> None:
    if not 0 < len(files) <= PAYLOAD_FILES_MAX:
        message = f"a payload has 1 to {PAYLOAD_FILES_MAX} files, not {len(files)}"
        raise ArtifactError(Rule.WRITE_INPUT, message)
    names = [file.name for file in files]
    for name in names:
        check_file_name(name)
        if names.count(name) > 1:
            message = f"the payload has more than one file `{name}`"
            raise ArtifactError(Rule.WRITE_INPUT, message)


def _measure(file: InputFile) -> tuple[int, str]:
    digest = hashlib.sha256()
    size_bytes = 0
    for piece in file.chunks():
        digest.update(piece)
        size_bytes += len(piece)
    if size_bytes > PAYLOAD_BYTES_MAX:
        message = f"payload file `{file.name}` is larger than 8 GiB"
        raise ArtifactError(Rule.SIZE_LIMIT, message)
    return size_bytes, digest.hexdigest()


def _header_tar(spec: ArtifactSpec, checksum: str) -> bytes:
    members = [(INFO_NAME, _header_info(spec)), (TYPE_INFO_NAME, _type_info(spec, checksum))]
    if spec.meta_data is not None:
        members.append((META_DATA_NAME, format_object(spec.meta_data, META_DATA_NAME)))
    buffer = io.BytesIO()
    for name, data in members:
        write_member(buffer, name, data)
    buffer.write(TAR_END)
    return buffer.getvalue()


def _header_info(spec: ArtifactSpec) -> bytes:
    provides = {"artifact_name": spec.name}
    if spec.group is not None:
        provides["artifact_group"] = spec.group
    depends: dict[str, tuple[str, ...]] = {}
    if "artifact_name" in spec.depends:
        depends["artifact_name"] = spec.depends["artifact_name"]
    depends["device_type"] = spec.device_types
    if "artifact_group" in spec.depends:
        depends["artifact_group"] = spec.depends["artifact_group"]
    return format_object(
        {
            "payloads": [{"type": spec.payload.type}],
            "artifact_provides": provides,
            "artifact_depends": depends,
        },
        INFO_NAME,
    )


def _type_info(spec: ArtifactSpec, checksum: str) -> bytes:
    own_depends = {
        key: values[0] if len(values) == 1 else values
        for key, values in sorted(spec.depends.items())
        if key not in ("artifact_name", "artifact_group")
    }
    defaults, default_clears = _software(spec, checksum)
    provides = defaults | dict(spec.provides)
    clears = [*spec.clears_provides, *default_clears]
    info: dict[str, object] = {"type": spec.payload.type}
    if own_depends:
        info["artifact_depends"] = own_depends
    if provides:
        info["artifact_provides"] = dict(sorted(provides.items()))
    if clears:
        info["clears_artifact_provides"] = clears
    return format_object(info, TYPE_INFO_NAME)


def _software(spec: ArtifactSpec, checksum: str) -> tuple[dict[str, str], tuple[str, ...]]:
    """What an artifact provides and clears where nothing else is said, as mender-artifact has it."""
    if spec.software is None:
        return {}, ()
    version = spec.software.version or spec.name
    if spec.payload.type == ROOTFS_IMAGE:  # a system image is all software that there is
        clears = ("artifact_group", "rootfs_image_checksum", "rootfs-image.*")
        return {"rootfs-image.checksum": checksum, "rootfs-image.version": version}, clears
    prefix = f"{spec.software.filesystem}.{spec.software.name or spec.payload.type}"
    return {f"{prefix}.version": version}, (f"{prefix}.*",)


def _pack(data: bytes, compression: Compression) -> bytes:
    packer = new_packer(compression)
    return packer.compress(data) + packer.flush()


def _packed_payload(spec: ArtifactSpec, sums: list[tuple[int, str]]) -> Iterator[bytes]:
    packer = new_packer(spec.compression)
    for payload_file, (size_bytes, digest) in zip(spec.payload.files, sums, strict=True):
        yield packer.compress(tar_header(payload_file.name, size_bytes, _MODE_PAYLOAD))
        for piece in _unchanged(payload_file, digest):
            yield packer.compress(piece)
        yield packer.compress(bytes(-size_bytes % tarfile.BLOCKSIZE))
    yield packer.compress(TAR_END)
    yield packer.flush()


def _unchanged(file: InputFile, wanted: str) -> Iterator[bytes]:
    digest = hashlib.sha256()
    for piece in file.chunks():
        digest.update(piece)
        yield piece
    if digest.hexdigest() != wanted:
        message = f"payload file `{file.name}` changed while the artifact was written"
        raise ArtifactError(Rule.WRITE_CHANGED, message, hint="write it again")
