"""The header: what an artifact is called, what it fits, what it provides and how it installs.

Laws (Mender Artifact v3, "header.tar"):
1. Members in this order: `header-info`, `scripts/*`, `headers/0000/type-info`,
   `headers/0000/meta-data` (may be left out, and may be empty).
2. Exactly one payload; its type stands in both places and is the same.
3. Unknown fields of `header-info` are refused, those of `type-info` are reported.
4. A type is a plain word: clients of Mender before 5.0.4 make a path of it.
"""

from __future__ import annotations

import io
import re
from collections.abc import Mapping
from dataclasses import dataclass

from orchestrator.artifact.errors import ArtifactError, Rule
from orchestrator.artifact.model import HEADER_BYTES_MAX, TEXT_BYTES_MAX, ScriptPolicy
from orchestrator.artifact.strict_json import parse_object
from orchestrator.artifact.tar import TarReader

INFO_NAME = "header-info"
TYPE_INFO_NAME = "headers/0000/type-info"
META_DATA_NAME = "headers/0000/meta-data"
SCRIPTS_FOLDER = "scripts/"
ROOTFS_IMAGE = "rootfs-image"
_WHAT = "header"
_INFO_KEYS = frozenset(("payloads", "artifact_provides", "artifact_depends"))
_PROVIDES_KEYS = frozenset(("artifact_name", "artifact_group"))
_DEPENDS_KEYS = frozenset(("artifact_name", "artifact_group", "device_type"))
_TYPE_INFO_KEYS = frozenset(
    ("type", "artifact_depends", "artifact_provides", "clears_artifact_provides")
)
_RESERVED_PROVIDES = frozenset(("artifact_name", "artifact_group", "device_type"))
_PAYLOAD_TYPE = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")
_DEVICE_TYPE = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.:+@ -]{0,254}[A-Za-z0-9_.:+@-]|[A-Za-z0-9]")
_SCRIPT = re.compile(
    r"(?:ArtifactInstall|ArtifactReboot|ArtifactCommit|ArtifactRollback|ArtifactRollbackReboot"
    r"|ArtifactFailure)_(?:Enter|Leave|Error)_[0-9]{2}(?:_[A-Za-z0-9_.,+-]+)?"
)


@dataclass(frozen=True, slots=True)
class Header:
    """What the header file says, checked."""

    name: str
    group: str | None
    device_types: tuple[str, ...]
    depends: Mapping[str, tuple[str, ...]]
    provides: Mapping[str, str]
    clears_provides: tuple[str, ...] | None
    payload_type: str
    meta_data: Mapping[str, object] | None
    scripts: tuple[str, ...]
    warnings: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Parts:
    info: bytes
    type_info: bytes
    meta_data: bytes
    scripts: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Info:
    name: str
    group: str | None
    device_types: tuple[str, ...]
    depends: dict[str, tuple[str, ...]]
    payload_type: str


@dataclass(frozen=True, slots=True)
class _TypeInfo:
    depends: dict[str, tuple[str, ...]]
    provides: dict[str, str]
    clears_provides: tuple[str, ...] | None
    warnings: tuple[str, ...]


def parse_header(data: bytes, *, policy: ScriptPolicy) -> Header:
    """The header in its unpacked tar file.

    Args:
        data: the tar file, at most `HEADER_BYTES_MAX`.
        policy: which state scripts may be in it.

    Raises:
        ArtifactError: a law of this module is broken.
    """
    parts = _split(data, policy)
    info = _parse_info(parts.info)
    type_info = _parse_type_info(parts.type_info, info.payload_type)
    return Header(
        name=info.name,
        group=info.group,
        device_types=info.device_types,
        depends=info.depends | type_info.depends,
        provides=type_info.provides,
        clears_provides=type_info.clears_provides,
        payload_type=info.payload_type,
        meta_data=parse_object(parts.meta_data, META_DATA_NAME) if parts.meta_data else None,
        scripts=parts.scripts,
        warnings=type_info.warnings,
    )


def check_payload_type(text: object) -> str:
    """The type of a payload, when it is a plain word.

    Raises:
        ArtifactError: anything else, such as a path.
    """
    if isinstance(text, str) and _PAYLOAD_TYPE.fullmatch(text):
        return text
    message = f"payload type {_show(text)} is not the name of an update module"
    hint = "letters, digits and `_ - .`, at most 64, beginning with a letter or digit"
    if text is None:
        hint = "an artifact without a payload only sets what a device provides; nothing to install"
    raise ArtifactError(Rule.PAYLOAD_TYPE, message, hint=hint)


def check_device_type(text: object) -> str:
    """A device type, when it is plain text: a device compares it exactly, patterns match nothing.

    Raises:
        ArtifactError: anything else.
    """
    if isinstance(text, str) and _DEVICE_TYPE.fullmatch(text):
        return text
    message = f"device type {_show(text)} cannot be used"
    hint = "letters, digits, blanks and `_ - . : + @`; patterns such as `*` are not supported"
    raise ArtifactError(Rule.DEVICE_TYPE, message, hint=hint)


def check_text(value: object, what: str) -> str:
    """A printable text of at most `TEXT_BYTES_MAX` bytes.

    Raises:
        ArtifactError: empty, too long, control characters, or no text.
    """
    fits = (
        isinstance(value, str)
        and value.isprintable()
        and value == value.strip()
        and 0 < len(value.encode("utf-8")) <= TEXT_BYTES_MAX
    )
    if not fits:
        message = f"{what} {_show(value)} cannot be used"
        hint = f"printable text of 1 to {TEXT_BYTES_MAX} bytes, without blanks at its ends"
        raise ArtifactError(Rule.TEXT, message, hint=hint)
    return str(value)


def check_provides(values: object, what: str) -> dict[str, str]:
    """Provides entries: text by key, without the keys that the artifact itself sets.

    Raises:
        ArtifactError: anything else.
    """
    found = {}
    for key, value in _object(values, what).items():
        check_text(key, f"key of {what}")
        if key in _RESERVED_PROVIDES or "=" in key:
            message = f"{what} may not set {_show(key)}"
            raise ArtifactError(Rule.HEADER_FIELD, message)
        found[key] = check_text(value, f"`{key}` of {what}") if value != "" else ""
    return found


def check_depends(values: object, what: str) -> dict[str, tuple[str, ...]]:
    """Depends entries: one or more alternatives by key.

    Raises:
        ArtifactError: anything else.
    """
    found = {}
    for key, value in _object(values, what).items():
        check_text(key, f"key of {what}")
        choices = [value] if isinstance(value, str) else value
        found[key] = _texts(choices, f"`{key}` of {what}")
    return found


def _split(data: bytes, policy: ScriptPolicy) -> _Parts:
    tar = TarReader(io.BytesIO(data), what=_WHAT)
    parts: dict[str, bytes] = {}
    scripts: list[str] = []
    order = [INFO_NAME, TYPE_INFO_NAME, META_DATA_NAME]
    while member := tar.next_member():
        name = member.name
        content = tar.read_all(HEADER_BYTES_MAX)
        if name in parts or name in scripts:
            message = f"the header has `{name}` more than once"
            raise ArtifactError(Rule.MEMBER_DUPLICATE, message)
        if name.startswith(SCRIPTS_FOLDER) and list(parts) == [INFO_NAME]:
            _check_script(name.removeprefix(SCRIPTS_FOLDER), policy)
            scripts.append(name)
        elif len(parts) < len(order) and name == order[len(parts)]:
            parts[name] = content
        else:
            message = f"the header has `{name}` where it does not belong"
            hint = f"the order is {INFO_NAME}, scripts, type-info, meta-data of one payload"
            raise ArtifactError(Rule.MEMBER_UNEXPECTED, message, hint=hint)
    for name in (INFO_NAME, TYPE_INFO_NAME):
        if name not in parts:
            message = f"the header has no `{name}`"
            raise ArtifactError(Rule.MEMBER_UNEXPECTED, message)
    names = tuple(name.removeprefix(SCRIPTS_FOLDER) for name in scripts)
    return _Parts(parts[INFO_NAME], parts[TYPE_INFO_NAME], parts.get(META_DATA_NAME, b""), names)


def _check_script(name: str, policy: ScriptPolicy) -> None:
    if policy is ScriptPolicy.FORBID:
        message = f"the artifact has a state script `{name}`, and policy forbids them"
        raise ArtifactError(Rule.STATE_SCRIPT, message)
    if not _SCRIPT.fullmatch(name):
        message = f"the artifact has a state script `{name}` of a state it may not act in"
        hint = (
            "Artifact{Install,Reboot,Commit,Rollback,RollbackReboot,Failure}_{Enter,Leave,Error}_NN"
        )
        raise ArtifactError(Rule.STATE_SCRIPT, message, hint=hint)


def _parse_info(data: bytes) -> _Info:
    info = parse_object(data, INFO_NAME)
    _check_keys(info, _INFO_KEYS, INFO_NAME)
    provides = _object(info.get("artifact_provides"), "`artifact_provides`")
    _check_keys(provides, _PROVIDES_KEYS, "artifact_provides")
    depends = _object(info.get("artifact_depends"), "`artifact_depends`")
    _check_keys(depends, _DEPENDS_KEYS, "artifact_depends")
    group = provides.get("artifact_group")
    device_types = depends.pop("device_type", None)
    if not isinstance(device_types, list) or not device_types:
        message = f"`{INFO_NAME}` names no device type"
        raise ArtifactError(Rule.DEVICE_TYPE, message, hint="add at least one device type")
    return _Info(
        name=check_text(provides.get("artifact_name"), "artifact name"),
        group=None if group is None else check_text(group, "artifact group"),
        device_types=tuple(check_device_type(item) for item in device_types),
        depends={key: _texts(value, f"`{key}`") for key, value in depends.items()},
        payload_type=_parse_payloads(info.get("payloads")),
    )


def _parse_payloads(payloads: object) -> str:
    if not isinstance(payloads, list) or len(payloads) != 1:
        message = f"`{INFO_NAME}` does not list exactly one payload"
        raise ArtifactError(Rule.PAYLOAD_COUNT, message, hint="one payload is all clients support")
    payload = _object(payloads[0], "`payloads`")
    _check_keys(payload, frozenset(("type",)), "payloads")
    return check_payload_type(payload.get("type"))


def _parse_type_info(data: bytes, payload_type: str) -> _TypeInfo:
    info = parse_object(data, TYPE_INFO_NAME)
    warnings = [
        f"`{TYPE_INFO_NAME}` has an unknown field {key!a}"
        for key in info
        if key not in _TYPE_INFO_KEYS
    ]
    if info.get("type") == "" and payload_type == ROOTFS_IMAGE:
        # mender-artifact before 4.3.1 wrote an empty type for rootfs images.
        warnings.append(f"`{TYPE_INFO_NAME}` has an empty type, as old mender-artifact wrote it")
    elif info.get("type") != payload_type:
        message = (
            f"payload type {_show(info.get('type'))} of `{TYPE_INFO_NAME}` is not `{payload_type}`"
        )
        raise ArtifactError(Rule.TYPE_MISMATCH, message)
    clears = info.get("clears_artifact_provides")
    depends = check_depends(info.get("artifact_depends") or {}, "`artifact_depends`")
    if taken := sorted(_DEPENDS_KEYS & depends.keys()):
        message = f"`{TYPE_INFO_NAME}` depends on `{taken[0]}`, which only `{INFO_NAME}` may do"
        raise ArtifactError(Rule.HEADER_FIELD, message)
    return _TypeInfo(
        depends=depends,
        provides=check_provides(info.get("artifact_provides") or {}, "`artifact_provides`"),
        clears_provides=None if clears is None else _texts(clears, "`clears_artifact_provides`"),
        warnings=tuple(warnings),
    )


def _object(value: object, what: str) -> dict[str, object]:
    if not isinstance(value, dict):
        message = f"{what} in the header is not an object"
        raise ArtifactError(Rule.HEADER_FIELD, message)
    return dict(value)


def _texts(value: object, what: str) -> tuple[str, ...]:
    if not isinstance(value, list):
        message = f"{what} in the header is not a list"
        raise ArtifactError(Rule.HEADER_FIELD, message)
    return tuple(check_text(item, what) for item in value)


def _check_keys(value: Mapping[str, object], known: frozenset[str], what: str) -> None:
    for key in value:
        if key not in known:
            message = f"`{what}` has an unknown field {_show(key)}"
            raise ArtifactError(Rule.HEADER_FIELD, message)


def _show(value: object) -> str:
    """A value for a message: ASCII, short, harmless on a terminal."""
    text = ascii(value)
    return f"`{text[:60]}...`" if len(text) > 60 else f"`{text}`"  # noqa: PLR2004  fits a line
