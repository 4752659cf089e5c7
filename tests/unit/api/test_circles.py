"""Plans that wait for each other are named to whoever looks."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from orchestrator import api
from orchestrator.cli.app import invoke
from orchestrator.errors import ExitCode, Severity
from orchestrator.rollout.events import Ask
from tests.in_process import empty_project

PLAN = """\
schema: 1
name: {name}
hosts: all
artifact: ./{name}.mender
waves: [1, rest]
requires: [{{plan: {needs}}}]
gates: [{{name: well, check: site, success_when: result.exit == 0}}]
"""
NEEDS = {"base": "modem", "modem": "router", "router": "base"}


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> api.Settings:
    """Three plans; each needs the next, and the last the first."""
    empty_project(tmp_path, monkeypatch)
    (tmp_path / "hosts.yml").write_text("webs: {hosts: {web1: {ansible_host: 127.0.0.1}}}\n")
    (tmp_path / "tree").mkdir()
    (tmp_path / "tree" / "index.html").write_text("hello")
    api.key_generate(tmp_path / "release.key")
    for name, needs in NEEDS.items():
        (tmp_path / f"{name}.yml").write_text(PLAN.format(name=name, needs=needs))
        request = api.BuildRequest(
            kind="directory", out=tmp_path / f"{name}.mender", name=f"{name}-1.0",
            device_types=("web",), source=tmp_path / "tree", dest=f"/opt/{name}",
            sign_key=tmp_path / "release.key",
        )  # fmt: skip
        api.artifact_build(request)
    monkeypatch.setenv("ROLLOUT_STATE", str(tmp_path / "state.db"))
    return api.Settings(
        root=tmp_path, state=str(tmp_path / "state.db"), inventory=(str(tmp_path / "hosts.yml"),)
    )


async def prepared(settings: api.Settings, name: str) -> api.Prepared:
    return await api.prepare(settings, api.PlanRequest(settings.root / f"{name}.yml", offline=True))


async def applied(settings: api.Settings, name: str) -> api.Finished:
    return await api.apply(
        settings, await prepared(settings, name), observer=api.Nobody(), drain=asyncio.Event()
    )


async def test_plans_that_wait_for_each_other_are_named(settings: api.Settings) -> None:
    before = await api.circle(settings, await prepared(settings, "base"))
    alone = await applied(settings, "base")
    await applied(settings, "modem")

    closes = await api.circle(settings, await prepared(settings, "router"))
    last = await applied(settings, "router")

    assert (before, closes) == ((), ("router", "base", "modem"))
    assert not any("itself" in one for one in alone.status.story.held_up)
    first = await api.status(settings, alone.status.rollout_id)
    chains = ("`base` requires `modem`", "`router` requires `base`")
    for status, chain in zip((first, last.status), chains, strict=True):
        assert status.story.waits_for == ("requires",)
        assert status.story.held_up[-1].startswith(f"itself: plan {chain}, which requires ")


async def test_a_circle_that_somebody_ended_is_none(settings: api.Settings) -> None:
    finished = [await applied(settings, name) for name in NEEDS]
    run = finished[1].status.rollout_id
    await api.ask(settings, api.AskRequest(run, Ask.ABORT))
    await api.run(settings, run, observer=api.Nobody(), drain=asyncio.Event(), asked=Ask.ABORT)

    for one in (finished[0], finished[2]):
        story = (await api.status(settings, one.status.rollout_id)).story
        assert not any("itself" in held_up for held_up in story.held_up)


def test_preview_warns_of_the_plan_that_closes_a_circle(settings: api.Settings, capsys) -> None:
    for name in ("base", "modem"):
        asyncio.run(applied(settings, name))
    capsys.readouterr()

    code = invoke(["preview", "router.yml", "-i", "hosts.yml", "--offline"])

    said = capsys.readouterr().err
    assert code == ExitCode.DONE
    assert "it would wait for itself: plan `router` requires `base`, which requires `modem`" in said


def test_files_that_require_each_other_are_named_before_any_is_applied(settings, capsys) -> None:
    (settings.root / "alone.yml").write_text(PLAN.format(name="alone", needs="base"))
    names = [settings.root / f"{name}.yml" for name in ("alone", *NEEDS)]

    found = api.validate(names).diagnostics
    twice = api.validate([settings.root]).diagnostics
    code = invoke(["preview", "router.yml", "-i", "hosts.yml", "--offline"])
    of_circle = capsys.readouterr().err
    invoke(["preview", "alone.yml", "-i", "hosts.yml", "--offline"])
    of_other = capsys.readouterr().err

    (circle,) = [one for one in found if one.code == "P940"]
    assert (circle.where.file, circle.where.line) == (str(settings.root / "base.yml"), 6)
    assert circle.excerpt == "requires: [{plan: modem}]"
    chain = "plan `base` requires `modem`, which requires `router`, which requires `base`"
    assert circle.message == f"{chain}: none of them begins before another"
    assert circle.severity is Severity.WARNING
    assert [one.code for one in twice].count("P940") == 1
    assert code == ExitCode.DONE
    assert (
        "router.yml:6:1 P940 warning: plan `router` requires `base`, which requires `modem`"
        in of_circle
    )
    assert "P940" not in of_other


async def test_who_waits_for_a_plan_that_nobody_rolls_out_is_told_so(settings) -> None:
    first = await applied(settings, "base")
    nobody = "a rollout of plan `modem`, of which none is under way"
    before = first.status.story.held_up
    await applied(settings, "modem")

    after = (await api.status(settings, first.status.rollout_id)).story.held_up
    run = first.status.rollout_id
    await api.ask(settings, api.AskRequest(run, Ask.ABORT))
    await api.run(settings, run, observer=api.Nobody(), drain=asyncio.Event(), asked=Ask.ABORT)

    assert before[-1] == nobody
    assert nobody not in after
    assert (await api.status(settings, run)).story.held_up == ()
