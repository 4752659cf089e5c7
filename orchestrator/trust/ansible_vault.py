"""Opens what `ansible-vault encrypt` has closed.

Source: inventory.md, "Vault". A header line `$ANSIBLE_VAULT;1.1;AES256` (1.2 adds `;LABEL`), then
hexadecimal text in lines: salt, HMAC-SHA256 and ciphertext, each hexadecimal again, with newlines
between; `vault_cipher` has how these are made.
"""

from __future__ import annotations

import binascii
from dataclasses import dataclass, field

VAULT_MARK = "$ANSIBLE_VAULT;"
_VERSIONS = ("1.1", "1.2")


class VaultError(ValueError):
    """A vault that does not open; says why, never what is in it."""


class VaultDamagedError(VaultError):
    """One that no password opens."""


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
        from orchestrator.trust.vault_cipher import deciphered, derived, is_sealed

        for password in sorted(self.passwords, key=lambda one: one.label != label):
            keys = derived(password.secret, salt)
            if not is_sealed(keys, ciphertext, code):
                continue
            try:
                return deciphered(keys, ciphertext)
            except ValueError as error:
                raise VaultDamagedError("it is cut off or changed") from error
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
        raise VaultDamagedError("it is cut off or changed") from error
    return label, salt, code, ciphertext
