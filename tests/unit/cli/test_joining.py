"""Devices that joined a fleet: what is said, what is asked, and that a rollout goes on without."""

import asyncio
import io
import time
from dataclasses import replace
from pathlib import Path

import pytest

from orchestrator import api
from orchestrator.api.stores import open_state
from orchestrator.cli.app import invoke
from orchestrator.cli.joining import take_in
from orchestrator.cli.session import Session
from orchestrator.errors import PlanError
from orchestrator.rollout.events import Ask
from orchestrator.rollout.machine import Rollout
from tests.site_release import make_site_release

PLAN = """\
schema: 1
name: site
hosts: webs
artifact: ./site.mender
late_joiners: append
waves: [1, rest]
gates: [{name: well, check: site, success_when: result.exit == 0}]
"""


def fleet(count: int) -> str:
    return f"webs:\n  hosts:\n    web[1:{count}]: {{ansible_host: 127.0.0.1, ansible_port: 1}}\n"


def prepared(session: Session) -> api.Prepared:
    request = api.PlanRequest(session.settings.root / "site.yml", offline=True)
    return asyncio.run(api.prepare(session.settings, request))


@pytest.fixture
def grown(session: Session) -> Session:
    """A project whose rollout is under way, and whose fleet has one more device since."""
    root = session.settings.root
    settings = replace(session.settings, inventory=(str(root / "hosts.yml"),))
    session = replace(session, settings=settings)
    (root / "site.yml").write_text(PLAN)
    (root / "rollout.toml").write_text('inventory = ["hosts.yml"]\nstate = "state.db"\n')
    (root / "hosts.yml").write_text(fleet(2))
    make_site_release(root)
    plan = prepared(session)
    first = Rollout.start(plan.resolved, "r-1", at=time.time(), digest=plan.digest).collect()
    asyncio.run(_store(settings, plan, first))
    (root / "hosts.yml").write_text(fleet(3))
    return session


async def _store(settings, plan, first) -> None:
    async with open_state(settings) as store:
        await store.start("r-1", plan.plan_json, first)


def devices(session: Session) -> int:
    return asyncio.run(api.status(session.settings, None)).story.devices


def test_who_joined_is_named_and_taken_in(grown: Session, capsys) -> None:
    take_in(grown, prepared(grown), yes=True)

    said = capsys.readouterr().err
    assert "1 device has joined the fleet: web3; rollout r-1 is under way" in said
    assert "joined: 1 device in wave `wave-2`" in said
    assert devices(grown) == 3


def test_who_joined_is_confirmed_by_number(grown: Session, monkeypatch) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("2\n"))

    with pytest.raises(PlanError, match="not confirmed"):
        take_in(replace(grown, may_ask=True), prepared(grown), yes=False)

    assert devices(grown) == 2


def test_rollout_that_takes_nobody_goes_on_without(grown: Session, capsys) -> None:
    found = prepared(grown)
    asyncio.run(api.ask(grown.settings, api.AskRequest(None, Ask.HALT)))

    take_in(grown, found, yes=True)

    assert "they are left out: rollout `r-1`: it is halted" in capsys.readouterr().err
    assert devices(grown) == 2


def test_who_joined_by_files_that_are_not_committed_is_left_out(grown: Session, capsys) -> None:
    grown = replace(grown, settings=replace(grown.settings, require_signed_commit=True))

    take_in(grown, prepared(grown), yes=True)

    said = capsys.readouterr().err
    assert "they are left out: `" in said
    assert "site.yml` lies in no git repository" in said
    assert devices(grown) == 2


def test_nothing_is_said_where_nobody_joined(grown: Session, capsys) -> None:
    (grown.settings.root / "hosts.yml").write_text(fleet(2))

    take_in(grown, prepared(grown), yes=False)

    assert capsys.readouterr().err == ""


def test_preview_names_who_would_join(grown: Session, capsys, monkeypatch) -> None:
    monkeypatch.chdir(grown.settings.root)

    assert invoke(["preview", "site.yml", "--offline"]) == 0

    assert "1 device has joined the fleet: web3" in capsys.readouterr().err


def test_resume_looks_for_late_joiners_and_says_who_cannot_take_part(
    grown: Session, monkeypatch, capsys
) -> None:
    monkeypatch.chdir(grown.settings.root)
    asyncio.run(api.ask(grown.settings, api.AskRequest(None, Ask.PAUSE)))

    invoke(["resume"])

    said = capsys.readouterr().err
    assert "web3 has joined the fleet and is left out, host_key: no host key is known" in said
    assert devices(grown) == 2


def test_resume_goes_on_where_nobody_can_be_looked_for(grown: Session, monkeypatch, capsys) -> None:
    monkeypatch.chdir(grown.settings.root)
    (Path(grown.settings.root) / "hosts.yml").write_text("webs: [")
    asyncio.run(api.ask(grown.settings, api.AskRequest(None, Ask.PAUSE)))

    invoke(["resume"])

    said = capsys.readouterr().err
    assert "devices that joined the fleet were not looked for" in said
    assert devices(grown) == 2
