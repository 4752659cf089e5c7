"""What callers of the api give and get of keys and artifacts: frozen values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from orchestrator.api.trust_values import Unlock


@dataclass(frozen=True, slots=True)
class KeyShown:
    """A key: its kind, SHA-256 of its public part, and where it lies."""

    kind: str
    fingerprint: str
    private: Path | None
    public: Path | None
    public_pem: str


@dataclass(frozen=True, slots=True)
class BuildRequest:
    """What to build; `kind` is directory, single-file, module, script or helper.

    `source` is the directory, the file or the install script; `dest` the place on the device
    and `owner` whose a single file is there;
    `module` the payload type and `files` its files for kind module (extra files for script).
    Files that hold private keys are refused unless `private_keys` says that they are meant.
    """

    kind: str
    out: Path
    name: str
    device_types: tuple[str, ...]
    source: Path | None = None
    module: str = ""
    files: tuple[Path, ...] = ()
    dest: str = ""
    owner: str | None = None
    rollback_script: Path | None = None
    private_keys: bool = False
    version: str | None = None
    compression: str = "gzip"
    sign_key: Path | None = None
    unlock: Unlock = field(default_factory=Unlock)
    meta: Mapping[str, str] = field(default_factory=dict)
    depends: Mapping[str, str] = field(default_factory=dict)
    provides: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ArtifactShown:
    """An artifact whose structure and hashes hold; `signed_by` only when a key verified it."""

    path: Path
    name: str
    sha256: str
    manifest_sha256: str
    size_bytes: int
    device_types: tuple[str, ...]
    payload_type: str
    compression: str
    signed: bool
    signed_by: str
    depends: Mapping[str, object]
    provides: Mapping[str, object]
    files: tuple[tuple[str, int, str], ...]


@dataclass(frozen=True, slots=True)
class DeltaShown:
    """A difference that was written: what devices get in place of the whole payload file.

    `old` is the name of the artifact that they run.
    """

    path: Path
    old: str
    new: str
    file: str
    patch_bytes: int
    whole_bytes: int
