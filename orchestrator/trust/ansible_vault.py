"""Opens what `ansible-vault encrypt` has closed.

Source: inventory.md, "Vault". A header line `$ANSIBLE_VAULT;1.1;AES256` (1.2 adds `;LABEL`), then
hexadecimal text in lines: salt, HMAC-SHA256 and ciphertext, each hexadecimal again, with newlines
between. PBKDF2-HMAC-SHA256 with 10 000 rounds gives 32 bytes for AES-256 in counter mode, 32 for
the HMAC of the ciphertext, and the first counter; PKCS 7 pads the text.
"""

from __future__ import annotations

import binascii
import functools
from dataclasses import dataclass, field

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, hmac, padding
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.kdf.pbkdf2 import PBKDF2HMAC

VAULT_MARK = "$ANSIBLE_VAULT;"
_ROUNDS = 10_000
_KEY_BYTES = 32
_DERIVED_BYTES = 2 * _KEY_BYTES + 16
_VERSIONS = ("1.1", "1.2")
_BLOCK_BITS = 128


class VaultError(ValueError):
    """A vault that does not open; says why, never what is in it."""


@dataclass(frozen=True, slots=True)
class Password:
    """A vault's password and the label that `ansible-vault` knows it by, "" for none."""

    label: str
    secret: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Vault:
    """Opens vaults with some passwords; one of the vault's own label is tried first."""

    passwords: tuple[Password, ...] = ()

    def open(self, data: bytes) -> bytes:
        """The text of a vault.

        Raises:
            VaultError: no password, none that fits, or not of the form.
        """
        label, salt, code, ciphertext = _parts(data)
        if not self.passwords:
            raise VaultError("no password for ansible-vault is configured")
        for password in sorted(self.passwords, key=lambda one: one.label != label):
            keys = _derived(password.secret, salt)
            if _is_sealed(keys[_KEY_BYTES : 2 * _KEY_BYTES], ciphertext, code):
                return _deciphered(keys, ciphertext)
        named = f" (label `{label}`)" if label else ""
        raise VaultError(f"no password that is configured opens it{named}")


CLOSED = Vault()  # opens nothing


def _parts(data: bytes) -> tuple[str, bytes, bytes, bytes]:
    head, _, body = data.partition(b"\n")
    words = head.decode("ascii", "replace").strip().split(";")
    if len(words) not in (3, 4) or f"{words[0]};" != VAULT_MARK or words[2] != "AES256":
        raise VaultError("its first line is not that of a vault (`$ANSIBLE_VAULT;1.1;AES256`)")
    if words[1] not in _VERSIONS:
        raise VaultError("its version is not 1.1 or 1.2")
    label = words[3] if len(words) == 4 and words[3].isprintable() else ""  # noqa: PLR2004
    try:
        fields = binascii.unhexlify(b"".join(body.split())).split(b"\n", 2)
        salt, code, ciphertext = (binascii.unhexlify(part) for part in fields)
    except ValueError as error:
        raise VaultError("it is cut off or changed") from error
    return label, salt, code, ciphertext


@functools.lru_cache(maxsize=256)  # one salt per vault; the same vault is tried by every host
def _derived(secret: bytes, salt: bytes) -> bytes:
    return PBKDF2HMAC(hashes.SHA256(), _DERIVED_BYTES, salt, _ROUNDS).derive(secret)


def _is_sealed(key: bytes, ciphertext: bytes, code: bytes) -> bool:
    checker = hmac.HMAC(key, hashes.SHA256())
    checker.update(ciphertext)
    try:
        checker.verify(code)
    except InvalidSignature:
        return False
    return True


def _deciphered(keys: bytes, ciphertext: bytes) -> bytes:
    mode = modes.CTR(keys[2 * _KEY_BYTES :])
    cipher = Cipher(algorithms.AES(keys[:_KEY_BYTES]), mode).decryptor()
    unpadder = padding.PKCS7(_BLOCK_BITS).unpadder()
    try:
        return unpadder.update(cipher.update(ciphertext) + cipher.finalize()) + unpadder.finalize()
    except ValueError as error:
        raise VaultError("it is cut off or changed") from error
