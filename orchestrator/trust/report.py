"""What a device said of itself and signed with its host's key: read strictly and verified.

The signature adds nothing to what the connection proved already, but it can be shown to others:
`ssh-keygen -Y verify -n device-report` says the same.
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass

from orchestrator.errors import TrustError
from orchestrator.trust.allowed import AllowedSigner
from orchestrator.trust.errors import TrustRule, refuse
from orchestrator.trust.revoked import Revoked
from orchestrator.trust.sshsig import signer_of

NAMESPACE = "device-report"
_SIGNER = "device"
_VALUE = r"([\x21-\x7e]{1,400})"
_FIELDS = (
    "device", "nonce", "time", "component", "state", "artifact", "manifest", "active", "boot-id",
)  # fmt: skip
_TEXT = re.compile("device-report 1\n" + "".join(f"{key} {_VALUE}\n" for key in _FIELDS))


@dataclass(frozen=True, slots=True)
class Report:
    """A report and, where there is one, the signature that holds, with the key that made it."""

    text: bytes
    values: dict[str, str]
    signature: bytes
    signed_by: str


def fingerprint_of(line: str) -> str:
    """`SHA256:...` of a host key as `ssh-ed25519 AAAA...`, as ssh-keygen writes it."""
    digest = hashlib.sha256(base64.b64decode(line.split()[1])).digest()
    return "SHA256:" + base64.b64encode(digest).decode("ascii").rstrip("=")


def read_report(text: bytes) -> dict[str, str]:
    """The fields of a report.

    Raises:
        TrustError: it is of another form.
    """
    match = _TEXT.fullmatch(text.decode("ascii", errors="replace"))
    if match is None:
        raise refuse(TrustRule.REPORT, "the report of the device is malformed")
    return dict(zip(_FIELDS, match.groups(), strict=True))


def signed_report(
    text: bytes, signatures: Sequence[bytes], host_keys: Sequence[str], now: float
) -> Report:
    """The report with the first of its signatures that a host key of the device made.

    Raises:
        TrustError: the report is malformed, or no trusted host key signed it.
    """
    values = read_report(text)
    keys = {line: base64.b64decode(line.split()[1]) for line in host_keys}
    signers = [AllowedSigner(_SIGNER, key, frozenset({NAMESPACE})) for key in keys.values()]
    last: TrustError | None = None
    for signature in signatures:
        try:
            found = signer_of(
                text, signature, NAMESPACE, allowed=signers, revoked=Revoked(), now=now
            )
        except TrustError as error:
            last = error
            continue
        line = next(line for line, key in keys.items() if key == found.public_key)
        return Report(text, values, signature, line)
    raise last or refuse(TrustRule.REPORT, "nobody signed the report")
