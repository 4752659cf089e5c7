"""What an artifact shall contain: the input of the writer, and builders for the payload kinds."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from orchestrator.artifact.errors import ArtifactError, Rule
from orchestrator.artifact.model import Compression
from orchestrator.artifact.tree import file_chunks, tree_chunks, unreadable

HELPER_TYPE = "rollout-helper"
_DEST_DIR = re.compile(r"(?:/[A-Za-z0-9_.+-]+)+")  # update modules use it unquoted in sh
_OWNER = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*:[A-Za-z0-9_][A-Za-z0-9_.-]*")
_PERMISSIONS = re.compile(r"0?[0-7]{3}")
_PERMISSION_BITS = 0o777
_VITAL_DIRS = frozenset({
    "/bin", "/boot", "/dev", "/etc", "/lib", "/lib32", "/lib64", "/libx32", "/proc", "/run", "/sbin",
    "/sys", "/usr", "/usr/bin", "/usr/lib", "/usr/lib32", "/usr/lib64", "/usr/libx32", "/usr/sbin",
    "/var", "/var/lib", "/var/run",
})  # fmt: skip
_OWN_DIRS = (
    "/etc/rollout",
    "/run/rollout",
    "/usr/lib/rollout",
    "/var/lib/rollout",
)  # device-layout
_RESERVED_FILES = ("dest_dir", "filename", "permissions")
_NEEDED_FILES = {
    "directory": ("dest_dir", "update.tar"),
    "single-file": _RESERVED_FILES,
    "script": ("install",),
    "compose": ("compose.yaml", "project"),
    HELPER_TYPE: ("helper.sh", "executor.sh", "trust.sh", f"module.{HELPER_TYPE}"),
}  # what a device would refuse, said here


@dataclass(frozen=True, slots=True)
class InputFile:
    """One payload file; `chunks` is called twice and must give the same bytes both times."""

    name: str
    chunks: Callable[[], Iterator[bytes]] = field(repr=False)


@dataclass(frozen=True, slots=True)
class PayloadSpec:
    """Type and files of a payload, in the order in which a module gets them."""

    type: str
    files: tuple[InputFile, ...]


@dataclass(frozen=True, slots=True)
class SoftwareVersion:
    """The entry `FILESYSTEM.NAME.version` that tells on a device what is installed.

    `name` defaults to the payload's type, `version` to the artifact's name, as in mender-artifact.
    """

    name: str | None = None
    version: str | None = None
    filesystem: str = "rootfs-image"


@dataclass(frozen=True, slots=True)
class ArtifactSpec:
    """Everything that stands in an artifact.

    `depends` are alternatives by key; `artifact_name` and `artifact_group` among them go where
    Mender wants them. `clears_provides` is added before the default entry of `software`; with
    `software` None there are no default entries.
    """

    name: str
    device_types: tuple[str, ...]
    payload: PayloadSpec
    group: str | None = None
    depends: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    provides: Mapping[str, str] = field(default_factory=dict)
    clears_provides: tuple[str, ...] = ()
    software: SoftwareVersion | None = field(default_factory=SoftwareVersion)
    meta_data: Mapping[str, object] | None = None
    compression: Compression = Compression.GZIP


def directory_payload(source: Path, *, dest_dir: str) -> PayloadSpec:
    """A payload that replaces the directory `dest_dir` by the tree below `source`.

    Health checks of the release lie in the tree as `.rollout/health/NAME`.

    Raises:
        ArtifactError: `dest_dir` or the tree cannot be used.
    """
    check_dest_dir(dest_dir)
    _check_way_back(dest_dir)
    files = (
        InputFile("update.tar", lambda: tree_chunks(source)),
        text_file("dest_dir", f"{dest_dir}\n"),
    )
    return PayloadSpec("directory", files)


def single_file_payload(
    source: Path,
    *,
    dest_dir: str,
    filename: str | None = None,
    permissions: str | None = None,
    owner: str | None = None,
) -> PayloadSpec:
    """A payload that puts one file into `dest_dir`.

    Args:
        source: the file.
        dest_dir: absolute path of a directory on the device.
        filename: name on the device, that of `source` unless given.
        permissions: octal digits such as `644`, those of `source` unless given.
        owner: `USER:GROUP` on the device; that of the file it replaces unless given.

    Raises:
        ArtifactError: the file or one of the texts cannot be used.
    """
    check_dest_dir(dest_dir)
    name = source.name if filename is None else filename
    if name in _RESERVED_FILES or (owner is not None and name == "owner"):
        message = f"a single file cannot be called `{name}`: the payload has one of that name"
        raise ArtifactError(Rule.WRITE_DESTINATION, message, hint="use a `directory` payload")
    if permissions is None:
        permissions = _permissions_of(source)
    if not _PERMISSIONS.fullmatch(permissions):
        message = f"permissions {permissions!a} are not three octal digits"
        raise ArtifactError(Rule.WRITE_DESTINATION, message, hint="as `644` or `755`")
    if owner is not None and not _OWNER.fullmatch(owner):
        message = f"owner {owner!a} is not a user and a group"
        raise ArtifactError(Rule.WRITE_DESTINATION, message, hint="as `app:app` or `1000:1000`")
    files = (
        text_file("dest_dir", f"{dest_dir}\n"),
        text_file("filename", f"{name}\n"),
        text_file("permissions", f"{permissions}\n"),
        *(() if owner is None else (text_file("owner", f"{owner}\n"),)),
        path_file(source, name=name),
    )
    return PayloadSpec("single-file", files)


def module_payload(payload_type: str, sources: tuple[Path, ...]) -> PayloadSpec:
    """A payload of any type, with files under their own names, for the update module of that type.

    Raises:
        ArtifactError: files are missing that one of our own modules needs.
    """
    names = [source.name for source in sources]
    missing = [name for name in _NEEDED_FILES.get(payload_type, ()) if name not in names]
    if missing:
        message = f"a payload of type `{payload_type}` needs the file `{missing[0]}`"
        kind = "helper" if payload_type == HELPER_TYPE else payload_type
        hint = f"`rollout artifact build {kind}` makes all that it needs"
        if payload_type == "compose":
            hint = f"add `--file {missing[0]}`"
        raise ArtifactError(Rule.WRITE_DESTINATION, message, hint=hint)
    return PayloadSpec(payload_type, tuple(path_file(source) for source in sources))


def helper_payload(files: Mapping[str, bytes]) -> PayloadSpec:
    """A payload that replaces the helper of devices; update modules are given as `modules/TYPE`."""
    named = {name.replace("modules/", "module."): data for name, data in files.items()}
    return PayloadSpec(HELPER_TYPE, tuple(_bytes_file(*each) for each in named.items()))


def path_file(source: Path, *, name: str | None = None) -> InputFile:
    """A payload file with the content of a file."""
    return InputFile(source.name if name is None else name, lambda: file_chunks(source))


def text_file(name: str, text: str) -> InputFile:
    """A payload file with a short text as its content."""
    return _bytes_file(name, text.encode("utf-8"))


def _bytes_file(name: str, data: bytes) -> InputFile:
    return InputFile(name, lambda: iter((data,)))


def check_dest_dir(text: str) -> None:
    """Checks a destination: absolute, plain, and not the whole file system.

    Raises:
        ArtifactError: it is none.
    """
    words = text.split("/")
    if not _DEST_DIR.fullmatch(text) or "." in words or ".." in words:
        message = f"destination {text!a} cannot be used"
        hint = "an absolute path below `/` of letters, digits and `_ . + -`, as `/opt/app`"
        raise ArtifactError(Rule.WRITE_DESTINATION, message, hint=hint)


def _check_way_back(text: str) -> None:
    """Refuses to replace what a device needs to go back; the update module does so too."""
    own = any(f"{text}/".startswith(f"{path}/") for path in _OWN_DIRS)
    if own or text in _VITAL_DIRS:
        message = (
            f"`{text}` holds what a device needs to go back, and cannot be replaced as a whole"
        )
        hint = "choose a directory of the application, as `/opt/app`"
        raise ArtifactError(Rule.WRITE_DESTINATION, message, hint=hint)


def _permissions_of(source: Path) -> str:
    try:
        return f"{source.stat().st_mode & _PERMISSION_BITS:03o}"
    except OSError as error:
        raise unreadable(source, error) from error
