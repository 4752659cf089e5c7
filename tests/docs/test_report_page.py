"""docs/how-to/report.md: its block is run as it stands; the page that it makes is a good one."""

from __future__ import annotations

import asyncio
import json
import re
import sqlite3
from contextlib import closing
from pathlib import Path

import jsonschema
import pytest

from orchestrator import api
from orchestrator.cli.app import invoke
from orchestrator.errors import PlanError
from tests.docs.test_commands_page import waiting_rollout
from tests.in_process import empty_project
from tests.unit.render.pages import Node, problems, read

PAGE = (Path(__file__).parents[2] / "docs/how-to/report.md").read_text(encoding="utf-8")


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project with a rollout that waits for approvals, and whose journal has a checkpoint."""
    empty_project(tmp_path, monkeypatch)
    waiting_rollout(tmp_path)
    assert invoke(["audit", "checkpoint"]) == 0
    return tmp_path


def made(project: Path) -> Node:
    (block,) = re.findall(r"^```sh\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
    (line,) = block.splitlines()
    program, *words = line.split()
    assert program == "rollout"
    assert invoke(words) == 0
    page = read((project / "report.html").read_text(encoding="utf-8"))
    assert problems(page) == []
    return page


def test_page_of_a_stored_rollout_has_all_parts(project: Path, capsys) -> None:
    page = made(project)

    assert capsys.readouterr().err.endswith("report of r-7f3a written to report.html\n")
    assert page.one("h1").text == "Rollout r-7f3a of site: awaiting approval"
    parts = [node.text for node in page.all("h2")]
    assert parts == re.findall(r"^\| ([A-Z][^|]*) \|", PAGE, re.MULTILINE)
    assert "Its end is signed by a checkpoint." in page.text
    assert "never touched" in page.text


def test_changed_journal_is_said(project: Path) -> None:
    with closing(sqlite3.connect(project / ".rollout/state.db")) as store:
        store.execute("UPDATE journal SET wave = 'another' WHERE seq = 1")
        store.commit()

    page = made(project)

    assert "The journal does not hold: entry 1 is not what was written" in page.text


def test_cut_off_journal_is_told_by_its_checkpoint(project: Path) -> None:
    with closing(sqlite3.connect(project / ".rollout/state.db")) as store:
        store.execute("DELETE FROM journal WHERE seq = (SELECT max(seq) FROM journal)")
        store.commit()

    page = made(project)

    assert "knew another journal up to entry" in page.text
    assert "Its end is signed" not in page.text


def test_checkpoints_that_cannot_be_read_are_no_proof(project: Path) -> None:
    (project / ".rollout/checkpoints").unlink()

    page = made(project)

    assert "No checkpoint vouches for it" in page.text
    assert "was taken away" in page.text


def test_report_to_stdout_is_the_page_alone(project: Path, capsys) -> None:
    assert invoke(["report", "--html", "-"]) == 0

    assert problems(read(capsys.readouterr().out)) == []


def test_facts_of_the_page_are_data_that_fits_its_schema(project: Path, capsys) -> None:
    capsys.readouterr()
    assert invoke(["report", "--format", "json"]) == 0

    found = json.loads(capsys.readouterr().out)

    schema = Path(__file__).parents[2] / "schemas/report.v1.json"
    jsonschema.validate(found, json.loads(schema.read_text(encoding="utf-8")))
    assert (found["rollout"], found["state"]) == ("r-7f3a", "awaiting_approval")
    assert found["proof"]["holds"]
    assert [one["seq"] for one in found["proof"]["checkpoints"]] == [found["proof"]["seq"]]


def test_report_wants_a_place_and_a_rollout(tmp_path: Path, monkeypatch, capsys) -> None:
    empty_project(tmp_path, monkeypatch)

    assert invoke(["report"]) == 2
    assert "say where the page goes: --html FILE" in capsys.readouterr().err
    assert invoke(["report", "--html", "-", "--format", "json"]) == 2
    capsys.readouterr()
    assert invoke(["report", "--html", "page.html"]) == 1
    assert "no rollout was started here yet" in capsys.readouterr().err
    assert not (tmp_path / "page.html").exists()


def test_report_needs_a_role_where_there_are_roles(project: Path) -> None:
    state = str(project / ".rollout/state.db")
    settings = api.Settings(root=project, state=state, roles=("operator=somebody",))

    with pytest.raises(PlanError, match="has not the role `auditor` or `operator`"):
        asyncio.run(api.report(settings, None))
