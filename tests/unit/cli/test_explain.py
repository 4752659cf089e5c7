"""`rollout explain` and `rollout schema`: what the program says of its own words."""

from __future__ import annotations

import json
from pathlib import Path

import jsonschema
import pytest

from orchestrator import api
from orchestrator.errors import ExitCode
from tests.in_process import empty_project, run

SCHEMAS = Path(__file__).parents[3] / "schemas"


@pytest.fixture(autouse=True)
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    empty_project(tmp_path, monkeypatch, columns_count=80)


def test_a_code_is_explained_by_its_row_and_by_sentences_that_name_it(capsys) -> None:
    code, out, _ = run(capsys, "explain I121 p203")

    assert code == 0
    first, second = out.split("\n\n")
    assert first.splitlines()[0].startswith("I121  warning: a file of variables that is not read")
    assert "A file that is hidden by another (`I121`) or belongs to no" in " ".join(first.split())
    assert first.splitlines()[-1].strip() == "docs/reference/inventory.md"
    assert second.startswith("P203  wave sizes add up to more than 100 %\n")
    assert all(len(line) <= 80 for line in out.splitlines())


def test_reasons_and_exit_codes_are_explained_with_all_that_their_tables_say(capsys) -> None:
    out = run(capsys, "explain check_failed 5")[1]

    reason, code = out.split("\n\n")
    assert reason.startswith("check_failed  ")
    assert "· counts as a failure: yes" in reason
    assert "· name: rolled_back" in code
    assert code.startswith("5     halted (or superseded)")


def test_without_a_code_all_are_listed_with_a_line_each(capsys) -> None:
    out = run(capsys, "explain")[1]

    codes = [line.split()[0] for line in out.splitlines() if not line.startswith(" ")]
    findings = sorted(api.meanings())
    assert codes[: len(findings)] == findings
    assert codes[len(findings)] == "activate_failed"
    assert codes[-3:] == ["9", "130", "143"]
    assert len(codes) > 350


def test_as_data_they_fit_their_schema(capsys) -> None:
    document = json.loads(run(capsys, "explain --format json T184 held 5")[1])

    schema = json.loads((SCHEMAS / "codes.v1.json").read_text())
    jsonschema.Draft202012Validator(schema).validate(document)
    assert [one["code"] for one in document["codes"]] == ["T184", "held", "5"]


def test_a_code_that_is_not_there_is_refused(capsys) -> None:
    code, out, err = run(capsys, "explain P2O3")

    assert (code, out) == (ExitCode.REFUSED, "")
    assert "error[S130]: there is no code `P2O3`\n" in err


def test_a_word_that_is_nearly_a_reason_is_told_which(capsys) -> None:
    err = run(capsys, "explain chek_failed")[2]

    assert "there is no code `chek_failed`; did you mean `check_failed`?" in err


def test_schemas_are_listed_and_printed(capsys) -> None:
    names = run(capsys, "schema")[1].split()

    assert names == sorted(path.name.removesuffix(".v1.json") for path in SCHEMAS.iterdir())
    assert run(capsys, "schema plan")[1] == (SCHEMAS / "plan.v1.json").read_text()
    assert run(capsys, "schema plan.v1.json -o x")[:2] == (0, "")
    assert Path("x").read_text() == (SCHEMAS / "plan.v1.json").read_text()


@pytest.mark.parametrize("name", ["plam", "../plan", "x\x1b[0m"])
def test_a_schema_that_is_not_there_is_refused(capsys, name: str) -> None:
    code, out, err = run(capsys, f"schema {name}")

    assert (code, out) == (ExitCode.REFUSED, "")
    assert "error[S131]: there is no schema" in err
    assert "\x1b" not in err
