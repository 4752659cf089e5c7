"""Roles: what is refused without one, and what never needs one."""

from __future__ import annotations

import asyncio
import dataclasses
import re
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import typer

from orchestrator import api
from orchestrator.api import asking, roles
from orchestrator.api.approvals import vouch
from orchestrator.api.roles import ROLES_OF
from orchestrator.api.stores import open_state
from orchestrator.api.values import Nobody
from orchestrator.cli.app import COMMANDS, build, invoke
from orchestrator.errors import ExitCode, OrchestratorError
from orchestrator.rollout.events import Ask, OperatorAsked
from orchestrator.rollout.machine import Rollout
from tests.unit.api.test_commits import PLAN, Place

SOURCE = api.Source()
ROOT = Path(__file__).parents[3]
LOOKING = {
    "validate", "preview", "show", "status", "watch", "events", "logs", "fleet", "drift", "hosts", "version",
    "completion", "explain", "schema", "config show",
    "key show", "artifact verify", "artifact inspect", "root verify", "root show",
    "release verify", "release inspect", "device check", "device facts", "device logs", "inventory list",
    "inventory graph", "inventory explain", "inventory check", "inventory host",
    "audit list", "audit verify", "lab status",
}  # fmt: skip
STOPPING = {"pause", "halt", "abort", "rollback", "freeze"}
DECIDES_NOTHING = {"reconcile"}
OWN_FILES = {  # judged by keys, or nobody's but one's own
    "init", "key generate", "artifact sign", "artifact delta", "artifact build directory",
    "artifact build single-file", "artifact build script", "artifact build module",
    "artifact build helper",
    "lab up", "lab down", "lab break",
}  # fmt: skip
FREE = LOOKING | STOPPING | DECIDES_NOTHING | OWN_FILES


@pytest.fixture
def place(tmp_path: Path, monkeypatch) -> Place:
    """Ann sits at the keyboard; bob is the operator, and nobody is an approver."""
    monkeypatch.setattr(roles, "person", lambda: "ann@desk")
    monkeypatch.setattr(asking, "person", lambda: "ann@desk")
    found = Place(tmp_path)
    found.settings = dataclasses.replace(
        found.settings, roles=("operator=bob",), people=("ann=ops",),
        require_signed_commit=False, allowed_signers=None,
    )  # fmt: skip
    return found


async def stored(place: Place, more: str = "") -> None:
    (place.root / "site.yml").write_text(PLAN + more)
    prepared = await place.prepare()
    first = Rollout.start(
        prepared.resolved, "r-1", at=time.time(), author="zoe@desk", digest=prepared.digest
    ).collect()
    async with open_state(place.settings) as store:
        await store.start("r-1", prepared.plan_json, first)


async def refused(work: object) -> None:
    with pytest.raises(OrchestratorError, match="`ann` has not the role `") as caught:
        await work  # type: ignore[misc]  # coroutines of several kinds
    assert caught.value.code == "S220"
    assert caught.value.exit_code is ExitCode.REFUSED


async def test_what_starts_brings_on_or_lets_go_needs_the_operator(place: Place) -> None:
    await refused(place.apply())
    await stored(place)
    for ask in (Ask.RESUME, Ask.PROMOTE, Ask.RETRY):
        await refused(api.ask(place.settings, api.AskRequest("r-1", ask)))
    await refused(api.join(place.settings, "r-1", {}))
    await refused(api.unfreeze(place.settings))
    await refused(api.device_unhold(place.settings, ["web1"], reason="mended"))

    def silent(_answer: api.DeviceAnswer) -> None: ...

    await refused(api.device_adopt(place.settings, "all", SOURCE, silent, "main"))
    enrol = api.EnrollRequest("all", SOURCE, ())
    await refused(api.device_enroll(place.settings, enrol, silent))
    await refused(api.device_release(place.settings, api.ReleaseRequest("all", SOURCE), silent))
    await refused(api.device_root(place.settings, "all", SOURCE, [], silent))
    await refused(api.audit_checkpoint(place.settings))


@pytest.mark.parametrize(
    "words",
    [
        ("apply", "site.yml"),
        ("ca", "init", "host-ca"),
        ("ca", "sign-host", "web1", "host.pub", "--ca", "host-ca"),
        ("ca", "sign-user", "ann.pub", "--ca", "user-ca"),
        ("device", "bundle", "image", "--device-type", "rpi4", "--key", "build.pub"),
        ("device", "attest", "all"),
        ("root", "init", "acme"),
        ("root", "add", "root-1.txt", "release", "bob.pub"),
        ("root", "rotate", "root-1.txt"),
        ("root", "sign", "root-1.txt", "--key", "ann.key"),
        ("release", "create", "site.mender", "--fleet", "acme"),
        ("release", "attach", "site.mender", "--key", "ann.key"),
        ("release", "sign", "site.ticket", "--key", "ann.key"),
        ("release", "evidence", "--out", "site.tar"),
        ("audit", "checkpoint"),
        ("state", "migrate"),
        ("state", "export", "--all"),
        ("state", "backup", "copy.db"),
    ],
    ids=" ".join,
)
def test_commands_refuse_before_they_read_anything(
    words: tuple[str, ...], tmp_path: Path, monkeypatch, capsys
) -> None:
    monkeypatch.setattr(roles, "person", lambda: "ann@desk")
    mine = tmp_path / "mine.toml"
    mine.write_text('[roles]\noperator = ["bob"]\nauditor = ["bob"]\nreleaser = ["bob"]\n')

    code = invoke(["-C", str(tmp_path), "--config", str(mine), *words])

    assert code == ExitCode.REFUSED
    assert "error[S220]: `ann` has not the role `" in capsys.readouterr().err


async def test_one_of_several_roles_is_enough(place: Place) -> None:
    await stored(place)
    auditor = dataclasses.replace(place.settings, roles=("auditor=ann",))

    made, _file = await api.audit_checkpoint(auditor)

    assert made == 1


def test_every_role_of_the_table_is_asked_for_where_it_is_used() -> None:
    """By `require_role(settings, "apply")`; requests of operators by their own names."""
    source = "".join(
        path.read_text(encoding="utf-8")
        for package in ("api", "cli")
        for path in (ROOT / "orchestrator" / package).glob("*.py")
    )
    by_name = set(re.findall(r'require_role\([a-z.]+, "([a-z -]+)"\)', source))

    assert by_name | ({ask.value.replace("_", "-") for ask in Ask} & set(ROLES_OF)) == set(ROLES_OF)


def test_every_command_that_is_not_free_stands_in_the_table() -> None:
    """Whoever adds a command decides: it stands in the table, or here with why it needs no role."""
    every = set(commands_of("", typer.main.get_command(build(COMMANDS))))

    assert every - set(ROLES_OF) == FREE
    assert set(ROLES_OF) - every == {"break-glass", "join"}  # what `approve` and `apply` may do


def commands_of(name: str, command: object) -> Iterator[str]:
    inner = getattr(command, "commands", None)
    if inner is None:
        yield name
        return
    for word, each in inner.items():
        yield from commands_of(f"{name} {word}".strip(), each)


def test_the_page_has_the_table_of_roles() -> None:
    page = (ROOT / "docs/reference/commands.md").read_text(encoding="utf-8")
    table = page.partition("| what | needs one of |\n|---|---|\n")[2].partition("\n\n")[0]

    assert table.splitlines() == [
        f"| `{what}` | {', '.join(f'`{role}`' for role in needed)} |"
        for what, needed in ROLES_OF.items()
    ]


async def test_operator_may(place: Place, monkeypatch) -> None:
    monkeypatch.setattr(roles, "person", lambda: "bob@desk")

    assert (await place.apply()).exit_code is ExitCode.WAITING
    assert (await api.ask(place.settings, api.AskRequest(None, Ask.RESUME))).answer == "already"


async def test_stopping_freezing_and_going_back_need_no_role(place: Place) -> None:
    await stored(place)
    await api.freeze(place.settings, reason="storm", until=None)
    assert await api.frozen(place.settings) is not None

    assert (await api.ask(place.settings, api.AskRequest("r-1", Ask.PAUSE))).answer == "done"
    halted = await api.ask(place.settings, api.AskRequest("r-1", Ask.HALT))
    assert halted.answer == "done"
    await api.ask(place.settings, api.AskRequest("r-1", Ask.ROLLBACK))
    ended = await api.run(
        place.settings, "r-1", observer=Nobody(), drain=asyncio.Event(), asked=Ask.ROLLBACK
    )
    assert ended.status.story.state == "rolled_back"


async def test_approving_needs_the_approver_and_denying_nobody(place: Place) -> None:
    await stored(place, "approval: {required: 1}\n")

    await refused(api.ask(place.settings, api.AskRequest("r-1", Ask.APPROVE)))
    assert (await api.ask(place.settings, api.AskRequest("r-1", Ask.DENY))).answer == "done"


async def test_approver_may_approve(place: Place) -> None:
    await stored(place, "approval: {required: 1}\n")
    approver = dataclasses.replace(place.settings, roles=("approver=ann",))

    assert (await api.ask(approver, api.AskRequest("r-1", Ask.APPROVE))).answer == "done"


async def test_glass_is_broken_by_who_is_named_for_it_alone(place: Place) -> None:
    await stored(place, "approval: {required: 1}\n")
    request = api.AskRequest("r-1", Ask.BREAK_GLASS, why="a flood")

    await refused(api.ask(place.settings, request))
    await refused(api.ask(dataclasses.replace(place.settings, roles=()), request))
    named = dataclasses.replace(place.settings, roles=("break-glass=ann",))
    assert (await api.ask(named, request)).answer == "done"
    assert (await api.status(named, "r-1")).story.glass is not None


async def test_engine_judges_by_its_own_roles_who_breaks_the_glass(place: Place) -> None:
    asked = OperatorAsked(0.0, Ask.BREAK_GLASS, "ann@desk", "a flood")
    named = dataclasses.replace(place.settings, roles=("break-glass=ann",))

    assert vouch(named, asked, now=0.0).problem == ""
    assert "has not the role `break-glass`" in vouch(place.settings, asked, now=0.0).problem


async def test_commit_is_signed_by_an_author(place: Place) -> None:
    place.commit()
    signed = dataclasses.replace(
        place.settings, require_signed_commit=True, allowed_signers=place.allowed
    )
    place.settings = signed
    uncommitted = (await place.prepare()).uncommitted
    assert uncommitted is not None
    assert uncommitted.code == "S220"
    place.settings = dataclasses.replace(signed, roles=("author=ann@corp",))
    assert (await place.prepare()).uncommitted is None


def test_without_roles_everybody_may_all(place: Place) -> None:
    open_to_all = dataclasses.replace(place.settings, roles=())

    free = [role for role in roles.Role if role is not roles.Role.BREAK_GLASS]
    assert all(roles.has_role(open_to_all, "eve", role) for role in free)
    assert not roles.has_role(open_to_all, "eve", roles.Role.BREAK_GLASS)
    assert not roles.has_role(place.settings, "", roles.Role.APPROVER)
