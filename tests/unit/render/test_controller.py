"""Where a controller stands: the document and the lines."""

import json
from dataclasses import replace

import jsonschema

from orchestrator.gitops.plans import Applied, Trouble
from orchestrator.gitops.record import Note, Noted, Record
from orchestrator.gitops.standing import Part, RolloutStanding, Standing
from orchestrator.render.controller import document, lines
from orchestrator.render.json_text import dump
from orchestrator.rollout.around import FleetFreeze
from tests.unit.render.test_documents import closed, schema

COMMIT, OTHER = "a1" * 20, "b2" * 20
RECORD = Record(
    "ssh://git@git.example.net/fleet.git", "main", COMMIT, "ann@corp",
    {"plans/site.yml": Applied("1", COMMIT, "r-1"), "plans/done.yml": Applied("2", COMMIT)},
    (Note(1.0, Noted.TAKEN, COMMIT, "ann@corp"),),
)  # fmt: skip
FULL = Standing(
    90.0, Part.ACTIVE, RECORD, "ann@ops:1:2:3", OTHER, "commit `b2b2b2b2b2b2` is not taken: no",
    Trouble("git: it is \x1b[31mdown", 2, 3, 120.0), {"plans/bad.yml": Trouble("P101 no", 1, 1, 120.0, COMMIT)},
    (
        RolloutStanding("r-1", "site", "running", 7, "plans/site.yml", ("window",), {"window": 7200.0}),
        RolloutStanding("r-2", "else", "paused", 2, error="the artifact is gone"),
    ),
    FleetFreeze("holiday", "bob", 1.0, None), 60.0,
)  # fmt: skip


def test_document_is_as_its_schema_says() -> None:
    validator = jsonschema.Draft202012Validator(closed(schema("reconcile")))

    for standing in (
        FULL,
        replace(FULL, trouble=None, frozen=None, passed_at=None),
        Standing(1.0, Part.STANDBY, Record("/srv/fleet.git", "main"), "ann@ops"),
    ):
        validator.validate(json.loads(dump(document(standing))))


def test_lines_say_each_fact_once() -> None:
    assert lines(FULL) == (
        "ssh://git@git.example.net/fleet.git main is at a1a1a1a1a1a1, signed by ann@corp",
        "commit `b2b2b2b2b2b2` is not taken: no",
        "the branch is not followed: git: it is \\x1b[31mdown; again after 1970-01-01 00:02:00Z",
        "all rollouts are frozen by bob: holiday",
        "plans/bad.yml: not applied: P101 no; again after 1970-01-01 00:02:00Z",
        "r-1 site of plans/site.yml: running, waits for window until 1970-01-01 02:00:00Z",
        "r-2 else: paused: not advanced: the artifact is gone",
    )


def test_pattern_that_no_file_has_is_told() -> None:
    well = Standing(1.0, Part.ACTIVE, RECORD, unplanned="plans/*.yaml")

    assert lines(well)[1:] == ("no file there is a plan, by `plans/*.yaml`: nothing is applied",)


def test_end_of_trouble_with_the_branch_is_told() -> None:
    well = replace(FULL, trouble=None)

    assert "the branch is followed again" in lines(well, before=FULL)
    assert "the branch is followed again" not in lines(well, before=well)
    assert "the branch is followed again" not in lines(FULL, before=FULL)


def test_who_stands_by_says_who_acts_and_who_has_stopped_says_nothing() -> None:
    assert lines(replace(FULL, part=Part.STANDBY, trouble=None)) == (
        "standing by: ann@ops:1:2:3 acts",
    )
    assert lines(replace(FULL, part=Part.STOPPED)) == ()
