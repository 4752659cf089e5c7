"""Keys and signatures; the only home of `cryptography`."""

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
