"""A signed commit of git: its signature over its own bytes, and the files that it names.

Laws:
1. A commit's signature is an SSH signature in the namespace `git` over the commit without the
   header that holds it. Another kind (OpenPGP, X.509) is not read, and so never counts.
2. It counts by the signers of now: a signer that ran out or was revoked since counts no more, as
   the time in a commit is the signer's own word.
3. The commit names its tree and the tree its files by hash, so the signature covers their bytes.

Source: git, "signature-format" (gpgsig, gpgsig-sha256) and "tree objects".
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath

from orchestrator.errors import TrustError
from orchestrator.trust.allowed import AllowedSigner
from orchestrator.trust.errors import TrustRule, refuse
from orchestrator.trust.revoked import Revoked
from orchestrator.trust.sshsig import signer_of

NAMESPACE = "git"
LINK, TREE = "120000", "40000"
_SIGNATURE_HEADERS = {40: b"gpgsig", 64: b"gpgsig-sha256"}  # by the length of the commit's name
_NAME_CHARACTERS = 12
_HINT = "sign it with an SSH key: `git -c gpg.format=ssh commit --amend -S`"

Read = Callable[[str, str], bytes]  # kind and name of an object to its bytes


@dataclass(frozen=True, slots=True)
class Entry:
    """What a tree holds under one name: `mode` as git writes it, `name` of the object."""

    mode: str
    name: str


@dataclass(frozen=True, slots=True)
class Commit:
    """A commit as it was read; nothing about it has been verified.

    Attributes:
        name: its hash.
        tree: the name of its files' tree.
        payload: what was signed.
        signature: the armoured signature; empty where there is none.
    """

    name: str
    tree: str
    payload: bytes
    signature: bytes


def read_commit(name: str, data: bytes) -> Commit:
    """A commit from its bytes.

    Raises:
        TrustError: it is no commit, or has more than one signature.
    """
    head, separator, message = data.partition(b"\n\n")
    headers: list[list[bytes]] = []
    for line in head.split(b"\n"):
        if line.startswith(b" ") and headers:
            headers[-1].append(line)
        else:
            headers.append([line])
    wanted = _SIGNATURE_HEADERS[len(name)]
    signed = [lines for lines in headers if _key(lines).startswith(b"gpgsig")]
    if not separator or _key(headers[0]) != b"tree" or len(signed) > 1:
        raise _wrong(TrustRule.GIT_OBJECT, name, "is not a commit with at most one signature")
    if signed and _key(signed[0]) != wanted:
        raise _wrong(TrustRule.GIT_OBJECT, name, "has a signature over another hash")
    payload = b"\n".join(line for lines in headers if lines not in signed for line in lines)
    signature = b""
    if signed:
        first, *more = signed[0]
        signature = b"\n".join([first[len(wanted) + 1 :], *(line[1:] for line in more)]) + b"\n"
    tree = headers[0][0].removeprefix(b"tree ").decode("ascii", "replace")
    return Commit(name, tree, payload + b"\n\n" + message, signature)


def signer_of_commit(
    commit: Commit, *, allowed: Iterable[AllowedSigner], revoked: Revoked, now: float
) -> AllowedSigner:
    """Who signed a commit.

    Raises:
        TrustError: nobody did, or nobody who counts now.
    """
    signature = commit.signature.rstrip(b"\n") + b"\n"
    if not commit.signature:
        raise _wrong(TrustRule.COMMIT_UNSIGNED, commit.name, "is not signed")
    if signature.startswith((b"-----BEGIN PGP", b"-----BEGIN SIGNED MESSAGE")):
        kind = "OpenPGP" if b" PGP " in signature.partition(b"\n")[0] else "X.509"
        why = f"has an {kind} signature, which is not read"
        raise _wrong(TrustRule.COMMIT_FOREIGN, commit.name, why)
    try:
        return signer_of(
            commit.payload, signature, NAMESPACE, allowed=allowed, revoked=revoked, now=now
        )
    except TrustError as error:
        if error.code == TrustRule.SIGNATURE_MISMATCH:
            why = "is signed by nobody who may sign commits"
            hint = 'the file of allowed signers names who may, with `namespaces="git"`'
            raise _wrong(TrustRule.COMMIT_SIGNER, commit.name, why, hint=hint) from error
        message = f"commit `{short(commit.name)}`: {error.message}"
        raise TrustError(message, hint=_HINT, code=error.code) from error


def read_tree(data: bytes, name_length: int) -> Mapping[str, Entry]:
    """The entries of a tree by file name; names that are not UTF-8 as the system decodes them.

    Raises:
        TrustError: it is no tree.
    """
    found: dict[str, Entry] = {}
    size = name_length // 2
    while data:
        head, separator, rest = data.partition(b"\0")
        mode, space, file = head.partition(b" ")
        if not (separator and space and file) or len(rest) < size:
            raise refuse(TrustRule.GIT_OBJECT, "a tree of git that cannot be read")
        text = file.decode("utf-8", "surrogateescape")
        found[text] = Entry(mode.decode("ascii", "replace"), rest[:size].hex())
        data = rest[size:]
    return found


class Files:
    """The files of a commit; each tree is read once."""

    def __init__(self, commit: Commit, read: Read) -> None:
        self._commit = commit
        self._read = read
        self._trees: dict[str, Mapping[str, Entry]] = {}

    def entry(self, path: PurePosixPath) -> Entry | None:
        """What stands at a path below the root; None for nothing.

        Raises:
            TrustError: a tree cannot be read.
        """
        found: Entry | None = Entry(TREE, self._commit.tree)
        for part in path.parts:
            if found is None or found.mode != TREE:
                return None
            found = self._tree(found.name).get(part)
        return found

    def below(self, path: PurePosixPath) -> Iterable[PurePosixPath]:
        """Every file and link below a path, or the one that it is.

        Raises:
            TrustError: a tree cannot be read.
        """
        found = self.entry(path)
        if found is not None and found.mode != TREE:
            yield path
        if found is None or found.mode != TREE:
            return
        for name in self._tree(found.name):
            yield from self.below(path / name)

    def _tree(self, name: str) -> Mapping[str, Entry]:
        if name not in self._trees:
            self._trees[name] = read_tree(self._read("tree", name), len(name))
        return self._trees[name]


def short(name: str) -> str:
    """A commit's name for people."""
    return name[:_NAME_CHARACTERS]


def _key(lines: list[bytes]) -> bytes:
    return lines[0].partition(b" ")[0]


def _wrong(rule: TrustRule, name: str, why: str, *, hint: str = _HINT) -> TrustError:
    return refuse(rule, f"commit `{short(name)}` {why}", hint=hint)
