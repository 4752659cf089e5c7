"""Finds the artifact that a plan names: by path, or by name in a directory of artifacts.

Laws:
1. A text with a `/`, or that ends with `.mender`, is a path relative to `base`; anything else is a
   name, and is only compared, never made into a path.
2. A name that two different artifacts of the directory have finds neither.
"""

from __future__ import annotations

import difflib
from pathlib import Path

from orchestrator.artifact.errors import ArtifactError, Rule
from orchestrator.artifact.model import Artifact
from orchestrator.artifact.reader import read_artifact
from orchestrator.errors import Where

SUFFIX = ".mender"
REPOSITORY = "artifacts"


def find(name_or_path: str, *, base: Path, repository: Path | None = None) -> Path:
    """The file of an artifact; to be read (and verified) by the caller.

    Cost: nothing for a path; for a name, all artifacts of the directory are read.

    Args:
        name_or_path: as in a plan's `artifact:`.
        base: the directory of the plan file.
        repository: directory with artifacts, `artifacts` below `base` unless given.

    Raises:
        ArtifactError: there is none, or more than one of that name.
    """
    if "/" in name_or_path or name_or_path.endswith(SUFFIX):
        return _by_path(name_or_path, base)
    folder = base / REPOSITORY if repository is None else repository
    found, others = _scan(name_or_path, folder)
    digests = {artifact.sha256 for artifact in found.values()}
    if len(digests) > 1:
        names = ", ".join(f"`{path.name}`" for path in sorted(found))
        message = f"`{folder}` has {len(digests)} different artifacts named `{name_or_path}`"
        hint = f"give the path of one of them: {names}"
        raise ArtifactError(Rule.AMBIGUOUS, message, hint=hint, where=Where(str(folder)))
    if not found:
        close = difflib.get_close_matches(name_or_path, others, n=1)
        hint = f"did you mean `{close[0]}`?" if close else "give a name there, or a path"
        message = f"no artifact named {name_or_path!a} in `{folder}`"
        raise ArtifactError(Rule.NOT_FOUND, message, hint=hint, where=Where(str(folder)))
    return min(found)


def _by_path(text: str, base: Path) -> Path:
    path = base / text
    if "\x00" in text or not path.is_file():
        message = f"there is no artifact {text!a}"
        hint = f"paths are relative to `{base}`"
        raise ArtifactError(Rule.NOT_FOUND, message, hint=hint, where=Where(str(path)))
    return path


def _scan(name: str, folder: Path) -> tuple[dict[Path, Artifact], list[str]]:
    found: dict[Path, Artifact] = {}
    others = []
    for path in sorted(folder.glob(f"*{SUFFIX}")):
        try:
            artifact = read_artifact(path)
        except ArtifactError:
            if path.name == name + SUFFIX:
                raise  # most likely the one that is meant: say what is wrong with it
            continue
        if artifact.name == name:
            found[path] = artifact
        else:
            others.append(artifact.name)
    return found, others
