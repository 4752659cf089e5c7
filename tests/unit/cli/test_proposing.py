"""Retries and rollbacks that are saved, reviewed and then carried out, in a project with a store."""

from __future__ import annotations

import asyncio
import json
import shutil
from dataclasses import replace
from pathlib import Path

import jsonschema
import pytest

from orchestrator import api
from orchestrator.api.stores import open_state
from orchestrator.cli.app import invoke
from orchestrator.cli.driving import ask
from orchestrator.device.reason import Reason
from orchestrator.errors import ExitCode
from orchestrator.rollout.changes import Changes
from orchestrator.rollout.events import Ask, OperatorAsked
from orchestrator.rollout.proposal import digest, from_file, to_file
from orchestrator.testing.hand import Hand
from tests.in_process import empty_project, run, user_file
from tests.schema_of import SCHEMAS
from tests.site_release import make_site_release
from tests.unit.render.reports import junit_suites, sarif_run

PLAN = """\
schema: 1
name: site
hosts: all
artifact: ./site.mender
waves: [{name: canary, size: 1}, {name: rest, size: rest, max_failures: 2}]
gates: [{name: well, check: site, success_when: result.exit == 0}]
"""
SAVED = json.loads((SCHEMAS / "saved-plan.v1.json").read_text())


@pytest.fixture(scope="module")
def halted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("halted")
    halted_project(root)
    return root


def halted_project(root: Path) -> None:
    """`r-hand`: one device updated, one without space, one not started; halted by a person."""
    (root / "hosts.yml").write_text("webs: {hosts: {'web[1:3]': }}\n")
    (root / "site.yml").write_text(PLAN)
    make_site_release(root)
    asyncio.run(store(root))


def make_store(path: Path) -> None:
    """An empty one."""

    async def make() -> None:
        async with open_state(replace(settings(path.parent), state=str(path))):
            pass

    asyncio.run(make())


@pytest.fixture
def project(halted: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    shutil.copytree(halted, tmp_path, dirs_exist_ok=True)
    empty_project(tmp_path, monkeypatch)
    return tmp_path


def settings(root: Path) -> api.Settings:
    return api.Settings(root, str(root / ".rollout/state.db"), (str(root / "hosts.yml"),))


async def store(root: Path) -> None:
    request = api.PlanRequest(root / "site.yml", offline=True)
    prepared = await api.prepare(settings(root), request)
    hand = Hand(prepared.resolved)
    (first,), (second, _) = (wave.devices for wave in prepared.resolved.waves)
    hand.succeed(first)
    status = hand.status(second, "none")
    hand.report(second, Reason.LOW_SPACE, detail="needs 3 MiB", status=status)
    hand.ask(Ask.HALT, why="smoke")
    changes = Changes(hand.rollout_row, hand.rows, tuple(hand.journal))
    async with open_state(settings(root)) as kept:
        await kept.create("r-hand", prepared.plan_json, changes)


@pytest.fixture
def carried(monkeypatch) -> list[api.AskRequest]:
    """What the verbs would have been asked to carry out."""
    made: list[api.AskRequest] = []

    def keep(session, request, **_options) -> int:
        made.append(request)
        return int(ExitCode.DONE)

    assert ask.__name__ == "ask"
    monkeypatch.setattr("orchestrator.cli.proposing.ask", keep)
    return made


def test_saved_rollback_says_who_goes_back_and_is_carried_out_by_the_verb(
    project: Path, capsys, carried
) -> None:
    code, out, err = run(capsys, "rollback r-h --out back.plan --reason dark")
    file = Path("back.plan").read_bytes()
    made = from_file(file, file="back.plan")

    assert (code, out.splitlines()[-1]) == (0, "1 to go back. Nothing was changed.")
    saved = f"saved back.plan (sha256:{digest(made)}); `rollout apply back.plan`"
    assert saved in " ".join(err.split())
    jsonschema.validate(json.loads(file), SAVED)
    assert run(capsys, "events --format text")[1].count("rollback") == 0
    assert run(capsys, "apply back.plan")[0] == ExitCode.REFUSED  # nobody can be asked
    assert carried == []
    code, _, err = run(capsys, "apply back.plan --yes")
    assert (code, carried) == (0, [api.AskRequest("r-hand", Ask.ROLLBACK, "dark")])
    assert err.rstrip().endswith("\n\n1 to go back.")


def test_it_takes_the_place_of_no_plan_that_a_person_wrote(project: Path, capsys) -> None:
    code, out, err = run(capsys, "rollback r-h --out site.yml")

    assert (code, out) == (ExitCode.REFUSED, "")
    assert "error[P307]: `site.yml` is no saved plan, and would be lost" in err
    assert Path("site.yml").read_text() == PLAN


def test_saved_retry_is_of_its_class_and_says_that_the_rollout_stays_halted(
    project: Path, capsys, carried
) -> None:
    code, out, _ = run(capsys, "retry --only transfer --out fix.plan")

    assert (code, out.splitlines()[-1]) == (0, "1 to try again. Nothing was changed.")
    assert "failed; too little space: needs 3 MiB" in out
    assert "`rollout resume r-hand --accept-failures`" in out
    code, _, err = run(capsys, "retry --only trust --out none.plan")
    assert (code, Path("none.plan").exists()) == (0, False)
    assert "nothing to do: nothing is saved" in err
    assert run(capsys, "apply fix.plan --yes -q")[::2] == (0, "")
    assert carried[0].only == "transfer"


@pytest.mark.parametrize("form", ["text", "json", "markdown", "gitlab", "gitlab-terraform"])
def test_it_is_shown_as_a_saved_plan_is(project: Path, capsys, form) -> None:
    assert run(capsys, "rollback --out back.plan")[0] == 0

    code, out, _ = run(capsys, f"show back.plan --format {form}")

    assert (code, out) == run(capsys, f"preview back.plan --format {form}")[:2]
    assert code == 0
    assert out


def test_reports_of_it_are_reports_and_a_step_of_github_gets_its_outputs(
    project: Path, capsys, monkeypatch, carried
) -> None:
    for name in ("GITHUB_STEP_SUMMARY", "GITHUB_OUTPUT"):
        monkeypatch.setenv(name, str(project / name))
    assert run(capsys, "rollback --out back.plan")[0] == 0

    github = run(capsys, "preview back.plan --format github")[1]

    assert sarif_run(run(capsys, "preview back.plan --format sarif")[1])["results"] == []
    assert junit_suites(run(capsys, "preview back.plan --format junit")[1]) is not None
    assert "::notice title=rollout::1 to go back; digest " in github
    assert "changes=true\nexit=0\n" in (project / "GITHUB_OUTPUT").read_text()
    assert "### Rollback of rollout `r-hand`" in (project / "GITHUB_STEP_SUMMARY").read_text()
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    said = run(capsys, "apply back.plan --yes")[2]
    assert said.startswith("::group::rollback: 1 to go back\n::stop-commands::")


def test_it_is_stale_when_old_and_when_its_rollout_has_moved_on(
    project: Path, capsys, carried
) -> None:
    assert run(capsys, "rollback --wave canary --out back.plan")[0] == 0
    assert run(capsys, "retry --out fix.plan")[0] == 0
    made = from_file(Path("back.plan").read_bytes(), file="back.plan")
    Path("old.plan").write_bytes(to_file(replace(made, made_at=made.made_at - 90_000)))
    Path("early.plan").write_bytes(to_file(replace(made, made_at=made.made_at + 90_000)))
    Path("more.plan").write_bytes(to_file(replace(made, concerned=())))

    early = run(capsys, "apply early.plan --yes")
    old, more = run(capsys, "apply old.plan --yes"), run(capsys, "apply more.plan --yes")
    invoke(["abort"])
    capsys.readouterr()
    over = run(capsys, "apply fix.plan --yes")

    assert [one[0] for one in (early, old, more, over)] == [ExitCode.STALE] * 4
    assert "error[P311]: the saved rollback is 25 hours old" in old[2]
    assert "error[P311]: the saved rollback was made 1d1h from now, it says" in early[2]
    assert "error[P319]: rollout `r-hand` has moved on" in more[2]
    again = "`rollout rollback r-hand --wave canary --out FILE`"
    assert all(again in " ".join(one[2].split()) for one in (early, old, more))
    assert "error[P319]: rollout `r-hand`: " in over[2]
    assert carried == []
    assert run(capsys, "apply back.plan --yes")[0] == 0  # going back is what it was


@pytest.mark.parametrize("verb", ["rollback", "abort", "status", "show"])
def test_empty_id_is_not_the_one_rollout_that_there_is(project: Path, capsys, verb: str) -> None:
    code = invoke([verb, ""])

    shown = capsys.readouterr()
    assert (code, shown.out) == (ExitCode.USAGE, "")
    assert "the id of the rollout is empty" in shown.err


def test_what_was_carried_out_says_so_and_where_to_look(project: Path, capsys) -> None:
    """Whether it could be done meanwhile or not: it was, and that is the news."""
    assert run(capsys, "rollback --wave canary --out back.plan")[0] == 0
    assert run(capsys, "rollback --out all.plan")[0] == 0
    made = from_file(Path("back.plan").read_bytes(), file="back.plan")

    async def carried_out() -> None:
        asked = OperatorAsked(made.made_at + 60.0, Ask.ROLLBACK, "ann@ops", wave="canary")
        async with open_state(settings(project)) as kept:
            await kept.ask("r-hand", asked)

    asyncio.run(carried_out())
    code, _, err = run(capsys, "apply back.plan --yes")
    said = " ".join(err.split())

    assert code == ExitCode.STALE
    assert "error[P315]: this rollback was asked for already, by ann@ops at 20" in said
    assert "`rollout status r-hand` shows what came of it" in said
    assert "P315" not in run(capsys, "apply all.plan --yes")[2]


@pytest.mark.parametrize("state", ["other.db", "there/is/none.db"])
def test_store_that_does_not_know_its_rollout_is_named(project: Path, capsys, state: str) -> None:
    assert run(capsys, "rollback --out back.plan")[0] == 0
    make_store(project / "other.db")

    code, _, err = run(capsys, f"apply back.plan --yes --state {state}")

    said = " ".join(err.split())
    assert code == ExitCode.USAGE
    assert "rollout `r-hand` of this rollback is not in the state store" in said
    assert f"/{state}`" in said


def test_it_is_no_plan_and_nothing_goes_with_it(project: Path, capsys) -> None:
    assert run(capsys, "rollback --out back.plan")[0] == 0

    for line in ("apply back.plan -l web1", "preview back.plan --out other.plan"):
        code, _, err = run(capsys, line)
        assert (code, "error[P304]" in err) == (ExitCode.REFUSED, True)
    code, _, err = run(capsys, "preview site.yml --offline --diff back.plan")
    assert (code, "is a retry or a rollback of a rollout, and no plan" in err) == (1, True)


def test_validate_finds_what_was_edited(project: Path, capsys) -> None:
    assert run(capsys, "rollback --out back.plan")[0] == 0
    assert run(capsys, "validate back.plan")[0] == 0
    Path("back.plan").write_bytes(Path("back.plan").read_bytes().replace(b"canary", b"canaRy"))

    code, out, err = run(capsys, "validate back.plan")

    assert (code, "P303" in out + err) == (ExitCode.REFUSED, True)


def test_retry_wants_its_role_when_it_is_carried_out(project: Path, capsys, carried) -> None:
    assert run(capsys, "retry --out fix.plan")[0] == 0
    assert run(capsys, "rollback --out back.plan")[0] == 0
    user_file(project).write_text('[roles]\noperator = ["somebody-else"]\n')

    assert run(capsys, "retry --out again.plan")[0] == 0
    code, _, err = run(capsys, "apply fix.plan --yes")

    assert (code, "error[S220]" in err, carried) == (ExitCode.REFUSED, True, [])
    assert run(capsys, "apply back.plan --yes")[0] == 0
