"""Signatures of webhooks: who sent it, that it is whole, and that it is not an old one again.

Laws:
1. The signature is HMAC-SHA256 over `ID.TIMESTAMP.BODY` with the secret's bytes: a body cannot be
   shown again under another id or at another time. The id of a notice stays the same when it is
   sent again; time and signature are new.
2. A secret that begins with `whsec_` is the Base64 of its bytes; any other is its own bytes.

Source: the Standard Webhooks specification, symmetric signatures `v1`.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from collections.abc import Mapping

from orchestrator.outward.failure import OutwardError

ID_HEADER = "webhook-id"
TIME_HEADER = "webhook-timestamp"
SIGNATURE_HEADER = "webhook-signature"
_PREFIX = "whsec_"


def headers(message_id: str, at: float, body: bytes, secret: str | None) -> Mapping[str, str]:
    """Headers of a webhook; without a secret there is no signature.

    Raises:
        OutwardError: the secret says that it is Base64 and is not; the text does not show it.
    """
    stamp = str(int(at))
    unsigned = {ID_HEADER: message_id, TIME_HEADER: stamp}
    if secret is None:
        return unsigned
    signed = f"{message_id}.{stamp}.".encode() + body
    digest = hmac.new(_key(secret), signed, hashlib.sha256).digest()
    return {**unsigned, SIGNATURE_HEADER: "v1," + base64.b64encode(digest).decode()}


def _key(secret: str) -> bytes:
    if not secret.startswith(_PREFIX):
        return secret.encode()
    try:
        return base64.b64decode(secret.removeprefix(_PREFIX), validate=True)
    except binascii.Error as error:
        message = f"the secret begins with `{_PREFIX}` and is not Base64 after it"
        raise OutwardError(message) from error
