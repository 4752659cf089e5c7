"""Reading a git repository that others may have written: objects alone, by one hardened program.

Laws:
1. Only `rev-parse` and `cat-file` run, by words and never by a shell, with an environment made
   here: no hook, filter, helper, replacement or fetch of the repository takes part.
2. An object is what its name says: its bytes are hashed here again.
3. What git refuses (a repository of another user among it) is refused here.
"""

from __future__ import annotations

import hashlib
import os
import subprocess
from dataclasses import dataclass
from pathlib import Path

from orchestrator.errors import TrustError
from orchestrator.trust.errors import TrustRule, refuse

GIT_S = 30.0
OBJECT_BYTES_MAX = 64 * 1024 * 1024
_SAID_CHARACTERS_MAX = 200
_ENVIRONMENT = {
    "LC_ALL": "C",
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_NO_REPLACE_OBJECTS": "1",
    "GIT_NO_LAZY_FETCH": "1",
    "GIT_ALLOW_PROTOCOL": "none",
    "GIT_OPTIONAL_LOCKS": "0",
    "GIT_TERMINAL_PROMPT": "0",
}
_OPTIONS = (
    "--no-pager", "-c", "core.fsmonitor=false", "-c", f"core.hooksPath={os.devnull}",
    "-c", "protocol.allow=never",
)  # fmt: skip
_HASHES = {40: "sha1", 64: "sha256"}  # by the length of a name


@dataclass(frozen=True, slots=True)
class Repository:
    """A repository with the work tree `root`, resolved."""

    root: Path

    def head(self) -> str:
        """The name of the commit that is checked out.

        Raises:
            TrustError: there is none, or git is missing.
        """
        words = ("rev-parse", "--verify", "--end-of-options", "HEAD^{commit}")
        return _git(self.root, words).decode("ascii", "replace").strip()

    def read(self, kind: str, name: str) -> bytes:
        """The bytes of an object.

        Args:
            kind: commit, tree or blob.
            name: its whole name.

        Raises:
            TrustError: it is not there, is another, or is too large.
        """
        if len(name) not in _HASHES or not set(name) <= set("0123456789abcdef"):
            raise refuse(TrustRule.GIT_OBJECT, "a text that names no object of git")
        size = _git(self.root, ("cat-file", "-s", name)).strip()
        if not size.isdigit() or int(size) > OBJECT_BYTES_MAX:
            message = f"object `{name}` of git is larger than {OBJECT_BYTES_MAX // 2**20} MiB"
            raise refuse(TrustRule.GIT_OBJECT, message)
        data = _git(self.root, ("cat-file", kind, name))
        if object_name(kind, data, len(name)) != name:
            message = f"object `{name}` of git is damaged, or not what its name says"
            raise refuse(TrustRule.GIT_OBJECT, message, hint="look with `git fsck`")
        return data


def find_repository(path: Path) -> Repository:
    """The repository in whose work tree a file lies.

    Raises:
        TrustError: there is none, git refuses it, or git is missing.
    """
    place = path.resolve().parent
    root = next((up for up in (place, *place.parents) if (up / ".git").exists()), None)
    hint = "plans must be committed and signed here (`require_signed_commit`)"
    if root is None:
        message = f"`{path}` lies in no git repository"
        raise refuse(TrustRule.NO_REPOSITORY, message, hint=hint)
    try:
        told = _git(root, ("rev-parse", "--show-toplevel"))
    except TrustError as error:
        if error.code == TrustRule.GIT_OBJECT:
            raise refuse(TrustRule.NO_REPOSITORY, error.message, hint=hint) from error
        raise
    if os.fsdecode(told.removesuffix(b"\n")) != str(root):  # `core.worktree` leads elsewhere
        message = f"`{root}` is not the work tree of its git repository"
        raise refuse(TrustRule.NO_REPOSITORY, message, hint=hint)
    return Repository(root)


def object_name(kind: str, data: bytes, length: int) -> str:
    """The name of an object, in the hash of a repository whose names have this length."""
    made = hashlib.new(_HASHES[length], b"%s %d\0" % (kind.encode(), len(data)))
    made.update(data)
    return made.hexdigest()


def _git(root: Path, words: tuple[str, ...]) -> bytes:
    environment = {"PATH": os.environ.get("PATH", os.defpath), **_ENVIRONMENT}
    try:
        done = subprocess.run(  # noqa: S603  our words, and names that were checked
            ("git", *_OPTIONS, "-C", str(root), *words),  # noqa: S607  the operator's PATH
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=False,
            timeout=GIT_S,
        )
    except FileNotFoundError as error:
        hint = "install it where rollouts are started, or unset `require_signed_commit`"
        raise refuse(TrustRule.NO_GIT, "git is not installed", hint=hint) from error
    except (OSError, ValueError, subprocess.TimeoutExpired) as error:
        raise refuse(TrustRule.GIT_OBJECT, f"git did not answer: {error}") from error
    if done.returncode == 0:
        return done.stdout
    said = done.stderr.decode("utf-8", "replace").strip().splitlines() or ["it said nothing"]
    message = f"git refuses `{root}`: {ascii(said[0][:_SAID_CHARACTERS_MAX])[1:-1]}"
    raise refuse(TrustRule.GIT_OBJECT, message)
