"""A controller on a real git repository and a store; rollouts wait for their time, so no device acts."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from orchestrator import api
from orchestrator.api.stored import CONTROLLER_LEASE
from orchestrator.api.stores import open_state
from orchestrator.api.values import Nobody
from orchestrator.device.model import DeviceId
from orchestrator.device.reason import Reason
from orchestrator.errors import ExitCode, LeaseError, OrchestratorError, PlanError, TrustError
from orchestrator.gitops.record import Noted
from orchestrator.gitops.standing import Health, Part, Standing
from orchestrator.plan.survey import Surveyed
from tests.loopback import free_port
from tests.unit.trust.git_repository import GitRepository

PLAN = """\
schema: 1
name: NAME
hosts: webs
artifact: OUTSIDE/site.mender
waves: [1, rest]
start_at: "2099-01-01T00:00:00Z"
gates: [{name: well, check: site, success_when: result.exit == 0}]
"""


class Shown:
    """Keeps where a controller stood; `until` is told each time."""

    def __init__(self, until: Callable[[Standing], None] = lambda _standing: None) -> None:
        self.all: list[Standing] = []
        self._until = until

    def stood(self, standing: Standing) -> None:
        self.all.append(standing)
        self._until(standing)

    def of_rollout(self) -> Nobody:
        return Nobody()


class Fleet(GitRepository):
    """A repository of plans with a project, an artifact beside it, and a controller's own place."""

    def __init__(self, directory: Path) -> None:
        super().__init__(directory)
        (self.root / "plans").mkdir()
        hosts = {
            name: {
                "ansible_host": "127.0.0.1", "ansible_port": free_port(),
                "rollout_host_keys": self.keys.public(key),
            }
            for name, key in (("web1", "ann"), ("web2", "bob"))
        }  # fmt: skip
        (self.root / "hosts.yml").write_text(json.dumps({"webs": {"hosts": hosts}}))
        (self.root / "rollout.toml").write_text('inventory = ["hosts.yml"]\n')
        (directory / "tree").mkdir()
        (directory / "tree" / "index.html").write_text("hello")
        self.build("1.0")
        self.plan("site")
        self.place = directory / "controller"
        self.following = api.Following(
            str(self.root), self.place / "checkout", "main", "plans/*.yml", 0.05
        )
        self.settings = api.Settings(
            root=self.place,
            state=str(self.place / "state.db"),
            identity_files=(self.keys.path("ann"),),
        )

    def build(self, version: str) -> None:
        key = self.outside / "release.key"
        if not key.exists():
            api.key_generate(key)
        (self.outside / "site.mender").unlink(missing_ok=True)
        request = api.BuildRequest(
            kind="directory", out=self.outside / "site.mender", name=f"site-{version}",
            device_types=("web",), source=self.outside.parent / "tree", dest="/opt/site",
            sign_key=key,
        )  # fmt: skip
        api.artifact_build(request)

    def plan(self, name: str, more: str = "") -> None:
        text = PLAN.replace("NAME", name).replace("OUTSIDE", str(self.outside))
        (self.root / f"plans/{name}.yml").write_text(text + more)

    def push(self, *, sign: bool = False) -> str:
        return self.commit(sign=sign)

    def project(self, directory: Path) -> api.Settings:
        """As the command line makes it of the `rollout.toml` there."""
        hosts = str(self.following.checkout / "hosts.yml")
        return replace(self.settings, root=self.following.checkout, inventory=(hosts,))

    async def once(self) -> Standing:
        shown = Shown()
        found = await api.control(
            self.settings, self.following, self.project,
            drain=asyncio.Event(), overseer=shown, once=True,
        )  # fmt: skip
        assert (shown.all[-1].part, shown.all[-2].part) == (Part.DONE, Part.ACTIVE)
        assert found.record == shown.all[-1].record
        return shown.all[-2]

    async def names(self) -> list[str]:
        """The plans whose rollouts are stored, oldest first."""
        found = await api.rollouts(self.settings)
        return [one.resolved.name for one in reversed(found) if isinstance(one, api.Status)]


@pytest.fixture
def fleet(tmp_path: Path) -> Fleet:
    return Fleet(tmp_path)


async def test_commit_is_taken_and_its_plan_applied_once(fleet: Fleet) -> None:
    commit = fleet.push()

    first, second = await fleet.once(), await fleet.once()

    assert (first.record.taken, first.offered, first.refusal) == (commit, commit, "")
    assert first.plans == {}
    assert await fleet.names() == ["site"]
    (rollout,) = second.rollouts
    assert (rollout.plan, rollout.state, rollout.waits_for) == (
        "plans/site.yml", "scheduled", ("start",),
    )  # fmt: skip
    assert second.health is Health.PROGRESSING
    assert [note.what for note in second.record.notes] == [Noted.TAKEN, Noted.APPLIED]


async def test_only_plans_that_changed_are_applied(fleet: Fleet) -> None:
    fleet.plan("other")
    fleet.push()
    await fleet.once()
    fleet.plan("site", "soak: 5m\n")
    (fleet.root / "notes.md").write_text("nothing that a plan reads\n")
    second = fleet.push()

    standing = await fleet.once()

    assert await fleet.names() == ["other", "site", "site"]
    assert standing.record.applied["plans/site.yml"].commit == second
    assert standing.record.applied["plans/other.yml"].commit != second


async def test_plan_that_was_removed_is_left_to_its_rollout_and_judged_no_more(
    fleet: Fleet,
) -> None:
    fleet.push()
    await fleet.once()
    (fleet.root / "plans/site.yml").rename(fleet.root / "site.yml")
    fleet.push()

    standing = await fleet.once()

    assert standing.record.applied == {}
    assert [(one.plan, one.state) for one in standing.rollouts] == [("", "scheduled")]


async def test_commit_without_a_plan_is_told_until_it_has_one(fleet: Fleet) -> None:
    fleet.push()
    fleet.following = replace(fleet.following, plans="plans/*.yaml")

    without = await fleet.once()
    fleet.following = replace(fleet.following, plans="plans/*.yml")
    found = await fleet.once()

    assert (without.unplanned, without.health) == ("plans/*.yaml", Health.UNKNOWN)
    assert (found.unplanned, found.health) == ("", Health.PROGRESSING)


async def test_history_that_was_written_anew_is_refused_until_a_person_accepts_it(
    fleet: Fleet,
) -> None:
    fleet.push()
    before = await fleet.once()
    fleet.git("checkout", "-q", "--orphan", "other")
    fleet.git("branch", "-q", "-D", "main")
    fleet.git("branch", "-q", "-m", "main")
    fleet.plan("site", "soak: 5m\n")
    forced = fleet.push()

    refused, still = await fleet.once(), await fleet.once()
    fleet.following = replace(fleet.following, accept=forced)
    accepted = await fleet.once()

    assert "history was written anew" in refused.refusal
    assert f"`--accept-rewrite {refused.offered}`" in refused.refusal
    assert (refused.record.taken, refused.offered) == (before.record.taken, forced)
    assert (refused.health, max(refused.exit_codes)) == (Health.DEGRADED, ExitCode.WAITING)
    assert 1 in refused.exit_codes
    assert [note.what for note in still.record.notes].count(Noted.REFUSED) == 1
    assert (accepted.record.taken, accepted.refusal) == (forced, "")
    assert Noted.ACCEPTED in [note.what for note in accepted.record.notes]
    assert await fleet.names() == ["site", "site"]
    recorded = await api.acts(fleet.settings)
    assert [one.kind for one in recorded] == ["commit_taken", "commit_refused", "commit_accepted"]
    assert [one.what["commit"] for one in recorded] == [before.record.taken, forced, forced]
    assert "history was written anew" in str(recorded[1].what["detail"])


async def test_history_is_remembered_by_the_store_not_by_the_checkout(fleet: Fleet) -> None:
    fleet.push()
    await fleet.once()
    fleet.git("commit", "-q", "--amend", "-m", "another")
    fleet.following = replace(fleet.following, checkout=fleet.place / "another-machine")

    standing = await fleet.once()

    assert "history was written anew" in standing.refusal
    assert await fleet.names() == ["site"]


async def test_commit_that_was_taken_by_half_before_it_was_withdrawn_is_left_again(
    fleet: Fleet,
) -> None:
    good = fleet.push()
    await fleet.once()
    fleet.plan("site", "soak: 5m\n")
    withdrawn = fleet.push()
    fleet.git("push", "-q", str(fleet.following.checkout), f"{withdrawn}:refs/rollout/taking")
    fleet.git("reset", "-q", "--hard", good)
    fleet.git("commit", "-q", "--amend", "-m", "another")

    standing = await fleet.once()

    assert "history was written anew" in standing.refusal
    assert standing.record.taken == good
    assert "soak" not in (fleet.following.checkout / "plans/site.yml").read_text()
    assert [one.plan for one in standing.rollouts] == ["plans/site.yml"]


async def test_unsigned_commit_is_not_even_checked_out_where_signatures_are_required(
    fleet: Fleet,
) -> None:
    fleet.settings = replace(
        fleet.settings, allowed_signers=fleet.allowed, require_signed_commit=True
    )
    good = fleet.push(sign=True)
    await fleet.once()
    fleet.plan("site", "soak: 5m\n")
    bad = fleet.push()

    standing = await fleet.once()
    checked_out = (fleet.following.checkout / "plans/site.yml").read_text()
    fleet.plan("site", "soak: 6m\n")
    better = fleet.push(sign=True)
    healed = await fleet.once()

    assert (
        standing.refusal == f"commit `{bad[:12]}` is not taken: commit `{bad[:12]}` is not signed"
    )
    assert (standing.record.taken, standing.record.signer) == (good, "ann@corp")
    assert "soak" not in checked_out
    assert (healed.record.taken, healed.refusal) == (better, "")
    assert await fleet.names() == ["site", "site"]


async def test_lists_of_signers_in_the_followed_repository_are_refused(fleet: Fleet) -> None:
    fleet.push()
    own = fleet.root / "allowed_signers"
    own.write_text(fleet.allowed.read_text())
    for place in ({"untrusted": (fleet.root,)}, {"checkout": fleet.root, "url": ""}):
        fleet.settings = replace(fleet.settings, allowed_signers=own)
        fleet.following = replace(fleet.following, **place)

        with pytest.raises(TrustError, match="would choose whom to trust"):
            await fleet.once()


async def test_authorities_for_hosts_in_the_followed_repository_are_refused(fleet: Fleet) -> None:
    known = fleet.root / "known_hosts"
    known.write_text("@cert-authority * ssh-ed25519 AAAA\n")
    fleet.settings = replace(fleet.settings, known_hosts=(known,))
    fleet.following = replace(fleet.following, untrusted=(fleet.root,))

    with pytest.raises(TrustError, match="would choose whom to trust"):
        await fleet.once()


def answers(fleet: Fleet, monkeypatch: pytest.MonkeyPatch, **of_web2: object) -> None:
    """Lets both devices answer that they run the artifact, but for what is said of the second."""
    artifact = api.artifact_inspect(fleet.outside / "site.mender")
    runs = Surveyed(True, device_type="web", manifest=artifact.manifest_sha256)
    found = {DeviceId("web1"): runs, DeviceId("web2"): replace(runs, **of_web2)}

    async def survey(*_asked: object) -> dict[DeviceId, Surveyed]:
        return found

    monkeypatch.setattr("orchestrator.api.plans.survey_devices", survey)


async def test_plan_that_all_devices_run_already_has_nothing_to_do(
    fleet: Fleet, monkeypatch: pytest.MonkeyPatch
) -> None:
    fleet.push()
    answers(fleet, monkeypatch)

    standing = await fleet.once()

    assert standing.record.notes[-1].what is Noted.NOTHING_TO_DO
    assert (standing.health, standing.exit_codes) == (Health.HEALTHY, ())
    assert await fleet.names() == []


async def test_nothing_to_do_is_no_success_while_a_device_is_left_out(
    fleet: Fleet, monkeypatch: pytest.MonkeyPatch
) -> None:
    fleet.push()
    answers(fleet, monkeypatch, reason=Reason.HOST_KEY)

    standing = await fleet.once()
    answers(fleet, monkeypatch, manifest="", artifact="site-0.9")
    mended = await fleet.once()

    assert "left out: `web2` (host_key)" in standing.plans["plans/site.yml"].error
    assert (standing.health, standing.exit_codes) == (Health.DEGRADED, (ExitCode.PARTIAL,))
    assert mended.plans == {}
    assert await fleet.names() == ["site"]


async def test_broken_plan_keeps_no_other_from_being_applied(fleet: Fleet) -> None:
    (fleet.root / "plans/bad.yml").write_text("schema: 1\nname: bad\n")
    fleet.push()

    standing = await fleet.once()

    assert list(standing.plans) == ["plans/bad.yml"]
    assert "plans/bad.yml" in standing.plans["plans/bad.yml"].error
    assert standing.plans["plans/bad.yml"].exit_code == ExitCode.REFUSED
    assert await fleet.names() == ["site"]
    assert standing.health is Health.DEGRADED
    await fleet.once()  # a controller that was started anew knows what is told already
    *_taken, refused = await api.acts(fleet.settings)
    assert [one.kind for one in (*_taken, refused)] == ["commit_taken", "plan_refused"]
    assert (refused.what["plan"], refused.what["commit"]) == (
        "plans/bad.yml", standing.record.taken,
    )  # fmt: skip


@pytest.mark.parametrize("target", ["/etc/hostname", "../../secret.yml", "nothing.yml", "link.yml"])
async def test_plan_that_is_a_link_out_of_the_repository_is_refused_and_told(
    fleet: Fleet, target: str
) -> None:
    """Whoever pushed it would wait for ever for a rollout of it."""
    (fleet.root / "plans/link.yml").symlink_to(target)
    fleet.push()

    standing = await fleet.once()

    assert list(standing.plans) == ["plans/link.yml"]
    assert "leads to no file of the repository" in standing.plans["plans/link.yml"].error
    assert await fleet.names() == ["site"]


async def test_freeze_suspends_it_and_unfreeze_lets_it_go_on(fleet: Fleet) -> None:
    commit = fleet.push()
    await api.freeze(fleet.settings, reason="holiday", until=None)

    suspended = await fleet.once()
    during = await fleet.names()
    await api.unfreeze(fleet.settings)
    await fleet.once()

    assert (suspended.record.taken, suspended.health) == (commit, Health.SUSPENDED)
    assert (during, await fleet.names()) == ([], ["site"])


async def test_work_tree_with_changes_of_its_own_is_not_used(fleet: Fleet) -> None:
    fleet.push()
    await fleet.once()
    (fleet.following.checkout / "plans/site.yml").write_text("something else\n")
    fleet.plan("other")
    fleet.push()

    standing = await fleet.once()

    assert standing.trouble is not None
    assert "is not as git has it: `plans/site.yml`" in standing.trouble.error
    assert await fleet.names() == ["site"]


async def test_branch_that_is_not_there_is_trouble_that_is_tried_again(fleet: Fleet) -> None:
    fleet.push()
    fleet.following = replace(fleet.following, branch="production")

    standing = await fleet.once()

    assert standing.trouble is not None
    assert "production" in standing.trouble.error
    assert standing.trouble.retry_at > standing.at - 1


async def test_commit_whose_project_cannot_be_read_is_trouble_that_is_tried_later_and_later(
    fleet: Fleet, monkeypatch: pytest.MonkeyPatch
) -> None:
    fleet.push()
    asked: list[Path] = []

    def broken(directory: Path) -> api.Settings:
        asked.append(directory)
        message = "unknown key `inventroy`"
        raise OrchestratorError(message)

    monkeypatch.setattr(fleet, "project", broken)
    fleet.following = replace(fleet.following, interval_s=0.05)
    shown = await follow(
        fleet, lambda standing: standing.trouble is not None and standing.trouble.failures == 3
    )

    pauses = [one.trouble.retry_at - one.at for one in shown if one.trouble is not None]
    assert "inventroy" in str(shown[-1].trouble)
    assert pauses[-1] > 0.1
    assert len(asked) == 3
    assert asked[0] == fleet.following.checkout / "plans"


async def test_second_controller_of_a_store_does_not_act(fleet: Fleet) -> None:
    fleet.push()
    async with open_state(fleet.settings) as store:
        lease = await store.acquire(
            CONTROLLER_LEASE, "ann@elsewhere:1:2:abcdef01", ttl_s=60, now=time.time()
        )
        with pytest.raises(LeaseError, match="another controller follows the branch here: ann@"):
            await fleet.once()
        assert await fleet.names() == []
        await store.release(lease)

    await fleet.once()

    assert await fleet.names() == ["site"]


async def follow(fleet: Fleet, until: Callable[[Standing], bool]) -> list[Standing]:
    """Follows without `once`, until it has shown something."""
    enough, drain = asyncio.Event(), asyncio.Event()
    shown = Shown(lambda standing: enough.set() if until(standing) else None)
    work = asyncio.create_task(
        api.control(fleet.settings, fleet.following, fleet.project, drain=drain, overseer=shown)
    )
    async with asyncio.timeout(30):
        await enough.wait()
    work.cancel()
    await asyncio.gather(work, return_exceptions=True)
    return shown.all


async def test_controller_stands_by_and_takes_over_when_the_other_one_ends(fleet: Fleet) -> None:
    fleet.push()
    async with open_state(fleet.settings) as store:
        lease = await store.acquire(
            CONTROLLER_LEASE, "ann@elsewhere:1:2:abcdef01", ttl_s=60, now=time.time()
        )
        freed = []

        def until(standing: Standing) -> bool:
            if standing.part is Part.STANDBY and not freed:
                freed.append(asyncio.get_running_loop().create_task(store.release(lease)))
            return standing.part is Part.ACTIVE and bool(standing.rollouts)

        shown = await follow(fleet, until)
        await asyncio.gather(*freed)

    assert shown[0].holder.startswith("ann@elsewhere")
    assert shown[-1].part is Part.STOPPED
    assert await fleet.names() == ["site"]


async def test_plan_whose_artifact_comes_later_is_applied_without_another_commit(
    fleet: Fleet,
) -> None:
    (fleet.outside / "site.mender").rename(fleet.outside / "away")
    fleet.push()

    def until(standing: Standing) -> bool:
        if standing.plans and (fleet.outside / "away").exists():
            (fleet.outside / "away").rename(fleet.outside / "site.mender")
        return bool(standing.rollouts)

    shown = await follow(fleet, until)

    assert "site.mender" in shown[0].plans["plans/site.yml"].error
    assert shown[-1].plans == {}


async def test_cancelled_controller_leaves_its_turn_to_the_next(fleet: Fleet) -> None:
    fleet.push()
    await follow(fleet, lambda standing: bool(standing.rollouts))

    async with open_state(fleet.settings) as store:
        assert await store.lease_of(CONTROLLER_LEASE) is None
        (run,) = await store.under_way()
        assert await store.lease_of(run) is None


async def test_controller_that_was_overtaken_writes_nothing_and_stands_by(fleet: Fleet) -> None:
    fleet.push()
    taken: list[object] = []
    async with open_state(fleet.settings) as store:

        async def overtake() -> None:
            mine = await store.lease_of(CONTROLLER_LEASE)
            assert mine is not None
            await store.release(mine)
            await store.acquire(
                CONTROLLER_LEASE, "ann@elsewhere:1:2:abcdef01", ttl_s=60, now=time.time()
            )
            fleet.plan("other")
            fleet.push()

        def until(standing: Standing) -> bool:
            if standing.rollouts and not taken:
                taken.append(asyncio.get_running_loop().create_task(overtake()))
            return standing.part is Part.STANDBY and bool(standing.holder)

        await follow(fleet, until)

    assert await fleet.names() == ["site"]


async def test_who_is_no_operator_cannot_follow(fleet: Fleet) -> None:
    fleet.settings = replace(fleet.settings, roles=("operator=nobody-of-this-name",))

    with pytest.raises(PlanError, match="has not the role"):
        await fleet.once()


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"url": "https://ann:secret@git.example.net/fleet.git"}, "leave it to a credential"),
        ({"url": "HTTPS://ann:secret@git.example.net/fleet.git"}, "leave it to a credential"),
        ({"url": "ssh://ann:secret@git.example.net/fleet.git"}, "`ssh://ann@git.example.net/fl"),
        ({"url": "https://git.example.net/fleet.git?private_token=secret"}, "where tokens stand"),
        ({"url": "https://git.example.net/fleet.git#secret"}, "where tokens stand"),
        ({"url": "--upload-pack=touch"}, "is no address"),
        ({"branch": "--force"}, "is no name of a branch"),
        ({"branch": "a..b"}, "is no name of a branch"),
    ],
)
async def test_address_that_git_must_not_see_is_refused(fleet: Fleet, changed, said) -> None:
    fleet.following = replace(fleet.following, **changed)

    with pytest.raises(OrchestratorError, match=said) as caught:
        await fleet.once()

    assert "secret" not in str(caught.value)
