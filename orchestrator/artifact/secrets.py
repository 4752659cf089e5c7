"""Files that were hardly meant to leave: private keys in what is to become an artifact.

An artifact lies on servers and devices, readable and for years; what is in it cannot be taken back.

Law: only the beginning of a file is looked at, where a key in PEM form stands. It is a guard
against accidents, no proof that an artifact holds no secret.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from pathlib import Path

from orchestrator.artifact.errors import ArtifactError, Rule
from orchestrator.artifact.tree import open_input, unreadable
from orchestrator.errors import Where

_LOOKED_AT_BYTES = 64 * 1024
_PRIVATE_KEY = re.compile(rb"^\s*-----BEGIN (?:[A-Z0-9]+ ){0,3}PRIVATE KEY-----", re.MULTILINE)


def refuse_private_keys(sources: Iterable[Path]) -> None:
    """Looks into files, and into all files of trees.

    Raises:
        ArtifactError: one holds a private key, or cannot be read.
    """
    for source in sources:
        for path in _files(source):
            with open_input(path) as file:
                start = file.read(_LOOKED_AT_BYTES)
            if _PRIVATE_KEY.search(start):
                message = (
                    f"`{path}` holds a private key, which everybody with the artifact would have"
                )
                hint = "leave it out; if it is meant for the devices, say `--allow-private-keys`"
                raise ArtifactError(
                    Rule.WRITE_PRIVATE_KEY, message, hint=hint, where=Where(str(path))
                )


def _files(source: Path) -> Iterator[Path]:
    if not source.is_dir():
        yield source
        return
    try:
        paths = sorted(source.rglob("*"))
    except OSError as error:
        raise unreadable(source, error) from error
    yield from (path for path in paths if path.is_file() and not path.is_symlink())
