"""Approvals that are signed, from ssh-keygen to the rollout; and what is not one."""

from __future__ import annotations

import asyncio
import dataclasses
import time
from pathlib import Path

import pytest

from orchestrator import api
from orchestrator.api import asking
from orchestrator.api.beginning import refuse_to_begin, refuse_unapproved
from orchestrator.api.stored import entries_of, load_stored, plan_of, restored
from orchestrator.api.stores import open_state
from orchestrator.api.values import Nobody
from orchestrator.engine.clerk import Desk, answer
from orchestrator.engine.clock import SystemClock
from orchestrator.errors import PlanError, TrustError
from orchestrator.rollout.events import Ask, OperatorAsked
from orchestrator.rollout.machine import Rollout
from orchestrator.rollout.states import RolloutState
from tests.site_release import make_site_release
from tests.unit.trust.ssh_keys import NAMESPACE, SshKeys, Token, keygen, line

PLAN = """\
schema: 1
name: site
hosts: all
artifact: ./site.mender
waves: [1, rest]
approval: {required: 2, from: [ops], not_author: true, expires: 1h}
gates: [{name: well, check: site, success_when: result.exit == 0}]
"""


@pytest.fixture
def keys(tmp_path: Path) -> SshKeys:
    (tmp_path / "keys").mkdir()
    found = SshKeys(tmp_path / "keys")
    for name in ("ann", "bob", "cat", "zoe", "eve"):
        found.make(name)
    return found


@pytest.fixture
def settings(tmp_path: Path, keys: SshKeys) -> api.Settings:
    (tmp_path / "hosts.yml").write_text("webs: {hosts: {web1: {}, web2: {}}}\n")
    (tmp_path / "site.yml").write_text(PLAN)
    make_site_release(tmp_path)
    signers = tmp_path / "allowed_signers"
    people = ("ann", "bob", "cat", "zoe")
    signers.write_text("".join(line(f"{name}@corp", keys.public(name)) for name in people))
    return api.Settings(
        root=tmp_path, state=str(tmp_path / "state.db"), inventory=(str(tmp_path / "hosts.yml"),),
        people=("ann@corp=ops", "bob@corp=ops", "cat@corp=sales", "zoe@corp=ops"),
        fleet="acme", allowed_signers=signers, revoked_signers=None,
    )  # fmt: skip


@pytest.fixture
async def rollout(settings: api.Settings) -> str:
    """A rollout of zoe that waits for two approvals."""
    request = api.PlanRequest(settings.root / "site.yml", offline=True)
    prepared = await api.prepare(settings, request)
    first = Rollout.start(
        prepared.resolved, "r-site", at=time.time(), author="zoe@desk", digest=prepared.digest
    )
    async with open_state(settings) as store:
        return await store.start("r-site", prepared.plan_json, first.collect())


async def approve(
    settings: api.Settings, keys: SshKeys, who: str, *, text: str = "", namespace: str = NAMESPACE
) -> api.Asked:
    statement = text or (await api.approval_statement(settings, None, None)).text()
    signature = keys.sign(who, statement.encode(), namespace).decode()
    request = api.AskRequest(None, Ask.APPROVE, statement=statement, signature=signature)
    return await api.ask(settings, request)


async def state(settings: api.Settings) -> RolloutState:
    return (await api.status(settings, None)).story.state


async def test_two_signatures_start_the_rollout(settings, keys, rollout) -> None:
    first = await approve(settings, keys, "ann")
    again = await approve(settings, keys, "ann")
    second = await approve(settings, keys, "bob")

    assert (first.answer, again.answer, second.answer) == ("done", "already", "done")
    assert await state(settings) is RolloutState.SCHEDULED
    given = [
        one.data
        async for one in api.journal(settings, rollout)
        if one.type == "approval" and one.data["what"] == "given"
    ]
    assert [str(one["who"]).rpartition("@")[0] for one in given] == ["ann@corp", "bob@corp"]
    allowed = settings.allowed_signers.read_text()
    for one in given:
        principal = str(one["who"]).rpartition("@")[0]
        text, signature = str(one["statement"]), str(one["signature"])
        assert keys.accepts(allowed, principal, text.encode(), signature.encode())


async def test_key_in_no_token_approves_nothing_where_one_is_required(
    settings, keys, rollout
) -> None:
    """Attack 17: an agent signs unseen with what it holds, but a token wants its touch."""
    token = Token()
    public = token.public()
    with settings.allowed_signers.open("a") as file:
        file.write(line("sky@corp", public))
    strict = dataclasses.replace(
        settings, people=(*settings.people, "sky@corp=ops"), require_hardware_keys=True
    )
    text = (await api.approval_statement(strict, None, None)).text()

    async def by_token(*, touched: bool) -> api.Asked:
        signature = token.sign(text.encode(), NAMESPACE, touched=touched)
        assert keys.accepts(line("sky@corp", public), "sky@corp", text.encode(), signature)
        request = api.AskRequest(None, Ask.APPROVE, statement=text, signature=signature.decode())
        return await api.ask(strict, request)

    with pytest.raises(PlanError, match="`ann@corp` touched no security token"):
        await approve(strict, keys, "ann")
    with pytest.raises(PlanError, match="`sky@corp` touched no security token"):
        await by_token(touched=False)
    assert (await by_token(touched=True)).answer == "done"


async def test_one_key_is_one_person_whatever_an_authority_calls_it(
    settings, keys, rollout
) -> None:
    """Attack 28: two certificates of one key."""
    for name in ("authority", "one"):
        keys.make(name)
    options = f'cert-authority,namespaces="{NAMESPACE}"'
    with settings.allowed_signers.open("a") as file:
        file.write(line("*@corp", keys.public("authority"), options))
    people = (*settings.people, "pat@corp=ops", "quinn@corp=ops")
    named = dataclasses.replace(settings, people=people)

    async def by(name: str) -> api.Asked:
        public, authority = f"{keys.path('one')}.pub", str(keys.path("authority"))
        keygen("-q", "-s", authority, "-I", "x", "-n", f"{name}@corp", "-V", "+1h", public)
        return await approve(named, keys, "one-cert.pub")

    assert (await by("pat")).answer == "done"
    with pytest.raises(PlanError, match="`pat@corp` approved it already, with the same key"):
        await by("quinn")
    assert await state(named) is RolloutState.AWAITING_APPROVAL
    assert (await approve(named, keys, "ann")).answer == "done"
    assert await state(named) is RolloutState.SCHEDULED


@pytest.mark.parametrize(
    ("who", "says"),
    [
        ("zoe", "who applied the plan may not"),
        ("cat", "has not the role"),
        ("eve", "no allowed signer"),
    ],
)
async def test_signature_of_who_may_not_approve_is_refused(
    settings, keys, rollout, who, says
) -> None:
    with pytest.raises(PlanError, match=says):
        await approve(settings, keys, who)

    assert await state(settings) is RolloutState.AWAITING_APPROVAL


async def test_login_name_alone_approves_nothing(settings, keys, rollout) -> None:
    open_to_names = dataclasses.replace(settings, people=("ann=ops", *settings.people))

    with pytest.raises(PlanError, match="by their signature alone"):
        await api.ask(open_to_names, api.AskRequest(None, Ask.APPROVE))


async def test_signature_is_for_this_fleet_plan_and_purpose(settings, keys, rollout) -> None:
    text = (await api.approval_statement(settings, None, None)).text()
    digest = (await api.status(settings, None)).digest

    for other, says in [
        (text.replace("fleet acme", "fleet beta"), "for the fleet `beta`"),
        (text.replace(digest, "0" * 64), "of another plan"),
        (text.replace("wave start", 'wave "1"'), "needs no approval|is no wave"),
        (text + "x", "no approval"),
    ]:
        with pytest.raises(PlanError, match=says):
            await approve(settings, keys, "ann", text=other)
    with pytest.raises(PlanError, match="made for `git`"):
        await approve(settings, keys, "ann", namespace="git")
    assert await state(settings) is RolloutState.AWAITING_APPROVAL


async def test_who_writes_into_the_store_cannot_approve(settings, keys, rollout) -> None:
    """An attacker with the store at hand, and requests that say whatever they like."""
    digest = (await api.status(settings, None)).digest
    text = (await api.approval_statement(settings, None, None)).text()
    by_eve = keys.sign("eve", text.encode()).decode()
    forged = OperatorAsked(time.time(), Ask.APPROVE, "ann@corp@desk", digest=digest, roles=("ops",))
    async with open_state(settings) as store:
        await store.ask(rollout, forged)
        await store.ask(rollout, dataclasses.replace(forged, statement=text, signature=by_eve))
        plan = (await asking._find(settings, store, rollout)).plan
        vouch = api.approvals.vouching(settings)
        await answer(Desk(store, store, SystemClock(), "me", vouch), rollout, plan)

    answers = [
        (one.data["answer"], one.data["detail"])
        async for one in api.journal(settings, rollout)
        if one.type == "operator"
    ]
    assert [kind for kind, _ in answers] == ["refused", "refused"]
    assert "signature alone" in str(answers[0][1])
    assert "no allowed signer" in str(answers[1][1])
    assert await state(settings) is RolloutState.AWAITING_APPROVAL


async def test_revoked_key_and_broken_lists_approve_nothing(settings, keys, rollout) -> None:
    krl = settings.root / "krl"
    keygen("-q", "-k", "-f", str(krl), f"{keys.path('ann')}.pub")
    with_krl = dataclasses.replace(settings, revoked_signers=krl)

    with pytest.raises(PlanError, match="is revoked"):
        await approve(with_krl, keys, "ann")
    assert (await approve(with_krl, keys, "bob")).answer == "done"
    krl.write_bytes(b"SSHKRL\n\0rest")
    with pytest.raises(PlanError, match="cannot be used"):
        await approve(with_krl, keys, "ann")
    settings.allowed_signers.write_text("* ssh-ed25519 AAAA\n")
    with pytest.raises(PlanError, match="line 1"):
        await approve(settings, keys, "ann")


async def test_revoked_or_forged_approvals_begin_nothing(settings, keys, rollout) -> None:
    """They are judged once more by whoever begins it, and those that the store only says are none."""
    for who in ("ann", "bob"):
        await approve(settings, keys, who)
    krl = settings.root / "krl"
    keygen("-q", "-k", "-f", str(krl), f"{keys.path('ann')}.pub")
    rest = ("bob@corp=ops", "ann@corp=sales")
    others = {
        "is revoked": dataclasses.replace(settings, revoked_signers=krl),
        "not among the people": dataclasses.replace(settings, people=rest[:1]),
        "the role is gone": dataclasses.replace(settings, people=rest),
    }
    async with open_state(settings) as store:
        stored = await load_stored(store, rollout)
        plan, history = plan_of(stored), await entries_of(store, rollout)
        await refuse_to_begin(settings, store, stored, plan)
    ledger = restored(stored, plan).ledger
    unsigned = [entry for entry in history if "bob@" not in str(entry.data.get("who", ""))]

    for says, other in others.items():
        with pytest.raises(TrustError, match=f"approval of `ann@corp` does not count: .*{says}"):
            await api.run(other, rollout, observer=Nobody(), drain=asyncio.Event())
    with pytest.raises(
        TrustError, match=r"approval of `bob@corp` does not count: .*signature alone"
    ):
        refuse_unapproved(settings, ledger, unsigned)
    ledger.approvals.append({"wave": "", "who": "eve@corp"})
    refuse_unapproved(settings, ledger, history)  # two do count
    assert await state(settings) is RolloutState.SCHEDULED


async def test_denial_needs_no_signature(settings, rollout, monkeypatch) -> None:
    monkeypatch.setattr(asking, "person", lambda: "ann@desk")
    named = dataclasses.replace(settings, people=("ann=ops", *settings.people))

    await api.ask(named, api.AskRequest(None, Ask.DENY))

    assert await state(settings) is RolloutState.REJECTED


async def test_ssh_keygen_signs_what_is_asked_for(settings, keys, rollout) -> None:
    text = (await api.approval_statement(settings, None, None)).text()

    signature = api.approval_sign(settings, text, keys.path("ann"))
    request = api.AskRequest(None, Ask.APPROVE, statement=text, signature=signature)

    assert (await api.ask(settings, request)).answer == "done"
    with pytest.raises(TrustError, match="could not sign"):
        api.approval_sign(settings, text, settings.root / "missing")


async def test_without_a_fleet_nothing_can_be_signed(settings, rollout) -> None:
    with pytest.raises(PlanError) as refused:
        await api.approval_statement(dataclasses.replace(settings, fleet=""), None, None)

    assert refused.value.code == "S213"


async def test_signer_needs_the_role_of_an_approver(settings, keys, rollout) -> None:
    some = dataclasses.replace(settings, roles=("approver=bob@corp",))

    with pytest.raises(PlanError, match="`ann@corp` has not the role `approver`"):
        await approve(some, keys, "ann")

    assert (await approve(some, keys, "bob")).answer == "done"


WHY = "the fleet is under attack"


async def break_glass(
    settings: api.Settings,
    keys: SshKeys,
    who: str,
    *,
    reason: str = WHY,
    ask: Ask = Ask.BREAK_GLASS,
) -> api.Asked:
    statement = (await api.approval_statement(settings, None, None, reason)).text()
    signature = keys.sign(who, statement.encode(), NAMESPACE).decode()
    request = api.AskRequest(None, ask, why="said", statement=statement, signature=signature)
    return await api.ask(settings, request)


async def test_glass_is_broken_by_a_signature_of_its_own(settings, keys, rollout) -> None:
    some = dataclasses.replace(
        settings, roles=("break-glass=ann@corp", "approver=ann@corp,bob@corp")
    )

    with pytest.raises(PlanError, match="`bob@corp` has not the role `break-glass`"):
        await break_glass(some, keys, "bob")
    with pytest.raises(PlanError, match="in words of their own"):
        await break_glass(some, keys, "ann", reason="")
    with pytest.raises(PlanError, match="in words of their own"):
        await break_glass(some, keys, "ann", ask=Ask.APPROVE)
    with pytest.raises(PlanError, match="by their signature alone"):
        await api.ask(some, api.AskRequest(None, Ask.BREAK_GLASS, why=WHY))
    answer = (await break_glass(some, keys, "ann")).answer

    assert answer == "done"
    assert await state(some) is RolloutState.SCHEDULED
    glass = (await api.status(some, None)).story.glass
    assert glass is not None
    assert (glass.who, glass.why) == ("ann@corp", WHY)


@pytest.mark.parametrize("roles", [(), ("approver=ann@corp",)])
async def test_nobody_breaks_the_glass_who_is_not_named_for_it(
    settings, keys, rollout, roles
) -> None:
    with pytest.raises(PlanError, match="has not the role `break-glass`"):
        await break_glass(dataclasses.replace(settings, roles=roles), keys, "ann")

    assert await state(settings) is RolloutState.AWAITING_APPROVAL
