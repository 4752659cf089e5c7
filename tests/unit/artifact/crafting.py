"""Builds artifacts byte by byte, honest ones and hostile ones; shares no code with the writer."""

from __future__ import annotations

import base64
import gzip
import hashlib
import io
import json
import lzma
import tarfile
from collections.abc import Callable
from dataclasses import dataclass, field

VERSION = b'{"format":"mender","version":3}'
END = bytes(1024)
PACKERS: dict[str, Callable[[bytes], bytes]] = {
    "": lambda data: data,
    ".gz": lambda data: gzip.compress(data, mtime=0),
    ".xz": lzma.compress,
}


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def seal(block: bytearray) -> bytes:
    """Fills in the checksum of a tar header."""
    block[148:156] = b" " * 8
    block[148:156] = f"{sum(block):06o}\0 ".encode()
    return bytes(block)


def header(
    name: bytes | str,
    size: int | bytes = 0,
    *,
    kind: bytes = b"0",
    mode: int = 0o600,
    link: bytes = b"",
    magic: bytes = b"ustar\x0000",
    prefix: bytes = b"",
) -> bytes:
    block = bytearray(512)
    raw = name.encode() if isinstance(name, str) else name
    block[: len(raw)] = raw
    block[100:108] = f"{mode:07o}\0".encode()
    block[108:124] = b"0000000\0" * 2
    block[124:136] = size if isinstance(size, bytes) else f"{size:011o}\0".encode()
    block[136:148] = b"00000000000\0"
    block[156:157] = kind
    block[157 : 157 + len(link)] = link
    block[257:265] = magic
    block[345 : 345 + len(prefix)] = prefix
    return seal(block)


def padded(data: bytes) -> bytes:
    return data + bytes(-len(data) % 512)


def member(name: bytes | str, data: bytes, **fields) -> bytes:
    return header(name, len(data), **fields) + padded(data)


def tar(*members: bytes) -> bytes:
    return b"".join(members) + END


def pax(records: dict[str, str | bytes], kind: bytes = b"x") -> bytes:
    body = b""
    for key, value in records.items():
        raw = value if isinstance(value, bytes) else value.encode()
        rest = b" " + key.encode() + b"=" + raw + b"\n"
        size = len(rest) + 1
        while len(str(size)) + len(rest) != size:
            size = len(str(size)) + len(rest)
        body += str(size).encode() + rest
    return member("./PaxHeaders/x", body, kind=kind)


def python_tar(members: list[tuple[str, bytes]], form: int) -> bytes:
    """A tar file as Python's tarfile writes it, with owner names and fractions of a second."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=form) as file:
        for name, data in members:
            info = tarfile.TarInfo(name)
            info.size = len(data)
            info.mtime = 1_700_000_000.25
            info.uid, info.gid, info.uname, info.gname = 1000, 1000, "josé", "users"
            file.addfile(info, io.BytesIO(data))
    return buffer.getvalue()


def compact(value: object) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()


@dataclass
class Craft:
    """Parts of an artifact, each of which a test may change before `build`."""

    name: str = "rel-1"
    type: str = "single-file"
    suffix: str = ".gz"
    files: list[tuple[str, bytes]] = field(default_factory=lambda: [("app", b"hello\n")])
    info: bytes | None = None
    type_info: bytes | None = None
    meta_data: bytes | None = None
    scripts: list[str] = field(default_factory=list)
    header_members: list[bytes] | None = None
    header_tar: bytes | None = None
    header_packed: bytes | None = None
    payload_tar: bytes | None = None
    payload_packed: bytes | None = None
    version: bytes = VERSION
    manifest: bytes | None = None
    edit_manifest: Callable[[bytes], bytes] = lambda data: data
    sign: Callable[[bytes], bytes] | None = None
    signature: bytes | None = None
    edit_members: Callable[[list[tuple[str, bytes]]], list[tuple[str, bytes]]] = lambda items: items
    raw_members: Callable[[list[tuple[str, bytes]]], bytes] | None = None

    def info_json(self) -> dict[str, object]:
        return {
            "payloads": [{"type": self.type}],
            "artifact_provides": {"artifact_name": self.name},
            "artifact_depends": {"device_type": ["dt"]},
        }

    def _header_packed(self) -> bytes:
        if self.header_packed is not None:
            return self.header_packed
        members = self.header_members
        if members is None:
            info = compact(self.info_json()) if self.info is None else self.info
            kind = compact({"type": self.type}) if self.type_info is None else self.type_info
            members = [member("header-info", info)]
            members += [member(name, b"#!/bin/sh\n", mode=0o755) for name in self.scripts]
            members += [member("headers/0000/type-info", kind)]
            if self.meta_data is not None:
                members.append(member("headers/0000/meta-data", self.meta_data))
        return PACKERS[self.suffix](tar(*members) if self.header_tar is None else self.header_tar)

    def _payload_packed(self) -> bytes:
        if self.payload_packed is not None:
            return self.payload_packed
        plain = self.payload_tar
        if plain is None:
            plain = tar(*(member(name, data, mode=0o644) for name, data in self.files))
        return PACKERS[self.suffix](plain)

    def members(self) -> list[tuple[str, bytes]]:
        packed = self._header_packed()
        header_name = f"header.tar{self.suffix}"
        manifest = self.manifest
        if manifest is None:
            lines = [f"{sha256(data)}  data/0000/{name}\n" for name, data in self.files]
            lines.append(f"{sha256(packed)}  {header_name}\n")
            lines.append(f"{sha256(self.version)}  version\n")
            manifest = self.edit_manifest("".join(lines).encode())
        items = [("version", self.version), ("manifest", manifest)]
        if self.sign is not None:
            items.append(("manifest.sig", base64.b64encode(self.sign(manifest))))
        elif self.signature is not None:
            items.append(("manifest.sig", self.signature))
        items.append((header_name, packed))
        items.append((f"data/0000.tar{self.suffix}", self._payload_packed()))
        return self.edit_members(items)

    def build(self) -> bytes:
        items = self.members()
        if self.raw_members is not None:
            return self.raw_members(items)
        return tar(*(member(name, data) for name, data in items))
