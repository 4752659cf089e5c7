"""One code for each reason not to trust a key, a signature, a ticket or a root.

The codes are a stable interface; docs/reference/artifact.md and release.md explain each.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path

from orchestrator.errors import TrustError, Where


class TrustRule(StrEnum):
    """The rule that something breaks."""

    FILE_UNREADABLE = "T100"
    KEY_FORM = "T101"
    KEY_TYPE = "T102"
    KEY_CURVE = "T103"
    KEY_SIZE = "T104"
    KEY_PASSPHRASE = "T105"  # noqa: S105  a code, no password
    FILE_EXISTS = "T106"
    KEY_OPEN = "T107"
    NO_KEY = "T110"
    UNSIGNED = "T111"
    SIGNATURE_MISMATCH = "T112"
    SIGNATURE_FORM = "T130"
    SIGNATURE_NAMESPACE = "T131"
    SIGNER_REVOKED = "T132"
    SIGNERS = "T133"
    REVOKED_LIST = "T134"
    STATEMENT = "T135"
    # a ticket, in the order in which devices check
    FLEET = "T140"
    SIGNATURES = "T141"
    DEVICE_TYPE = "T142"
    EXPIRED = "T143"
    SECURITY_VERSION = "T144"
    SERIAL = "T145"
    MANIFEST = "T146"
    ARTIFACT = "T147"
    NOT_OPEN = "T148"
    # a root
    ROOT_VERSION = "T150"
    ROOT_SIGNATURES = "T151"
    ROOT_OWN_SIGNATURES = "T152"
    ROOT_ROLE = "T153"
    ROOT_SIGNED = "T154"
    # who signs
    SIGNER_URI = "T160"
    SIGNER_MISSING = "T161"
    SIGNER_FAILED = "T162"
    SIGNER_UNKNOWN = "T163"
    RELEASE = "T164"
    # the text of a ticket, a root or a signature file
    TEXT_FORM = "T170"
    TEXT_LINE = "T171"
    TEXT_VALUE = "T172"
    THRESHOLD = "T173"
    KEY_TWICE = "T174"
    # the commit that a rollout starts from
    NO_GIT = "T180"
    NO_REPOSITORY = "T181"
    NOT_COMMITTED = "T182"
    NOT_CLEAN = "T183"
    COMMIT_UNSIGNED = "T184"
    COMMIT_SIGNER = "T185"
    COMMIT_FOREIGN = "T186"
    SIGNERS_PLACE = "T187"
    GIT_OBJECT = "T188"
    # certificates
    AUTHORITY = "T190"
    REPORT = "T191"


def refuse(rule: TrustRule, message: str, *, hint: str = "", file: object = None) -> TrustError:
    """The error for a broken rule; `file` is where it was broken."""
    where = None if file is None else Where(str(file))
    return TrustError(message, hint=hint, where=where, code=str(rule))


@contextmanager
def in_file(path: Path) -> Iterator[None]:
    """Names the file in refusals that do not name one yet."""
    try:
        yield
    except TrustError as error:
        error.where = error.where or Where(str(path))
        raise
