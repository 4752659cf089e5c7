"""Where passphrases and PINs come from: a person at a terminal, or a file; never an argument."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from orchestrator.trust.errors import TrustRule, refuse
from orchestrator.trust.files import read_start

PASSPHRASE_BYTES_MAX = 1023  # OpenSSL reads no more


@dataclass(frozen=True, slots=True)
class Passphrases:
    """The file whose first line it is, or how to ask a person; asked for when it is needed.

    `ask` gets what is wanted, such as `passphrase of release.key`, and is None where nobody can
    answer.
    """

    file: Path | None = None
    ask: Callable[[str], str] | None = field(default=None, repr=False)

    def get(self, what: str) -> bytes:
        """The passphrase.

        Raises:
            TrustError: there is nobody to ask and no file, or it is empty or too long.
        """
        if self.file is not None:
            data = read_start(self.file, PASSPHRASE_BYTES_MAX + 1).partition(b"\n")[0]
            data = data.removesuffix(b"\r")
        elif self.ask is not None:
            data = self.ask(what).encode()
        else:
            message = f"the {what} is needed, and nobody can be asked"
            hint = "name a file that holds it with `--passphrase-file FILE`"
            raise refuse(TrustRule.KEY_PASSPHRASE, message, hint=hint)
        if not 0 < len(data) <= PASSPHRASE_BYTES_MAX:
            message = f"the {what} has 1 to {PASSPHRASE_BYTES_MAX} bytes"
            raise refuse(TrustRule.KEY_PASSPHRASE, message, file=self.file)
        return data

    def text(self, what: str) -> str:
        """The same as text, for signers that want it so.

        Raises:
            TrustError: as `get`, or it is not UTF-8.
        """
        try:
            return self.get(what).decode()
        except UnicodeDecodeError as error:
            message = f"the {what} is not UTF-8"
            raise refuse(TrustRule.KEY_PASSPHRASE, message, file=self.file) from error
