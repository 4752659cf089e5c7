"""Keys and signatures; the only home of `cryptography`.

Its modules are loaded when a name is used first: who only asks whether something is encrypted does
not pay for all of them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from orchestrator.lazy import homes, loading

if TYPE_CHECKING:
    from orchestrator.trust.errors import TrustRule
    from orchestrator.trust.keys import (
        ARTIFACT_KINDS,
        TICKET_KINDS,
        KeyKind,
        SigningKey,
        VerificationKey,
        generate_key,
        load_private_key,
        load_public_key,
        parse_public_key,
        parse_spki,
        save_private_key,
        save_public_key,
    )
    from orchestrator.trust.signature import (
        VerifiedArtifact,
        open_verified,
        sign_manifest,
        signer,
        verify_artifact,
        verify_manifest,
        verifying,
    )

_NAMES = {
    "errors": "TrustRule",
    "keys": "ARTIFACT_KINDS TICKET_KINDS KeyKind SigningKey VerificationKey generate_key load_private_key load_public_key parse_public_key parse_spki save_private_key save_public_key",
    "signature": "VerifiedArtifact open_verified sign_manifest signer verify_artifact verify_manifest verifying",
}
_HOMES = homes(_NAMES)
__getattr__ = loading(__name__, _HOMES)

__all__ = [
    "ARTIFACT_KINDS",
    "TICKET_KINDS",
    "KeyKind",
    "SigningKey",
    "TrustRule",
    "VerificationKey",
    "VerifiedArtifact",
    "generate_key",
    "load_private_key",
    "load_public_key",
    "open_verified",
    "parse_public_key",
    "parse_spki",
    "save_private_key",
    "save_public_key",
    "sign_manifest",
    "signer",
    "verify_artifact",
    "verify_manifest",
    "verifying",
]
