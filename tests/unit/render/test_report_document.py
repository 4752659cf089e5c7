import json
from dataclasses import replace
from pathlib import Path

import jsonschema

from orchestrator.render.report import ReportFacts
from orchestrator.render.report_document import report_document
from tests.unit.render.busy import busy_journal, busy_plan
from tests.unit.render.test_report import PROOF
from tests.unit.render.told import facts_of

SCHEMA = json.loads((Path(__file__).parents[3] / "schemas/report.v1.json").read_text())


def test_document_of_a_rollout_in_which_much_happened() -> None:
    plan = busy_plan()
    journal = busy_journal(plan).entries

    found = report_document(ReportFacts(facts_of(plan, journal), journal, PROOF, "0.1.0"))

    assert json.loads(json.dumps(found, allow_nan=False)) == found
    jsonschema.validate(found, SCHEMA)
    assert [wave["state"] for wave in found["waves"]] == ["passed", "passed", "running"]
    assert sum(len(one["devices"]) for one in found["devices"]) == 240
    assert found["causes"][0]["reason"] == "unreachable"
    assert [len(one["samples"]) for one in found["gates"]] == [60, 1, 60, 1, 1]
    assert [one["device"] for one in found["left_out"]] == ["gw-101", "gw-102", "old-1"]


def test_what_looks_like_a_secret_is_masked_and_nothing_is_cut(plan, journal) -> None:
    detail = "token=abc123 " + "x" * 900
    journal.device("gw-001", "canary", "failed", reason="io", detail=detail)
    proof = replace(PROOF, fault="entry 3 is missing")

    facts = facts_of(plan, journal.entries)
    found = report_document(ReportFacts(facts, journal.entries, proof, "0.1.0"))

    assert found["causes"][0]["detail"] == "token=*** " + "x" * 900
    assert (found["proof"]["holds"], found["proof"]["fault"]) == (False, "entry 3 is missing")
