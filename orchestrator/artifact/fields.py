"""The single values of a header: what each may be, when it is read and when it is written."""

from __future__ import annotations

import re

from orchestrator.artifact.errors import ArtifactError, Rule
from orchestrator.artifact.model import TEXT_BYTES_MAX

_RESERVED_PROVIDES = frozenset(("artifact_name", "artifact_group", "device_type"))
_PAYLOAD_TYPE = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")
_DEVICE_TYPE = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.:+@ -]{0,254}[A-Za-z0-9_.:+@-]|[A-Za-z0-9]")


def check_payload_type(text: object) -> str:
    """The type of a payload, when it is a plain word.

    Raises:
        ArtifactError: anything else, such as a path.
    """
    if isinstance(text, str) and _PAYLOAD_TYPE.fullmatch(text):
        return text
    message = f"payload type {show(text)} is not the name of an update module"
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
    message = f"device type {show(text)} cannot be used"
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
        message = f"{what} {show(value)} cannot be used"
        hint = f"printable text of 1 to {TEXT_BYTES_MAX} bytes, without blanks at its ends"
        raise ArtifactError(Rule.TEXT, message, hint=hint)
    return str(value)


def check_provides(values: object, what: str) -> dict[str, str]:
    """Provides entries: text by key, without the keys that the artifact itself sets.

    Raises:
        ArtifactError: anything else.
    """
    found = {}
    for key, value in as_object(values, what).items():
        check_text(key, f"key of {what}")
        if key in _RESERVED_PROVIDES or "=" in key:
            message = f"{what} may not set {show(key)}"
            raise ArtifactError(Rule.HEADER_FIELD, message)
        found[key] = check_text(value, f"`{key}` of {what}") if value != "" else ""
    return found


def check_depends(values: object, what: str) -> dict[str, tuple[str, ...]]:
    """Depends entries: one or more alternatives by key.

    Raises:
        ArtifactError: anything else.
    """
    found = {}
    for key, value in as_object(values, what).items():
        check_text(key, f"key of {what}")
        choices = [value] if isinstance(value, str) else value
        found[key] = as_alternatives(choices, f"`{key}` of {what}")
    return found


def as_alternatives(value: object, what: str) -> tuple[str, ...]:
    """Texts of which one has to be met.

    Raises:
        ArtifactError: there is none, so that nothing could meet it, or `value` is no list of texts.
    """
    texts = as_texts(value, what)
    if not texts:
        message = f"{what} in the header has nothing to depend on"
        raise ArtifactError(Rule.HEADER_FIELD, message)
    return texts


def as_object(value: object, what: str) -> dict[str, object]:
    """A copy of a JSON object.

    Raises:
        ArtifactError: it is none.
    """
    if not isinstance(value, dict):
        message = f"{what} in the header is not an object"
        raise ArtifactError(Rule.HEADER_FIELD, message)
    return dict(value)


def as_texts(value: object, what: str) -> tuple[str, ...]:
    """Texts of a JSON list.

    Raises:
        ArtifactError: it is no list, or one of them is no fitting text.
    """
    if not isinstance(value, list):
        message = f"{what} in the header is not a list"
        raise ArtifactError(Rule.HEADER_FIELD, message)
    return tuple(check_text(item, what) for item in value)


def show(value: object) -> str:
    """A value for a message: ASCII, short, harmless on a terminal."""
    text = ascii(value)
    return f"`{text[:60]}...`" if len(text) > 60 else f"`{text}`"  # noqa: PLR2004  fits a line
