"""One code for each reason not to trust a key or a signature.

The codes are a stable interface; docs/reference/artifact.md explains each.
"""

from __future__ import annotations

from enum import StrEnum

from orchestrator.errors import TrustError, Where


class TrustRule(StrEnum):
    """The rule that a key or a signature breaks."""

    KEY_UNREADABLE = "T100"
    KEY_FORM = "T101"
    KEY_TYPE = "T102"
    KEY_CURVE = "T103"
    KEY_SIZE = "T104"
    KEY_PASSPHRASE = "T105"  # noqa: S105  a code, no password
    KEY_EXISTS = "T106"
    NO_KEY = "T110"
    UNSIGNED = "T111"
    SIGNATURE_MISMATCH = "T112"
    SIGNATURE_FORM = "T130"
    SIGNATURE_NAMESPACE = "T131"
    SIGNER_REVOKED = "T132"
    SIGNERS = "T133"
    REVOKED_LIST = "T134"
    STATEMENT = "T135"


def refuse(rule: TrustRule, message: str, *, hint: str = "", file: object = None) -> TrustError:
    """The error for a broken rule; `file` is where it was broken."""
    where = None if file is None else Where(str(file))
    return TrustError(message, hint=hint, where=where, code=str(rule))
