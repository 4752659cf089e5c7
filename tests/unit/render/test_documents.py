import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import jsonschema
import pytest

from orchestrator.errors import Diagnostic, ExitCode, Where
from orchestrator.plan.difference import Since, difference
from orchestrator.plan.preview import preview
from orchestrator.plan.resolved import (
    Approval,
    Budget,
    Burst,
    Compare,
    CompareTest,
    CompareTo,
    Covered,
    Direction,
    Freeze,
    Hook,
    HookEvent,
    PlannedOpening,
    PlannedTicket,
    PlannedTrust,
    Rate,
    RateIncrease,
    Requirement,
    Schedule,
    TicketProof,
    Window,
)
from orchestrator.render import diagnostics, shown, status
from orchestrator.render.documents import (
    delivery_line,
    event_line,
    events_head,
    preview_document,
)
from orchestrator.render.hooks import hook_lines
from orchestrator.render.json_text import dump
from orchestrator.render.standing import Facts
from orchestrator.rollout.machine import Rollout
from orchestrator.rollout.notices import Delivery
from orchestrator.rollout.story import tell

SCHEMAS = Path(__file__).parents[3] / "schemas"
MINE = ("preview", "status", "rollouts", "diagnostics", "devices", "artifact", "key", "lab",
        "events", "hosts")  # fmt: skip
DIGEST = "e1" * 32
START = 1_795_000_000.0  # when the plan was made


def schema(name: str) -> dict:
    return json.loads((SCHEMAS / f"{name}.v1.json").read_text())


def closed(node: object) -> object:
    """The schema with unknown properties forbidden: what we write must be written down."""
    if isinstance(node, list):
        return [closed(item) for item in node]
    if not isinstance(node, Mapping):
        return node
    found = {key: closed(value) for key, value in node.items()}
    if "properties" in found and "required" in found and "if" not in node:
        found.setdefault("additionalProperties", False)
    return found


def check(name: str, document: object) -> None:
    jsonschema.Draft202012Validator(closed(schema(name))).validate(document)


def facts_of(plan) -> Facts:
    story = tell(Rollout.start(plan, "r-1", at=5.0))
    return Facts(plan, DIGEST, story, "anna@ops", story.at)


@pytest.mark.parametrize("name", MINE)
def test_schemas_are_schemas(name) -> None:
    jsonschema.Draft202012Validator.check_schema(schema(name))


def test_preview_of_every_key_fits_its_schema(plan, plan_with) -> None:
    wave = replace(
        plan.waves[0],
        hosts="lab",
        capped=True,
        covered=(Covered(plan.waves[0].devices[0], "hardware", "rev-a"),),
        window=Burst(1, 600.0),
        approval=Approval(2, ("ops",), not_author=True, expires_s=60.0),
        deadline_s=5.0,
    )
    compare = Compare(
        CompareTo.CONTROL, CompareTest.FISHER, 0.05, Direction.INCREASE, 1.5, min_samples=8
    )
    full = plan_with(
        waves=(wave, *plan.waves[1:]),
        gates=(replace(plan.gates[0], compare=compare),),
        approval=Approval(),
        schedule=Schedule(
            start_at=START + 60.0,
            windows=(Window(("mon",), "01:00", 3600.0, "UTC"),),
            freezes=(Freeze(5.0, 6.0, "new year"),),
            deadline_s=86400.0,
        ),
        rate=Rate(5, RateIncrease(2.0, 3, 10)),
        budget=Budget(3, None, Burst(1, 60.0)),
        max_parallel_per={"site": 2},
        requires=(Requirement("modem", ">=7"),),
        hooks=(Hook((HookEvent.HALTED,), email="ops@example.org"),),
    )

    found = preview_document(preview(full), DIGEST, Since("old", DIGEST, difference(plan, full)))

    check("preview", found)
    assert json.loads(dump(found)) == found
    assert found["waves"][0]["covered"] == [
        {"device": plan.waves[0].devices[0], "label": "hardware", "value": "rev-a"}
    ]
    assert found["limits"]["budget_count"] == 3
    assert found["schedule"]["first_start_at"] > START


def test_documents_have_nothing_that_a_terminal_obeys() -> None:
    words = "\x1b[2J \x7f \x9b2J \u202e \u2028"

    text = dump({"detail": words})

    assert text.isascii()
    assert all(char.isprintable() or char == "\n" for char in text)
    assert json.loads(text) == {"detail": words}


def test_preview_fits_its_schema(plan) -> None:
    found = preview_document(preview(plan), DIGEST)

    check("preview", found)
    assert json.loads(dump(found)) == found
    assert found["counts"] == {
        "devices": 24,
        "update": 24,
        "unchanged": 0,
        "unknown": 0,
        "reports_unsigned": 24,
        "skipped": 3,
    }


def test_preview_of_a_release_with_a_ticket_fits_its_schema(plan, plan_with) -> None:
    lines = (PlannedOpening(50, 1_764_000_000.0),)
    ticket = PlannedTicket("0" * 64, "1" * 64, "acme-prod", 42, 1_764_417_600.0, 7, ("pi4",), lines)
    unasked = {name: replace(device, current=None) for name, device in plan.devices.items()}
    released = plan_with(artifact=replace(plan.artifact, ticket=ticket), devices=unasked)

    document = preview_document(preview(released), DIGEST)

    check("preview", document)
    assert document["artifact"]["ticket"]["openings"] == [
        {"percent": 50, "opens_at": 1_764_000_000.0}
    ]
    found = [each for wave in document["waves"] for each in wave["openings"]]
    assert {(each["percent"], each["opens_at"]) for each in found} == {
        (50, 1_764_000_000.0), (None, None),
    }  # fmt: skip
    assert sum(each["device_count"] for each in found) == len(plan.devices)


def test_preview_of_devices_with_trust_roots_fits_its_schema(plan, plan_with) -> None:
    name, *_ = plan.devices
    trust = PlannedTrust(2, "acme", 7, 41, ("ecdsa-p256",))
    proof = TicketProof(2, 1, {"ecdsa-p256": 1})
    ticket = PlannedTicket("0" * 64, "1" * 64, "acme", 42, 1e10, 7, ("pi4",), proof=proof)
    devices = {**plan.devices, name: replace(plan.devices[name], trust=trust)}
    rooted = plan_with(artifact=replace(plan.artifact, ticket=ticket), devices=devices)

    document = preview_document(preview(rooted), DIGEST)

    check("preview", document)
    group = next(each for each in document["trust"] if each["root"])
    assert group == {
        "root": {
            "root_version": 2, "fleet": "acme", "security_floor": 7, "serial": 41,
            "kinds": ["ecdsa-p256"], "reads_ssh": False,
        },
        "device_count": 1,
        "devices": [name],
    }  # fmt: skip


def test_status_fits_its_schema(plan) -> None:
    check("status", status.document(facts_of(plan)))
    unread = status.Unread("r-2", "site", "succeeded", "was changed")
    check("rollouts", status.list_document([facts_of(plan), unread, facts_of(plan)]))


def test_every_event_fits_the_schema(good_release, bad_release) -> None:
    check_line = jsonschema.Draft202012Validator(schema("events")).validate
    check_line(json.loads(events_head("r-1", "0.1.0", DIGEST)))

    for book in (good_release, bad_release):
        for entry in book.entries:
            check_line(json.loads(event_line(entry, "r-1")))


def test_what_hooks_were_told_fits_the_schema() -> None:
    made = Delivery(
        41, 0, "halted", "https://chat.example", 2, delivered=False, at=5.5, detail="503"
    )
    line = json.loads(delivery_line(made, "r-1"))

    jsonschema.Draft202012Validator(schema("events")).validate(line)
    assert line["data"]["id"] == "r-1/41"
    assert list(hook_lines([made])) == [
        "hook 1, https://chat.example: halted (entry 41): not told (2 attempts): 503"
    ]


def test_types_of_events_are_those_of_the_journal() -> None:
    from orchestrator.rollout.events import JournalEntry

    words = " ".join(JournalEntry.__doc__.split()).partition("Types: ")[2].partition(".")[0]
    entry = schema("events")["oneOf"][1]

    assert entry["properties"]["type"]["enum"] == words.split(", ")


def test_states_in_schemas_are_those_of_the_rollout() -> None:
    from orchestrator.rollout.states import DeviceState, RolloutState, WaveState

    found = schema("status")["properties"]
    wave = found["waves"]["items"]["properties"]

    assert found["state"]["enum"] == [str(state) for state in RolloutState]
    assert wave["state"]["enum"] == [str(state) for state in WaveState]
    assert wave["counts"]["propertyNames"]["enum"] == [str(state) for state in DeviceState]


def test_a_line_of_events_survives_every_collector(journal) -> None:
    entry = journal.add("device_state", wave="w", device="d", detail="\u2028\x85\x1b\n")

    line = event_line(entry, "r-1")

    assert line.isascii()
    assert line.count("\n") == 1
    assert json.loads(line)["data"]["detail"] == "\u2028\x85\x1b\n"


def test_findings_fit_their_schema() -> None:
    found = [Diagnostic(Where("a.yml", 1, 2), "P101", "unknown", "hint")]

    check("diagnostics", diagnostics.document(found, 1))


def test_single_things_fit_their_schemas() -> None:
    key = shown.key_document(
        kind="ecdsa-p256", fingerprint="ab", private=None, public="k.pub", public_pem="..."
    )
    artifact = shown.ArtifactFacts(
        path="a.mender",
        name="a-1",
        sha256="a" * 64,
        manifest_sha256="b" * 64,
        size_bytes=7,
        device_types=("x",),
        payload_type="directory",
        compression="gzip",
        signed=True,
        signed_by="",
        depends={"artifact_name": ["a-0"]},
        provides={"artifact_name": "a-1"},
        files=(("update.tar", 5, "c" * 64),),
    )
    answer = shown.AnswerFacts("gw-1", False, "unreachable", "no route", {"state": "idle"})

    check("key", key)
    check("artifact", shown.artifact_document(artifact))
    check("devices", shown.answers_document([answer]))
    check("lab", shown.lab_document("/lab", "/lab/inventory.yml", 7, [("lab-01", "ok", "")]))
    check("hosts", ["gw-1", "gw-2"])


def test_exit_codes_in_status_are_ours(plan) -> None:
    assert status.document(facts_of(plan))["exit_code"] in set(ExitCode)
