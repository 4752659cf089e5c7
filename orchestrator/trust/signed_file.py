"""A ticket or a root with the signatures that stand beside it in `FILE.sig`."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from orchestrator.trust.errors import TrustRule, in_file, refuse
from orchestrator.trust.files import read_start, replace_file, write_new
from orchestrator.trust.signature_file import (
    Signature,
    add_signatures,
    parse_signatures,
    write_signatures,
)
from orchestrator.trust.text import TEXT_BYTES_MAX


@dataclass(frozen=True, slots=True)
class SignedFile:
    """A text as it was read, and the signature lines beside it; they say nothing yet."""

    path: Path
    text: bytes
    signatures: tuple[Signature, ...] = ()

    def evidence(self, rule: TrustRule) -> bytes:
        """The signature file's text.

        Args:
            rule: the one that a file without signatures breaks.

        Raises:
            TrustError: nobody signed.
        """
        if not self.signatures:
            message = (
                f"nobody signed `{self.path}`: there is no `{signatures_path(self.path).name}`"
            )
            raise refuse(rule, message, file=self.path)
        return write_signatures(self.signatures)

    def with_signatures(self, added: Sequence[Signature]) -> SignedFile:
        """The same with more signatures, which are on disk then.

        What stands on disk is read again first: somebody else may have signed in the meantime.

        Raises:
            TrustError: there are too many, or the file cannot be read or written.
        """
        path = signatures_path(self.path)
        with in_file(path):
            signatures = add_signatures(_beside(path), added)
            replace_file(path, write_signatures(signatures))
        return replace(self, signatures=signatures)


def signatures_path(path: Path) -> Path:
    """Where the signatures of a file are."""
    return path.with_name(f"{path.name}.sig")


def read_signed(path: Path) -> SignedFile:
    """A file and its signatures, of which there may be none yet.

    Raises:
        TrustError: a file cannot be read, or the signatures have another form.
    """
    text = read_start(path, TEXT_BYTES_MAX + 1)
    return SignedFile(path, text, _beside(signatures_path(path)))


def write_signed(path: Path, text: bytes, signatures: Sequence[Signature]) -> SignedFile:
    """A new file, and its signatures if there are any.

    Raises:
        TrustError: there is such a file, or signatures of one; or it cannot be written.
    """
    beside = signatures_path(path)
    if os.path.lexists(beside):
        message = f"`{beside}` exists already"
        hint = "it has signatures of another text; choose another name, or remove it"
        raise refuse(TrustRule.FILE_EXISTS, message, hint=hint, file=beside)
    write_new(path, text)
    if signatures:
        write_new(beside, write_signatures(signatures))
    return SignedFile(path, text, tuple(signatures))


def _beside(path: Path) -> tuple[Signature, ...]:
    if not os.path.lexists(path):
        return ()
    with in_file(path):
        return parse_signatures(read_start(path, TEXT_BYTES_MAX + 1))
