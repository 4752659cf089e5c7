"""Which files lie in the repository of another one: whoever writes the one can write the other.

Laws:
1. All work trees of a repository are one place, and so is a repository that has this one as a
   submodule: what is committed there comes to lie in the other.
2. Links are followed: what counts is where a file lies. git is not asked, nor believed.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

_GIT, _POINTER, _COMMON = ".git", "gitdir: ", "commondir"
_BYTES_MAX = 4096


@dataclass(frozen=True, slots=True)
class WorkTree:
    """A work tree; `common` is the directory that all of its repository share."""

    root: Path
    common: Path

    def holds(self, file: Path) -> bool:
        """Whether a file lies in it, in another work tree of its repository, or in one around it."""
        real = file.resolve()
        if real.is_relative_to(self.root):
            return True
        other = work_tree_of(real)
        return other is not None and self.common.is_relative_to(other.common)


def work_tree_of(place: Path) -> WorkTree | None:
    """The nearest one that a file or directory lies in; None where it lies in none."""
    real = place.resolve()
    for root in (real, *real.parents):
        pointer = root / _GIT
        if _is_there(pointer):
            return WorkTree(root, _common(root, pointer))
    return None


def _common(root: Path, pointer: Path) -> Path:
    """`.git` itself, or where the file of that name leads (for a work tree or a submodule)."""
    if pointer.is_dir():
        return pointer.resolve()
    place = (root / _start(pointer).removeprefix(_POINTER)).resolve()
    shared = place / _COMMON
    return (place / _start(shared)).resolve() if shared.is_file() else place


def _is_there(path: Path) -> bool:
    try:
        return path.exists()
    except OSError:  # its directory is closed to us, and so is what it would say
        return False


def _start(path: Path) -> str:
    """The beginning of a file; nothing where it is closed to us."""
    try:
        with path.open("rb") as file:
            return file.read(_BYTES_MAX).decode("utf-8", "surrogateescape").rstrip("\n")
    except OSError:
        return ""
