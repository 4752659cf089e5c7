"""The header: what an artifact is called, what it fits, what it provides and how it installs.

Laws (Mender Artifact v3, "header.tar"):
1. Members in this order: `header-info`, `scripts/*`, `headers/0000/type-info`,
   `headers/0000/meta-data` (may be left out, and may be empty).
2. Exactly one payload; its type stands in both places and is the same.
3. Unknown fields of `header-info` are refused, those of `type-info` are reported, unless they
   differ from a known one only in case.
4. A type is a plain word: clients of Mender before 5.0.4 make a path of it.
"""

from __future__ import annotations

import io
import re
from collections.abc import Mapping
from dataclasses import dataclass

from orchestrator.artifact.errors import ArtifactError, Rule
from orchestrator.artifact.fields import (
    as_alternatives,
    as_object,
    as_texts,
    check_depends,
    check_device_type,
    check_payload_type,
    check_provides,
    check_text,
    show,
)
from orchestrator.artifact.model import HEADER_MEMBER_BYTES_MAX, ScriptPolicy
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
        data: the tar file, of bounded size.
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


def _split(data: bytes, policy: ScriptPolicy) -> _Parts:
    tar = TarReader(io.BytesIO(data), what=_WHAT)
    parts: dict[str, bytes] = {}
    scripts: list[str] = []
    order = [INFO_NAME, TYPE_INFO_NAME, META_DATA_NAME]
    while member := tar.next_member():
        name = member.name
        content = tar.read_all(HEADER_MEMBER_BYTES_MAX)
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
    provides = as_object(info.get("artifact_provides"), "`artifact_provides`")
    _check_keys(provides, _PROVIDES_KEYS, "artifact_provides")
    depends = as_object(info.get("artifact_depends"), "`artifact_depends`")
    _check_keys(depends, _DEPENDS_KEYS, "artifact_depends")
    device_types = depends.pop("device_type", None)
    if not isinstance(device_types, list) or not device_types:
        message = f"`{INFO_NAME}` names no device type"
        raise ArtifactError(Rule.DEVICE_TYPE, message, hint="add at least one device type")
    return _Info(
        name=check_text(provides.get("artifact_name"), "artifact name"),
        group=check_text(provides["artifact_group"], "artifact group")
        if "artifact_group" in provides
        else None,
        device_types=tuple(check_device_type(item) for item in device_types),
        depends={key: as_alternatives(value, f"`{key}`") for key, value in depends.items()},
        payload_type=_parse_payloads(info.get("payloads")),
    )


def _parse_payloads(payloads: object) -> str:
    if not isinstance(payloads, list) or len(payloads) != 1:
        message = f"`{INFO_NAME}` does not list exactly one payload"
        raise ArtifactError(Rule.PAYLOAD_COUNT, message, hint="one payload is all clients support")
    payload = as_object(payloads[0], "`payloads`")
    _check_keys(payload, frozenset(("type",)), "payloads")
    return check_payload_type(payload.get("type"))


def _parse_type_info(data: bytes, payload_type: str) -> _TypeInfo:
    info = parse_object(data, TYPE_INFO_NAME)
    warnings = []
    for key in info.keys() - _TYPE_INFO_KEYS:
        if key.casefold() in _TYPE_INFO_KEYS:
            # Mender's own reader ignores case, and would take this one instead of ours.
            message = f"`{TYPE_INFO_NAME}` has a field {show(key)} that some readers mistake"
            raise ArtifactError(Rule.HEADER_FIELD, message)
        warnings.append(f"`{TYPE_INFO_NAME}` has an unknown field {show(key)}")
    if info.get("type") == "" and payload_type == ROOTFS_IMAGE:
        # mender-artifact before 4.3.1 wrote an empty type for rootfs images.
        warnings.append(f"`{TYPE_INFO_NAME}` has an empty type, as old mender-artifact wrote it")
    elif info.get("type") != payload_type:
        message = (
            f"payload type {show(info.get('type'))} of `{TYPE_INFO_NAME}` is not `{payload_type}`"
        )
        raise ArtifactError(Rule.TYPE_MISMATCH, message)
    clears = info.get("clears_artifact_provides")
    depends = check_depends(_optional(info, "artifact_depends"), "`artifact_depends`")
    if taken := sorted(_DEPENDS_KEYS & depends.keys()):
        message = f"`{TYPE_INFO_NAME}` depends on `{taken[0]}`, which only `{INFO_NAME}` may do"
        raise ArtifactError(Rule.HEADER_FIELD, message)
    return _TypeInfo(
        depends=depends,
        provides=check_provides(_optional(info, "artifact_provides"), "`artifact_provides`"),
        clears_provides=None if clears is None else as_texts(clears, "`clears_artifact_provides`"),
        warnings=tuple(sorted(warnings)),
    )


def _optional(info: Mapping[str, object], key: str) -> object:
    value = info.get(key)
    return {} if value is None else value


def _check_keys(value: Mapping[str, object], known: frozenset[str], what: str) -> None:
    for key in value:
        if key not in known:
            message = f"`{what}` has an unknown field {show(key)}"
            raise ArtifactError(Rule.HEADER_FIELD, message)
