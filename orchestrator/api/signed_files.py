"""Files with signatures beside them, as they are delivered to devices: bytes, judged elsewhere."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from orchestrator.api.project import read_file

if TYPE_CHECKING:
    from orchestrator.trust.root import Root

FILE_BYTES_MAX = 1024 * 1024  # they have 16 KiB; beyond this nothing is read to say so


@dataclass(frozen=True, slots=True)
class RootFile:
    """A trust root that its own root keys signed, and the bytes that say so."""

    text: bytes
    signatures: bytes
    root: Root


def read_with_signatures(path: Path) -> tuple[bytes, bytes]:
    """The bytes of a file, and of the signatures beside it.

    Raises:
        PlanError: one of the two cannot be read.
    """
    from orchestrator.trust.signed_file import signatures_path

    return read_file(path, FILE_BYTES_MAX), read_file(signatures_path(path), FILE_BYTES_MAX)


def read_root_file(path: Path) -> RootFile:
    """The root of a file.

    Raises:
        PlanError: it or its signatures cannot be read.
        TrustError: it is no root, or its own keys did not sign it.
    """
    from orchestrator.trust.judge import check_first_root

    text, signatures = read_with_signatures(path)
    return RootFile(text, signatures, check_first_root(text, signatures))
