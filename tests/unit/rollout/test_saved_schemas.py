"""The schemas of saved plans and of proposals are those of the classes that are written."""

from __future__ import annotations

import json

import pytest

from orchestrator.plan.resolved import ResolvedPlan
from orchestrator.rollout.proposal import Proposal
from tests.schema_of import FORMAT, SCHEMAS, SHA256, Schema, head, object_of


def saved_plan() -> Schema:
    defs: dict[str, object] = {}
    plan = object_of(ResolvedPlan, defs, {"format_version": FORMAT})
    proposal = object_of(Proposal, defs, {"format_version": FORMAT})
    why = "Its digest is of the bytes of the value before it: canonical JSON (RFC 8785)."
    return {
        **head(
            "saved-plan",
            "What --out saves",
            "A file of `rollout preview --out`, or of `rollout retry` and `rollout rollback` with "
            f"--out. {why} Shares are exact fractions, times UTC seconds.",
        ),
        "oneOf": [
            {
                "type": "object",
                "required": [key, "sha256"],
                "additionalProperties": False,
                "properties": {key: body, "sha256": SHA256},
            }
            for key, body in (("plan", plan), ("proposal", proposal))
        ],
        "$defs": dict(sorted(defs.items())),
    }


def proposal() -> Schema:
    defs: dict[str, object] = {}
    more = {"format_version": FORMAT, "kind": {"const": "proposal"}, "digest": SHA256}
    words = "What `rollout show FILE --format json` prints of a saved retry or rollback."
    title = "A retry or a rollback that is reviewed"
    return {
        **head("proposal", title, words),
        **{key: part for key, part in object_of(Proposal, defs, more).items() if key != "description"},
        "$defs": dict(sorted(defs.items())),
    }  # fmt: skip


@pytest.mark.parametrize(
    ("name", "schema"), [("saved-plan", saved_plan()), ("proposal", proposal())]
)
def test_schema_is_that_of_what_is_written(request, name: str, schema: Schema) -> None:
    path = SCHEMAS / f"{name}.v1.json"
    text = json.dumps(schema, indent=2, ensure_ascii=False) + "\n"
    if request.config.getoption("--update-golden"):
        path.write_text(text)

    assert path.read_text() == text, "run this with --update-golden, and read the difference"
