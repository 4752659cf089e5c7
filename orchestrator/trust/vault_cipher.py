"""How `ansible-vault` derives keys, seals and enciphers.

Source: inventory.md, "Vault". PBKDF2-HMAC-SHA256 with 10 000 rounds gives 32 bytes for AES-256 in
counter mode, 32 for the HMAC of the ciphertext, and the first counter; PKCS 7 pads the text.
"""

from __future__ import annotations

import functools

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, hmac, padding
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.kdf.pbkdf2 import PBKDF2HMAC

_ROUNDS = 10_000
_KEY_BYTES = 32
_DERIVED_BYTES = 2 * _KEY_BYTES + 16
_BLOCK_BITS = 128


@functools.lru_cache(maxsize=256)  # one salt per vault; the same vault is tried by every host
def derived(secret: bytes, salt: bytes) -> bytes:
    """Both keys and the first counter."""
    return PBKDF2HMAC(hashes.SHA256(), _DERIVED_BYTES, salt, _ROUNDS).derive(secret)


def is_sealed(keys: bytes, ciphertext: bytes, code: bytes) -> bool:
    """Whether this is the code of the ciphertext."""
    checker = hmac.HMAC(keys[_KEY_BYTES : 2 * _KEY_BYTES], hashes.SHA256())
    checker.update(ciphertext)
    try:
        checker.verify(code)
    except InvalidSignature:
        return False
    return True


def deciphered(keys: bytes, ciphertext: bytes) -> bytes:
    """The text.

    Raises:
        ValueError: it is not padded as it should be.
    """
    mode = modes.CTR(keys[2 * _KEY_BYTES :])
    cipher = Cipher(algorithms.AES(keys[:_KEY_BYTES]), mode).decryptor()
    unpadder = padding.PKCS7(_BLOCK_BITS).unpadder()
    return unpadder.update(cipher.update(ciphertext) + cipher.finalize()) + unpadder.finalize()
