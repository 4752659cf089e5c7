"""A checkout of git that a controller keeps at the commits of one branch.

Laws:
1. git runs by words and never by a shell, without hooks, file system monitors and submodules, and
   without what it would ask a person. Where it fetches it has the operator's own settings and keys;
   everywhere else neither those nor the network.
2. Nothing but file, ssh and https is spoken; an unknown host key is never accepted, objects are
   checked as they come.
3. What a commit would overwrite and is not in git (changed here, or ignored) stops it: above all
   the state store may lie there.
4. At its deadline, or when nobody waits any more, git and all that it started is ended. What is left
   half done by that, or by a power cut, is mended by the next one.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import signal
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from orchestrator.outward.failure import OutwardError

FETCH_S = 300.0  # a first fetch brings the whole history
LOCAL_S = 60.0
_OFFERED = "refs/rollout/offered"
_TAKING = "refs/rollout/taking"  # there while the work tree is brought to it
GRACE_S = 5.0  # in which git takes its locks away
_BRANCH = re.compile(r"[A-Za-z0-9_](?:[A-Za-z0-9._/-]*[A-Za-z0-9_-])?")
_OPTIONS = (
    "--no-pager", "-c", f"core.hooksPath={os.devnull}", "-c", "core.fsmonitor=false",
    "-c", "submodule.recurse=false", "-c", "gc.autoDetach=false", "-c", "fetch.fsckObjects=true",
    "-c", "advice.detachedHead=false", "-c", "protocol.allow=never",
)  # fmt: skip
_SPOKEN = tuple(
    word for name in ("file", "ssh", "https") for word in ("-c", f"protocol.{name}.allow=always")
)
_ALONE = {"GIT_CONFIG_NOSYSTEM": "1", "GIT_CONFIG_GLOBAL": os.devnull, "GIT_ALLOW_PROTOCOL": "none"}
_OPERATORS = (
    "HOME", "USER", "LOGNAME", "XDG_CONFIG_HOME", "SSH_AUTH_SOCK", "GIT_ASKPASS", "GIT_SSH_COMMAND",
    "GIT_SSL_CAINFO", "GIT_CONFIG_GLOBAL", "HTTPS_PROXY", "https_proxy", "NO_PROXY", "no_proxy",
)  # fmt: skip
_FAR = "Could not read from remote repository"
_SSH = "ssh -o BatchMode=yes -o StrictHostKeyChecking=yes"


@dataclass(frozen=True, slots=True)
class Checkout:
    """A work tree in `root` whose remote `origin` has the branch."""

    root: Path
    branch: str

    async def prepare(self, url: str) -> str:
        """Makes the work tree where there is none; gives the address of its origin, to be shown.

        Args:
            url: the repository to follow; empty: the origin that the work tree has.

        Raises:
            OutwardError: the address or the branch is none, or git refuses.
        """
        if not _BRANCH.fullmatch(self.branch) or ".." in self.branch or "//" in self.branch:
            message = f"`{self.branch}` is no name of a branch"
            raise OutwardError(message)
        if url and not (self.root / ".git").exists():
            _refuse_address(url)
            await asyncio.to_thread(self.root.mkdir, mode=0o700, parents=True, exist_ok=True)
            await self._git("init", "--quiet")
            await self._git("remote", "add", "--", "origin", url)
        code, out, _ = await self._run("remote", "get-url", "origin")
        if code != 0:
            message = f"`{self.root}` has no remote `origin` that could be followed"
            if url:  # it was made here, and what it is made of is elsewhere
                message += "; it is damaged: remove it, and it is made anew"
            raise OutwardError(message)
        origin = out.strip()
        _refuse_address(origin)
        if url and origin != url:
            message = f"`{self.root}` is a checkout of `{shown_address(origin)}`"
            raise OutwardError(message)
        return shown_address(origin)

    async def fetch(self) -> str:
        """The commit that the branch names now, with its history.

        Raises:
            OutwardError: the repository cannot be reached, or has no such branch.
        """
        await self._git(
            "fetch", "--quiet", "--no-tags", "--no-recurse-submodules", "--no-write-fetch-head",
            "origin", f"+refs/heads/{self.branch}:{_OFFERED}", fetching=True,
        )  # fmt: skip
        return (await self._git("rev-parse", "--verify", f"{_OFFERED}^{{commit}}")).strip()

    async def descends(self, commit: str, ancestor: str) -> bool:
        """Whether a commit has another one among its ancestors, as far as the repository knows.

        Raises:
            OutwardError: git refuses.
        """
        if not await self.has(ancestor):
            return False
        code, _, said = await self._run("merge-base", "--is-ancestor", ancestor, commit)
        if code not in (0, 1):
            raise _refused(said)
        return code == 0

    async def has(self, commit: str) -> bool:
        """Whether the repository holds a commit."""
        code, _, _ = await self._run("cat-file", "-e", f"{commit}^{{commit}}")
        return code == 0

    async def take(self, commit: str) -> None:
        """Brings the work tree to a commit.

        Raises:
            OutwardError: something that is not in git is in the way, or git refuses.
        """
        await self._git("update-ref", _TAKING, commit)
        code, _, said = await self._run(
            "checkout", "--quiet", "--detach", "--no-overwrite-ignore", commit, "--"
        )
        await self._git("update-ref", "-d", _TAKING)  # git looks for what is in the way first
        if code != 0:
            raise _refused(said)

    async def mend(self) -> None:
        """Ends what was interrupted while a commit was taken: the tree is half of it by then.

        Raises:
            OutwardError: git refuses.
        """
        code, out, _ = await self._run("rev-parse", "--verify", "--quiet", f"{_TAKING}^{{commit}}")
        if code != 0:
            return
        for name in ("index.lock", "HEAD.lock"):  # of the git that was killed
            await asyncio.to_thread((self.root / ".git" / name).unlink, missing_ok=True)
        await self._git("reset", "--quiet", "--hard", out.strip(), "--")
        await self._git("update-ref", "-d", _TAKING)

    async def at(self) -> str:
        """The commit that is checked out; empty before the first."""
        code, out, _ = await self._run("rev-parse", "--verify", "--quiet", "HEAD^{commit}")
        return out.strip() if code == 0 else ""

    async def changed(self) -> tuple[str, ...]:
        """What differs from the commit that is checked out, or is new and not ignored.

        Raises:
            OutwardError: git refuses.
        """
        found = await self._git("status", "--porcelain", "--untracked-files=normal")
        return tuple(line[3:] for line in found.splitlines())

    async def _git(self, *words: str, fetching: bool = False) -> str:
        code, out, said = await self._run(*words, fetching=fetching)
        if code != 0:
            raise _refused(said)
        return out

    async def _run(self, *words: str, fetching: bool = False) -> tuple[int, str, str]:
        spoken = (*_OPTIONS, *(_SPOKEN if fetching else ()), "-C", str(self.root), *words)
        deadline_s = FETCH_S if fetching else LOCAL_S
        try:
            async with asyncio.timeout(deadline_s):
                return await _run(spoken, self._environment(fetching=fetching))
        except TimeoutError as error:
            message = f"git ran out of time ({deadline_s:g} s)"
            raise OutwardError(message) from error
        except FileNotFoundError as error:
            message = "git is not installed"
            raise OutwardError(message) from error

    def _environment(self, *, fetching: bool) -> Mapping[str, str]:
        """Of git; where the work tree is damaged it must not find another one that it lies in."""
        base = {
            "PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C",
            "GIT_TERMINAL_PROMPT": "0", "GIT_NO_REPLACE_OBJECTS": "1",
            "GIT_CEILING_DIRECTORIES": str(self.root.parent),
        }  # fmt: skip
        if not fetching:
            return {**base, **_ALONE}
        given = {name: os.environ[name] for name in _OPERATORS if name in os.environ}
        return {**base, "GIT_SSH_COMMAND": _SSH, **given}


def shown_address(url: str) -> str:
    """An address of a repository without what may be secret in it."""
    scheme, mark, rest = url.partition("://")
    if not mark:
        return url
    host, slash, path = rest.partition("/")
    login, at, server = host.rpartition("@")
    user = login.partition(":")[0] + at if scheme.lower() == "ssh" else ""
    path = re.split(r"[?#]", path)[0]
    return f"{scheme}://{user}{server}{slash}{path}"


def _refuse_address(url: str) -> None:
    """Refuses an address that is an option, or that holds a secret that every process could read."""
    if not url or url.startswith("-"):
        message = f"`{url}` is no address of a repository"
        raise OutwardError(message)
    login = re.match(r"(\w+)://([^/]*)@", url)
    if login is not None and (login[1] != "ssh" or ":" in login[2]):
        message = (
            f"the address of `{shown_address(url)}` holds a login: leave it to a credential helper"
        )
        raise OutwardError(message)
    if re.match(r"https?://[^?#]*[?#]", url, re.IGNORECASE):
        message = (
            f"the address `{shown_address(url)}` goes on with `?` or `#`, where tokens stand: "
            "leave them to a credential helper"
        )
        raise OutwardError(message)


async def _run(words: tuple[str, ...], environment: Mapping[str, str]) -> tuple[int, str, str]:
    process = await asyncio.create_subprocess_exec(
        "git", *words, stdin=DEVNULL, stdout=PIPE, stderr=PIPE, env=environment,
        start_new_session=True,
    )  # fmt: skip
    try:
        out, said = await process.communicate()
    finally:
        await _end(process)
    code = process.returncode
    return -1 if code is None else code, os.fsdecode(out), said.decode("utf-8", "replace")


async def _end(process: Process) -> None:
    """Ends it with all that it started, where it still runs."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        if process.returncode is not None:
            return
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, number)
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(process.wait(), GRACE_S)


def _refused(said: str) -> OutwardError:
    """What git says, in one line: the reason, not the advice that follows it.

    Where the way to the server is the trouble git says no more than that, and ssh, before it, why.
    """
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    begin = ("fatal:", "error:")
    at = next((at for at, line in enumerate(lines) if line.startswith(begin)), 0)
    told = lines[at] if lines else "it said nothing"
    if at and _FAR in told:
        told = lines[at - 1].rstrip(".")
    return OutwardError(f"git: {told}")
