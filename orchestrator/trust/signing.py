"""Signatures over bytes as they stand in tickets' and roots' signature files.

Laws:
1. ECDSA is SHA-256 in DER, RSA is PKCS#1 v1.5 with SHA-256, Ed25519 is pure: what `openssl` on a
   device verifies.
2. ECDSA: r and s are within 1 to n-1, and only their one shortest DER form counts. Ed25519: S is
   below the order. What is left to vary is n-s in place of s; so keys are counted, not signatures.
"""

from __future__ import annotations

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa, utils

from orchestrator.trust.keys import SigningKey, VerificationKey

P256_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
_DER_BYTES_MAX = 72


def sign_bytes(data: bytes, key: SigningKey) -> bytes:
    """The signature of a key that is at hand."""
    private = key.private
    if isinstance(private, rsa.RSAPrivateKey):
        return private.sign(data, padding.PKCS1v15(), hashes.SHA256())
    if isinstance(private, ec.EllipticCurvePrivateKey):
        return private.sign(data, ec.ECDSA(hashes.SHA256()))
    return private.sign(data)


def matches(data: bytes, signature: bytes, key: VerificationKey) -> bool:
    """Whether it is the key's signature over exactly these bytes."""
    public = key.public
    try:
        if isinstance(public, rsa.RSAPublicKey):
            public.verify(signature, data, padding.PKCS1v15(), hashes.SHA256())
        elif isinstance(public, ec.EllipticCurvePublicKey):
            if not _is_strict_der(signature):
                return False
            public.verify(signature, data, ec.ECDSA(hashes.SHA256()))
        else:
            public.verify(signature, data)
    except InvalidSignature:
        return False
    return True


def _is_strict_der(signature: bytes) -> bool:
    if len(signature) > _DER_BYTES_MAX:
        return False
    try:
        r, s = utils.decode_dss_signature(signature)
    except ValueError:
        return False
    in_range = 0 < r < P256_ORDER and 0 < s < P256_ORDER
    return in_range and utils.encode_dss_signature(r, s) == signature
