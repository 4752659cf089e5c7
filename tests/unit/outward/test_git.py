"""A checkout that follows a branch: what git is asked, and what it must not do."""

from __future__ import annotations

import asyncio
import os
import shutil
from pathlib import Path

import pytest

from orchestrator.outward.failure import OutwardError
from orchestrator.outward.git import Checkout, shown_address
from tests.unit.trust.git_repository import GitRepository


@pytest.fixture
def origin(tmp_path: Path) -> GitRepository:
    found = GitRepository(tmp_path)
    (found.root / "a.yml").write_text("a\n")
    found.commit(sign=False)
    return found


async def checkout(origin: GitRepository, name: str = "here") -> Checkout:
    found = Checkout(origin.outside / name, "main")
    await found.prepare(f"file://{origin.root}")
    await found.take(await found.fetch())
    return found


async def test_branch_is_fetched_and_taken(origin: GitRepository) -> None:
    here = await checkout(origin)
    first = await here.at()
    (origin.root / "a.yml").write_text("b\n")
    second = origin.commit(sign=False)

    offered = await here.fetch()
    before = (here.root / "a.yml").read_text()
    await here.take(offered)

    assert (offered, await here.at()) == (second, second)
    assert (before, (here.root / "a.yml").read_text()) == ("a\n", "b\n")
    assert await here.descends(second, first)
    assert not await here.descends(first, second)
    assert not await here.descends(second, "0" * 40)


async def test_file_that_is_ignored_here_is_never_overwritten(origin: GitRepository) -> None:
    """A commit that brings a file of that name would otherwise replace the state store."""
    (origin.root / ".gitignore").write_text("state.db\n")
    origin.commit(sign=False)
    here = await checkout(origin)
    (here.root / "state.db").write_text("mine")
    (origin.root / "state.db").write_text("theirs")
    origin.git("add", "-f", "state.db")
    origin.commit(sign=False)

    with pytest.raises(OutwardError, match=r"state\.db|would be overwritten"):
        await here.take(await here.fetch())

    assert (here.root / "state.db").read_text() == "mine"
    assert await here.changed() == ()


async def test_commit_that_was_taken_by_half_is_taken_by_the_next_one(
    origin: GitRepository,
) -> None:
    """A power cut in the middle: some files are new, the index is not, and its lock lies there."""
    here = await checkout(origin)
    (origin.root / "a.yml").write_text("b\n")
    (origin.root / "new.yml").write_text("new\n")
    second = origin.commit(sign=False)
    await here.fetch()
    origin.git("-C", str(here.root), "update-ref", "refs/rollout/taking", second)
    (here.root / "new.yml").write_text("new\n")
    (here.root / ".git/index.lock").touch()

    await here.mend()

    assert (await here.at(), await here.changed()) == (second, ())
    assert (here.root / "a.yml").read_text() == "b\n"
    (here.root / "a.yml").write_text("mine\n")
    await here.mend()
    assert await here.changed() == ("a.yml",)


async def test_commit_that_could_not_be_taken_leaves_nothing_to_mend(origin: GitRepository) -> None:
    here = await checkout(origin)
    (here.root / "a.yml").write_text("mine\n")
    (origin.root / "a.yml").write_text("b\n")
    origin.commit(sign=False)

    with pytest.raises(OutwardError, match="would be overwritten"):
        await here.take(await here.fetch())
    await here.mend()

    assert (here.root / "a.yml").read_text() == "mine\n"


async def test_what_differs_from_git_is_named(origin: GitRepository) -> None:
    here = await checkout(origin)
    (here.root / "a.yml").write_text("other\n")
    (here.root / "new.yml").write_text("new\n")

    assert await here.changed() == ("a.yml", "new.yml")


async def test_hooks_of_the_checkout_do_not_run(origin: GitRepository) -> None:
    here = await checkout(origin)
    hook = here.root / ".git/hooks/post-checkout"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text(f"#!/bin/sh\ntouch {origin.outside}/ran\n")
    hook.chmod(0o755)
    (origin.root / "a.yml").write_text("b\n")
    origin.commit(sign=False)

    await here.take(await here.fetch())

    assert not (origin.outside / "ran").exists()


async def test_other_protocols_are_not_spoken(origin: GitRepository) -> None:
    here = Checkout(origin.outside / "here", "main")
    await here.prepare(f"ext::sh -c touch% {origin.outside}/ran")

    with pytest.raises(OutwardError, match="not allowed"):
        await here.fetch()

    assert not (origin.outside / "ran").exists()


async def test_checkout_of_another_repository_is_refused(origin: GitRepository) -> None:
    await checkout(origin)

    with pytest.raises(OutwardError, match="is a checkout of"):
        await Checkout(origin.outside / "here", "main").prepare("https://git.example.net/x.git")


async def test_damaged_checkout_leaves_the_repository_that_it_lies_in_alone(
    origin: GitRepository,
) -> None:
    """A controller mostly has its checkout in a project, often a clone of the same repository."""
    outer = await checkout(origin, "outer")
    mine = await outer.at()
    inner = await checkout(origin, "outer/.rollout/checkout")
    shutil.rmtree(inner.root / ".git" / "objects")
    (origin.root / "a.yml").write_text("b\n")
    origin.commit(sign=False)

    with pytest.raises(OutwardError, match="remove it, and it is made anew"):
        await checkout(origin, "outer/.rollout/checkout")
    with pytest.raises(OutwardError):
        await inner.fetch()

    assert await outer.at() == mine
    shutil.rmtree(inner.root)
    assert await (await checkout(origin, "outer/.rollout/checkout")).at() != mine


async def test_fetch_that_nobody_waits_for_ends_with_all_it_started(
    origin: GitRepository, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = origin.outside / "told"
    os.mkfifo(told)
    monkeypatch.setenv("GIT_SSH_COMMAND", f"sh -c 'exec 9> {told}; echo up >&9; cat /dev/zero'")
    here = Checkout(origin.outside / "here", "main")
    await here.prepare("ssh://127.0.0.1/fleet.git")
    work = asyncio.create_task(here.fetch())

    with await asyncio.to_thread(told.open) as pipe:
        begun = await asyncio.to_thread(pipe.readline)
        work.cancel()
        await asyncio.gather(work, return_exceptions=True)
        rest = await asyncio.wait_for(asyncio.to_thread(pipe.read), 30)  # ends with its last writer

    assert (begun, rest) == ("up\n", "")


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("https://git.example.net/a.git", "https://git.example.net/a.git"),
        ("https://tok:en@git.example.net/a.git?key=1", "https://git.example.net/a.git"),
        ("ssh://git@git.example.net:22/a.git", "ssh://git@git.example.net:22/a.git"),
        ("/srv/a.git", "/srv/a.git"),
    ],
)
def test_address_is_shown_without_secrets(url, shown) -> None:
    assert shown_address(url) == shown


@pytest.mark.parametrize(
    ("ssh", "said"),
    [
        (
            "ssh: connect to host git.example.net port 22: Connection refused",
            "git: ssh: connect to host git.example.net port 22: Connection refused",
        ),
        (
            "@@@@@@@@@@@@@\nHost key verification failed.",
            "git: Host key verification failed",
        ),
        ("", "git: fatal: Could not read from remote repository."),
    ],
)  # fmt: skip
async def test_why_a_server_is_out_of_reach_is_what_ssh_says(
    origin: GitRepository, monkeypatch: pytest.MonkeyPatch, ssh: str, said: str
) -> None:
    """git itself says only that it could not read, and who may have what rights."""
    program = origin.outside / "ssh"
    program.write_text(f"#!/bin/sh\nprintf '%s\\n' '{ssh}' >&2\nexit 255\n")
    program.chmod(0o755)
    monkeypatch.setenv("GIT_SSH_COMMAND", str(program))
    there = Checkout(origin.outside / "here", "main")
    await there.prepare("ssh://git@git.example.net/fleet.git")

    with pytest.raises(OutwardError) as caught:
        await there.fetch()

    assert str(caught.value) == said
