"""Attacks on signed commits: what git can be made to show, and where else a repository lies."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from orchestrator.errors import ExitCode, TrustError
from tests.unit.api.test_commits import Place, change, place
from tests.unit.trust.git_repository import GitRepository

__all__ = ["place"]  # a fixture


def _changed_by(place: Place, signer: str) -> tuple[str, str]:
    """A good commit, and one of somebody else after it."""
    first = place.commit()
    change("site.yml")(place)
    return first, place.commit(signer)


def _replaced(place: Place) -> None:
    good, bad = _changed_by(place, "bob")
    place.git("replace", bad, good)


def _grafted(place: Place) -> None:
    good, bad = _changed_by(place, "bob")
    (place.root / ".git/info").mkdir(exist_ok=True)
    (place.root / ".git/info/grafts").write_text(f"{bad} {good}\n")
    (place.root / ".git/shallow").write_text(f"{bad}\n")


def _branch_called_head(place: Place) -> None:
    good, _ = _changed_by(place, "bob")
    for name in ("refs/heads/HEAD", "refs/tags/HEAD"):
        place.git("update-ref", name, good)


def _amended(place: Place) -> None:
    place.commit()
    change("site.yml")(place)
    place.git("commit", "-q", "-a", "--amend", "-m", "a")


def _branched(place: Place) -> None:
    place.commit()
    place.git("checkout", "-q", "-b", "other")
    change("site.yml")(place)
    place.commit("bob")
    place.git("checkout", "-q", "main")
    (place.root / "README.md").write_text("a")
    place.commit()


def _merged(place: Place) -> None:
    _branched(place)
    place.git("merge", "-q", "--no-ff", "-m", "a", "other")


def _tree_replaced(place: Place) -> None:
    place.commit()
    change("site.yml")(place)
    place.git("add", "-A")
    place.git("replace", place.git("rev-parse", "HEAD^{tree}"), place.git("write-tree"))


def _filtered(place: Place) -> None:
    """A filter that would clean the change away, and tell that it ran."""
    (place.root / ".gitattributes").write_text("*.yml filter=clean\n")
    place.commit()
    ran = place.outside / "ran"
    place.git("config", "filter.clean.clean", f"touch {ran}; sed /changed/d")
    change("site.yml")(place)


def _configured(place: Place) -> None:
    place.commit()
    (place.root / "ansible.cfg").write_text("[defaults]\nremote_user = root\n")


ATTACKS: dict[str, tuple[Callable[[Place], None], str]] = {
    "replaced": (_replaced, "T185"),
    "grafted": (_grafted, "T185"),
    "branch called HEAD": (_branch_called_head, "T185"),
    "amended": (_amended, "T184"),
    "merged without a signature": (_merged, "T184"),
    "tree replaced": (_tree_replaced, "T183"),
    "filtered": (_filtered, "T183"),
    "ansible.cfg": (_configured, "T183"),
}


@pytest.mark.parametrize("attack", ATTACKS)
async def test_git_cannot_be_made_to_show_a_commit_that_nobody_signed(
    place: Place, attack: str
) -> None:
    spoil, code = ATTACKS[attack]
    spoil(place)

    assert (await place.refused()).code == code
    assert not (place.outside / "ran").exists()


async def test_signed_merge_answers_for_what_it_merges(place: Place) -> None:
    _branched(place)
    key = ("-c", "gpg.format=ssh", "-c", f"user.signingkey={place.keys.path('ann')}")
    place.git(*key, "merge", "-q", "--no-ff", "-S", "-m", "a", "other")

    assert (await place.apply()).exit_code is ExitCode.WAITING


# -- where a repository lies ------------------------------------------------------------------------


async def test_authorities_for_hosts_are_never_said_by_the_repository_of_the_plan(
    place: Place,
) -> None:
    """Whoever names the file; pins in it say no more than those of an inventory."""
    known = place.root / "known_hosts"
    known.write_text(f"web1 {place.keys.public('bob')}\n")
    place.commit()
    place.settings = replace(place.settings, require_signed_commit=False, known_hosts=(known,))
    await place.prepare()
    known.write_text(f"@cert-authority * {place.keys.public('bob')}\n")

    with pytest.raises(TrustError, match="would choose whom to trust") as caught:
        await place.prepare()

    assert caught.value.code == "T187"


async def test_another_work_tree_of_the_repository_is_the_repository(place: Place) -> None:
    """What is committed beside the plan is checked out there, too."""
    inside = place.root / "allowed_signers"
    inside.write_text(place.allowed.read_text())
    place.commit()
    second = place.root.parent / "second"
    place.git("worktree", "add", "-q", "-b", "second", str(second))
    (second / "site.mender").write_bytes((place.root / "site.mender").read_bytes())
    place.root = second
    place.settings = replace(place.settings, root=second, inventory=(str(second / "inventory"),))
    assert (await place.apply()).exit_code is ExitCode.WAITING

    for file in (inside, second / "allowed_signers"):
        place.settings = replace(place.settings, allowed_signers=file)
        with pytest.raises(TrustError) as caught:
            await place.prepare()
        assert caught.value.code == "T187"


async def test_repository_around_a_submodule_chooses_no_signers_for_it(place: Place) -> None:
    place.commit()
    outer = GitRepository(_made(place.root.parent / "around"))
    allow = ("-c", "protocol.file.allow=always")
    outer.git(*allow, "submodule", "--quiet", "add", str(place.root), "plans")
    (outer.root / "signers").write_text(place.allowed.read_text())
    plans = outer.root / "plans"
    place.root = plans
    place.settings = replace(
        place.settings, root=plans, allowed_signers=outer.root / "signers",
    )  # fmt: skip

    with pytest.raises(TrustError) as caught:
        await place.prepare()

    assert caught.value.code == "T187"


def _made(directory: Path) -> Path:
    directory.mkdir()
    return directory
