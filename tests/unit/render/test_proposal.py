"""Proposals in the forms of a preview."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import jsonschema
import pytest

from orchestrator.device.model import DeviceId
from orchestrator.device.reason import FailureClass, Reason
from orchestrator.render.proposal import (
    proposal_document,
    proposal_markdown,
    proposal_text,
    proposal_widget,
)
from orchestrator.render.text import cells
from orchestrator.rollout.events import Ask
from orchestrator.rollout.proposal import Concerned, Proposal
from orchestrator.rollout.states import DeviceState, RolloutState
from tests.unit.render.test_preview import LOOKS, PAINT

SCHEMA = json.loads((Path(__file__).parents[3] / "schemas/proposal.v1.json").read_text())
DIGEST = "e1" * 32
NO_SPACE = "needs 61 MiB, and 12 are free"


def concerned(wave: str, number: int, state: DeviceState, **told: object) -> Concerned:
    facts = {"reason": Reason.OK, "detail": "", "before": "gateway-1.4.1", "before_manifest": ""}
    return Concerned(DeviceId(f"gw-{number:03}"), wave, state, **(facts | told))  # type: ignore[arg-type]


BACK = Proposal(
    rollout="r-7f3a",
    ask=Ask.ROLLBACK,
    plan="gateway-fw",
    plan_sha256="d" * 64,
    artifact="gateway-1.4.2",
    state=RolloutState.HALTED,
    stays_halted=False,
    wave=None,
    devices=(),
    only=None,
    why="the screens of these stay dark, says <b>@everybody</b>",
    concerned=(
        concerned(
            "early", 7, DeviceState.LOST, reason=Reason.LOST, before=None, before_manifest="ab" * 32
        ),
        *(concerned("early", number, DeviceState.SUCCEEDED) for number in (5, 4, 3, 2)),
        concerned("canary", 1, DeviceState.SUCCEEDED, before=""),
    ),
    others={"cancelled": 3, "pending": 1182, "rolled_back": 1},
    made_at=1_795_000_000.0,
    tool_version="0.1.0",
)
AGAIN = replace(
    BACK,
    ask=Ask.RETRY,
    stays_halted=True,
    only=FailureClass.TRANSFER,
    devices=(DeviceId("gw-044"), DeviceId("gw-051")),
    why="",
    concerned=tuple(
        concerned("early", number, DeviceState.FAILED, reason=Reason.LOW_SPACE, detail=NO_SPACE)
        for number in (44, 51)
    ),
)


@pytest.mark.parametrize("width", [60, 100])
@pytest.mark.parametrize("kind", ["", "-ascii"])
def test_proposals_for_people(width: int, kind: str, golden) -> None:
    look = replace(LOOKS[kind], width=width)
    shown = "\n".join(proposal_text(one, DIGEST, look) for one in (BACK, AGAIN))

    assert all(cells(line) <= width for line in shown.splitlines())
    golden(f"proposal-{width}{kind}.txt", shown)


def test_colour_adds_nothing_and_all_names_are_there_when_asked_for() -> None:
    coloured = proposal_text(BACK, DIGEST, replace(LOOKS["-colour"], width=80))
    plain = proposal_text(BACK, DIGEST, replace(LOOKS[""], width=80))
    verbose = proposal_text(BACK, DIGEST, LOOKS[""], all_names=True)

    assert PAINT.sub("", coloured) == plain
    assert "gw-005 gw-004 gw-003 gw-002" in verbose


@pytest.mark.parametrize("proposal", [BACK, AGAIN])
def test_document_fits_its_schema(proposal: Proposal) -> None:
    document = json.loads(json.dumps(proposal_document(proposal, DIGEST)))

    jsonschema.validate(document, SCHEMA)
    assert next(one["device"] for one in document["concerned"]).startswith("gw-0")
    assert json.loads(proposal_widget(proposal))["update"] == len(proposal.concerned)


def test_comment_has_its_marker_its_digest_and_nothing_of_others_that_acts() -> None:
    waves = tuple(concerned(f"w{n}", n, DeviceState.SUCCEEDED) for n in range(5000))
    shown = proposal_markdown(BACK, DIGEST, link="https://ci.example.net/1")
    long = proposal_markdown(replace(BACK, concerned=waves), DIGEST)

    assert shown.startswith("<!-- rollout:proposal:r-7f3a:rollback -->\n### Rollback of rollout")
    assert f"digest `{DIGEST}`" in shown
    assert "**6 to go back**" in shown
    assert "`<b>@everybody</b>`" in shown
    assert "1 182 pending" in shown
    assert "| and" not in shown
    assert "and 4 960 more waves" in long
    assert len(long.encode()) <= 60_000
