"""Rollouts from signed commits alone: what starts, what does not, and what stays as it was."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from orchestrator import api
from orchestrator.api.stores import open_state
from orchestrator.api.values import Nobody
from orchestrator.errors import ExitCode, OrchestratorError, TrustError
from orchestrator.plan.digest import to_json
from orchestrator.plan.envelope import to_saved
from orchestrator.rollout.events import Ask
from orchestrator.rollout.machine import Rollout
from tests.unit.trust.git_repository import GitRepository

PLAN = """\
schema: 1
name: site
hosts: webs
artifact: ./site.mender
waves: [1, rest]
start_at: "2099-01-01T00:00:00Z"
gates: [{name: well, check: site, success_when: result.exit == 0}]
"""


class Place(GitRepository):
    """A project in a repository, with an inventory of all forms, and an artifact that git ignores."""

    def __init__(self, directory: Path) -> None:
        super().__init__(directory)
        root = self.root
        (root / "inventory" / "group_vars").mkdir(parents=True)
        (root / "inventory" / "hosts.yml").write_text("webs: {hosts: {web1: {}, web2: {}}}\n")
        (root / "inventory" / "group_vars" / "webs.yml").write_text("labels: {site: here}\n")
        (root / "rollout.toml").write_text('inventory = ["inventory"]\n')
        (root / ".gitignore").write_text("*.mender\nsecret.yml\n.rollout/\n")
        (root / "site.yml").write_text(PLAN)
        (directory / "tree").mkdir()
        (directory / "tree" / "index.html").write_text("hello")
        api.key_generate(self.outside / "release.key")
        api.artifact_build(
            api.BuildRequest(
                kind="directory", out=root / "site.mender", name="site-1.0", device_types=("web",),
                source=directory / "tree", dest="/opt/site", sign_key=self.outside / "release.key",
            )
        )  # fmt: skip
        self.settings = api.Settings(
            root=root, state=str(self.outside / "state.db"), inventory=(str(root / "inventory"),),
            allowed_signers=self.allowed, require_signed_commit=True,
        )  # fmt: skip

    async def prepare(self, name: str = "site.yml") -> api.Prepared:
        return await api.prepare(self.settings, api.PlanRequest(self.root / name, offline=True))

    async def apply(self, name: str = "site.yml") -> api.Finished:
        prepared = await self.prepare(name)
        return await api.apply(self.settings, prepared, observer=Nobody(), drain=asyncio.Event())

    async def refused(self, name: str = "site.yml") -> OrchestratorError:
        """Why apply refuses; nothing may have been stored."""
        with pytest.raises(TrustError) as caught:
            await self.apply(name)
        assert await api.rollouts(self.settings) == ()
        assert caught.value.hint or caught.value.code == "T132"
        return caught.value


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


async def test_rollout_starts_from_a_signed_commit_and_names_it(place: Place) -> None:
    name = place.commit()

    finished = await place.apply()

    assert finished.exit_code is ExitCode.WAITING
    commit = finished.status.resolved.commit
    assert commit is not None
    assert (commit.id, commit.signer) == (name, "ann@corp")
    assert commit.key.startswith("SHA256:")
    first, *_ = [one async for one in api.journal(place.settings, None)]
    assert (first.type, first.data["commit"], first.data["signer"]) == (
        "rollout_started", name, "ann@corp",
    )  # fmt: skip


async def test_nothing_is_asked_of_git_where_it_is_not_required(place: Place) -> None:
    place.settings = replace(place.settings, require_signed_commit=False, allowed_signers=None)

    finished = await place.apply()

    assert finished.exit_code is ExitCode.WAITING
    assert finished.status.resolved.commit is None


def change(name: str) -> Callable[[Place], None]:
    def write(place: Place) -> None:
        with (place.root / name).open("a") as file:
            file.write("# changed\n")

    return write


def new(name: str) -> Callable[[Place], None]:
    def write(place: Place) -> None:
        (place.root / name).parent.mkdir(parents=True, exist_ok=True)
        (place.root / name).write_text("labels: {site: there}\n")

    return write


def _removed(place: Place) -> None:
    (place.root / "inventory" / "group_vars" / "webs.yml").unlink()


def _hidden_from_git(place: Place) -> None:
    place.git("update-index", "--assume-unchanged", "site.yml")
    change("site.yml")(place)


def _linked_elsewhere(place: Place) -> None:
    (place.root / "inventory" / "link.yml").unlink()
    (place.root / "inventory" / "link.yml").symlink_to("../more/two.yml")


DIRTY = {
    "plan": (change("site.yml"), "`site.yml` was changed"),
    "inventory": (change("inventory/hosts.yml"), "`inventory/hosts.yml` was changed"),
    "group_vars": (
        change("inventory/group_vars/webs.yml"), "`inventory/group_vars/webs.yml` was changed",
    ),
    "configuration": (change("rollout.toml"), "`rollout.toml` was changed"),
    "new variables": (
        new("inventory/host_vars/web1.yml"), "`inventory/host_vars/web1.yml` is not committed",
    ),
    "ignored by git": (
        new("inventory/group_vars/all/secret.yml"),
        "`inventory/group_vars/all/secret.yml` is not committed",
    ),
    "removed": (_removed, "`inventory/group_vars/webs.yml` was removed"),
    "hidden from git": (_hidden_from_git, "`site.yml` was changed"),
    "link": (_linked_elsewhere, "`inventory/link.yml` was changed"),
}  # fmt: skip


@pytest.mark.parametrize("case", DIRTY)
async def test_file_that_is_not_as_committed_is_refused_by_name(place: Place, case: str) -> None:
    (place.root / "more").mkdir()
    for name in ("one", "two"):
        (place.root / "more" / f"{name}.yml").write_text(f"{name}: {{hosts: {{web1: {{}}}}}}\n")
    (place.root / "inventory" / "link.yml").symlink_to("../more/one.yml")
    place.commit()
    spoil, said = DIRTY[case]
    spoil(place)

    error = await place.refused()

    assert error.code == "T183"
    assert error.message.endswith(f": {said}")


async def test_file_that_nothing_reads_may_be_changed(place: Place) -> None:
    (place.root / "README.md").write_text("a")
    place.commit()
    (place.root / "README.md").write_text("b")
    (place.root / "notes").write_text("c")

    assert (await place.apply()).exit_code is ExitCode.WAITING


async def test_inventory_outside_the_repository_is_refused(place: Place) -> None:
    place.commit()
    (place.outside / "hosts.yml").write_text("webs: {hosts: {web9: {}}}\n")
    place.settings = replace(place.settings, inventory=(str(place.outside / "hosts.yml"),))

    error = await place.refused()

    assert error.code == "T183"
    assert "hosts.yml` lies outside the repository" in error.message


async def test_plan_that_is_not_committed_is_refused(place: Place) -> None:
    place.commit()
    (place.root / "other.yml").write_text(PLAN)

    assert (await place.refused("other.yml")).code == "T182"


async def test_repository_without_a_commit_is_refused(place: Place) -> None:
    assert (await place.refused()).code == "T182"


async def test_plan_in_no_repository_is_refused(place: Place) -> None:
    (place.root / ".git").rename(place.root / "git")

    assert (await place.refused()).code == "T181"


async def test_git_that_is_not_installed_is_said(place: Place, monkeypatch) -> None:
    place.commit()
    monkeypatch.setenv("PATH", str(place.outside))

    assert (await place.refused()).code == "T180"


async def test_signatures_that_do_not_count_have_a_code_each(place: Place) -> None:
    place.commit(sign=False)
    assert (await place.refused()).code == "T184"
    place.commit("bob")
    assert (await place.refused()).code == "T185"
    place.commit_with("-----BEGIN PGP SIGNATURE-----\n\nabcd\n-----END PGP SIGNATURE-----")
    assert (await place.refused()).code == "T186"
    signature = place.keys.sign("ann", place.unsigned().encode(), "file").decode()
    place.commit_with(signature)
    assert (await place.refused()).code == "T131"
    place.commit()
    revoked = place.outside / "revoked"
    revoked.write_text(f"{place.keys.public('ann')}\n")
    place.settings = replace(place.settings, revoked_signers=revoked)
    assert (await place.refused()).code == "T132"


async def test_signers_are_never_read_from_the_repository_of_the_plan(place: Place) -> None:
    inside = place.root / "allowed_signers"
    inside.write_text(place.allowed.read_text())
    place.commit()
    place.settings = replace(place.settings, allowed_signers=inside)

    assert (await place.refused()).code == "T187"


@pytest.mark.parametrize(
    "key", ["allowed_signers", "revoked_signers", "trust_root", "host_ca", "user_ca"]
)
async def test_whom_to_trust_is_never_said_by_the_repository_of_the_plan(
    place: Place, key: str
) -> None:
    """Also where commits need no signature."""
    place.commit()
    place.settings = replace(
        place.settings, require_signed_commit=False, **{key: place.root / "mine"}
    )

    with pytest.raises(TrustError, match="would choose whom to trust"):
        await place.prepare()


async def test_requirement_without_signers_refuses(place: Place) -> None:
    place.commit()
    place.settings = replace(place.settings, allowed_signers=None)

    assert (await place.refused()).code == "T133"


# -- saved plans ------------------------------------------------------------------------------------


async def test_saved_plan_carries_its_commit_and_starts_from_it(place: Place) -> None:
    name = place.commit()
    (place.outside / "site.plan").write_bytes((await place.prepare()).saved_file)

    prepared = await api.prepare(place.settings, api.PlanRequest(place.outside / "site.plan"))
    finished = await api.apply(place.settings, prepared, observer=Nobody(), drain=asyncio.Event())

    assert finished.status.resolved.commit is not None
    assert finished.status.resolved.commit.id == name


async def test_saved_plan_of_another_commit_or_of_none_is_refused(place: Place) -> None:
    place.commit()
    prepared = await place.prepare()
    without = replace(prepared.resolved, commit=None)
    place.commit()
    for data in (prepared.saved_file, to_saved(to_json(without))):
        (place.outside / "site.plan").write_bytes(data)
        found = await api.prepare(place.settings, api.PlanRequest(place.outside / "site.plan"))
        with pytest.raises(TrustError) as caught:
            await api.apply(place.settings, found, observer=Nobody(), drain=asyncio.Event())
        assert caught.value.code == "T182"


async def test_saved_plan_is_refused_once_a_file_has_changed(place: Place) -> None:
    place.commit()
    (place.outside / "site.plan").write_bytes((await place.prepare()).saved_file)
    change("rollout.toml")(place)
    found = await api.prepare(place.settings, api.PlanRequest(place.outside / "site.plan"))

    with pytest.raises(TrustError) as caught:
        api.refuse_uncommitted(place.settings, found)

    assert caught.value.code == "T183"


# -- stored rollouts --------------------------------------------------------------------------------


async def stored(place: Place, prepared: api.Prepared) -> str:
    """A rollout that another machine, or an intruder, has put into the store."""
    first = Rollout.start(prepared.resolved, "r-1", at=1.0, digest=prepared.digest).collect()
    async with open_state(place.settings) as store:
        return await store.start("r-1", to_json(prepared.resolved), first)


async def reconciled(place: Place) -> api.Reconciled:
    (found,) = await api.reconcile(place.settings, drain=asyncio.Event())
    return found


async def test_rollout_of_a_commit_that_was_checked_out_before_is_reconciled(place: Place) -> None:
    place.commit()
    await place.apply()
    change("site.yml")(place)
    place.commit()

    found = await reconciled(place)

    assert (found.error, found.exit_code) == ("", ExitCode.WAITING)


async def test_stored_rollout_without_a_commit_is_not_begun_but_can_be_aborted(
    place: Place,
) -> None:
    place.commit()
    prepared = await place.prepare()
    await stored(place, replace(prepared, resolved=replace(prepared.resolved, commit=None)))

    found = await reconciled(place)
    await api.ask(place.settings, api.AskRequest("r-1", Ask.ABORT))
    ended = await api.run(
        place.settings, "r-1", observer=Nobody(), drain=asyncio.Event(), asked=Ask.ABORT
    )

    assert (found.error, found.exit_code) == (
        "the rollout was started from no signed commit", ExitCode.REFUSED,
    )  # fmt: skip
    assert ended.status.story.state == "aborted"


async def test_stored_rollout_is_vouched_for_anew(place: Place) -> None:
    good = place.commit()
    prepared = await place.prepare()
    bad = place.commit(sign=False)
    commit = prepared.resolved.commit
    assert commit is not None
    forged = replace(prepared.resolved, commit=replace(commit, id=bad))
    await stored(place, replace(prepared, resolved=forged))

    assert (await reconciled(place)).error == f"commit `{bad[:12]}` is not signed"
    assert good != bad


async def test_stored_rollout_of_another_plan_than_the_commit_holds_is_not_begun(
    place: Place,
) -> None:
    place.commit()
    prepared = await place.prepare()
    forged = replace(prepared.resolved, plan_sha256="0" * 64)
    await stored(place, replace(prepared, resolved=forged))

    assert "does not hold the plan of the rollout" in (await reconciled(place)).error


async def test_signer_that_was_revoked_before_the_begin_stops_it(place: Place) -> None:
    place.commit()
    await place.apply()
    revoked = place.outside / "revoked"
    revoked.write_text(f"{place.keys.public('ann')}\n")
    place.settings = replace(place.settings, revoked_signers=revoked)

    assert "revoked" in (await reconciled(place)).error
