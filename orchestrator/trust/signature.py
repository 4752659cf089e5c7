"""Signatures over an artifact's manifest.

Laws:
1. A verification needs a key, and nothing here answers "good" without one: no key, no signature
   and a wrong signature are all errors.
2. RSA is PKCS#1 v1.5 with SHA-256. ECDSA is SHA-256; both r and s are within 1 to n-1. We write
   the raw form (r and s, 32 bytes each), and take the DER form too, which HSMs and KMS write.
3. A file is judged by its signature before anything of it is unpacked.

Source: Mender Artifact v3, "manifest.sig"; design "mender" 1a.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric import utils

from orchestrator.artifact import Artifact, ArtifactSource, ReadOptions, read_artifact
from orchestrator.trust.errors import TrustRule, in_file, refuse
from orchestrator.trust.keys import ARTIFACT_KINDS, KeyKind, SigningKey, VerificationKey
from orchestrator.trust.signing import matches, sign_bytes

_NUMBER_BYTES = 32


@dataclass(frozen=True, slots=True)
class VerifiedArtifact:
    """An artifact whose manifest one of our keys signed; made by `verify_artifact` only."""

    artifact: Artifact
    key: VerificationKey


def signer(key: SigningKey) -> Callable[[bytes], bytes]:
    """What `write_artifact` and `sign_artifact` want as `sign`."""

    def sign(manifest: bytes) -> bytes:
        return sign_manifest(manifest, key)

    return sign


def sign_manifest(manifest: bytes, key: SigningKey) -> bytes:
    """The signature of a manifest's bytes, in the form that all Mender clients read."""
    assert key.kind in ARTIFACT_KINDS, "keys for artifacts are loaded as such"
    signature = sign_bytes(manifest, key)
    if key.kind is KeyKind.RSA:
        return signature
    r, s = utils.decode_dss_signature(signature)
    return r.to_bytes(_NUMBER_BYTES, "big") + s.to_bytes(_NUMBER_BYTES, "big")


def verify_manifest(
    manifest: bytes, signature: bytes | None, keys: Sequence[VerificationKey]
) -> VerificationKey:
    """The first of the keys whose signature it is.

    Raises:
        TrustError: there is no key, no signature, or no key matches.
    """
    if not keys:
        message = "there is no key to verify the artifact with"
        hint = "name one with `--key PUB`, or `trusted_keys` in your own configuration"
        raise refuse(TrustRule.NO_KEY, message, hint=hint)
    if not signature:
        message = "the artifact is not signed"
        hint = "sign it with `rollout artifact sign`"
        raise refuse(TrustRule.UNSIGNED, message, hint=hint)
    for key in keys:
        if _matches(manifest, signature, key):
            return key
    message = (
        "the signature of the artifact is by none of the given keys, or its manifest was changed"
    )
    prints = ", ".join(f"{key.kind} {key.fingerprint[:16]}" for key in keys)
    raise refuse(TrustRule.SIGNATURE_MISMATCH, message, hint=f"keys tried: {prints}")


def verify_artifact(
    artifact: Artifact | Path,
    keys: Sequence[VerificationKey],
    *,
    options: ReadOptions | None = None,
) -> VerifiedArtifact:
    """Verifies an artifact that was read, or reads and verifies a file.

    Args:
        artifact: an artifact, or its file.
        keys: the keys of which one must have signed.
        options: for reading a file; its `accept` is asked after the signature was found good.

    Raises:
        TrustError: there is no key, no signature, or no key matches.
        ArtifactError: the file breaks a rule.
    """
    if isinstance(artifact, Artifact):
        key = verify_manifest(artifact.manifest, artifact.signature, keys)
        return VerifiedArtifact(artifact, key)
    with in_file(artifact):
        return verify_artifact(read_artifact(artifact, options=verifying(keys, options)), keys)


def open_verified(
    path: Path, keys: Sequence[VerificationKey], *, options: ReadOptions | None = None
) -> tuple[ArtifactSource, VerifiedArtifact]:
    """Reads and verifies a file once, and keeps its frames for delivery to devices.

    Args:
        path: the artifact; the caller closes the source.
        keys: the keys of which one must have signed.
        options: as for `verify_artifact`.

    Raises:
        TrustError: there is no key, no signature, or no key matches.
        ArtifactError: the file breaks a rule.
    """
    with in_file(path):
        source = ArtifactSource(path, options=verifying(keys, options))
        return source, verify_artifact(source.artifact, keys)


def verifying(keys: Sequence[VerificationKey], options: ReadOptions | None = None) -> ReadOptions:
    """Options with which a reader refuses what none of the keys signed, before it unpacks anything.

    For `read_artifact` and `ArtifactSource`; they raise `TrustError` then.
    """
    base = options or ReadOptions()
    also = base.accept
    wanted = tuple(keys)

    def accept(manifest: bytes, signature: bytes | None) -> None:
        verify_manifest(manifest, signature, wanted)
        if also is not None:
            also(manifest, signature)

    return replace(base, accept=accept)


def _matches(manifest: bytes, signature: bytes, key: VerificationKey) -> bool:
    if key.kind not in ARTIFACT_KINDS:
        return False
    if matches(manifest, signature, key):  # DER first, as Mender's clients do, then raw
        return True
    if key.kind is not KeyKind.ECDSA_P256 or len(signature) != 2 * _NUMBER_BYTES:
        return False
    r, s = (
        int.from_bytes(half, "big")
        for half in (signature[:_NUMBER_BYTES], signature[_NUMBER_BYTES:])
    )
    return matches(manifest, utils.encode_dss_signature(r, s), key)
