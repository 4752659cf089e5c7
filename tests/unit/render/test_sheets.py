"""Every other text for people, as a sheet: at 60, 80 and 120 columns, without and with colour.

Previews, comparisons and findings have files of their own, one for each width and colour. Of the texts here a sheet
shows all six, and of each of them is checked that it keeps its width, and that colour changes no word.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace

import pytest

from orchestrator.api.explaining import Explanation
from orchestrator.device.reason import Reason
from orchestrator.errors import TrustError, Where
from orchestrator.render import drift, fleet, logs, shown, status, why
from orchestrator.render.audit import FleetFacts, audit_text
from orchestrator.render.board import Board
from orchestrator.render.bundle import BundleCheck, BundleFacts, bundle_text
from orchestrator.render.codes import codes_text
from orchestrator.render.configuration import configuration_text
from orchestrator.render.controls import Controls, Panel
from orchestrator.render.diagnostics import error_text
from orchestrator.render.evidence import EvidenceFacts, PaperFacts, evidence_text
from orchestrator.render.evidence_lines import evidence_lines
from orchestrator.render.inventory import explained_text, graph_text, host_text, inventory_text
from orchestrator.render.lines import Detail, Lines
from orchestrator.render.release import root_text, ticket_text
from orchestrator.render.screen import screen
from orchestrator.render.summary import summary
from orchestrator.render.text import Look, cells
from orchestrator.rollout.audit import Audit, Fault, Finding
from tests.unit.render.conftest import START, Journal, make_plan
from tests.unit.render.going_on import gated_plan, halfway
from tests.unit.render.test_configuration import CONFIGURATION
from tests.unit.render.test_evidence_lines import FOUND
from tests.unit.render.test_fleet import fleet_of
from tests.unit.render.test_inventory import Group, Host, Value, Variable
from tests.unit.render.test_release import ROOT, TICKET
from tests.unit.render.test_why import ENGINE, GO_ON, STORY, entries
from tests.unit.render.told import facts_of

WIDTHS = (60, 80, 120)
_COLOUR = re.compile(r"\x1b\[[0-9;]*m")
_DIGEST = re.compile(r"\b[0-9a-f]{64}\b")  # stands in one piece: it is copied
ONE_LINE_EACH = {"log"}  # entries, which programs search
Text = Callable[[Look], str]


def joined(lines: Iterable[str]) -> str:
    return "\n".join(lines) + "\n"


def board() -> Board:
    plan = gated_plan()
    book = halfway(plan)
    found = Board(plan, "r-7f3a")
    found.take(book.entries)
    found.take_time(book.at)
    return found


def view(panel: Panel) -> Text:
    return lambda look: joined(screen(board(), look, 24, (), Controls(panel=panel)))


def log(look: Look) -> str:
    plan = gated_plan()
    lines = Lines(Board(plan, "r-7f3a"), look, detail=Detail.DEVICES)
    return joined([*lines.take(halfway(plan).entries), *lines.end()])


def halted() -> Journal:
    book = Journal()
    book.add("rollout_started")
    book.add("wave_started", wave="canary")
    book.device("gw-001", "canary", "transferring", "confirmed", "succeeded")
    book.add("wave_done", wave="canary", state="passed")
    book.add("wave_started", wave="early")
    for name in ("gw-002", "gw-005"):
        book.device(
            name, "early", "transferring", "failed", reason="low_space", detail="need 61 MiB"
        )
    book.device("gw-003", "early", "activating", "uncertain", "lost", reason="lost")
    book.device("gw-004", "early", "deferred", reason="unreachable")
    book.add("halted", wave="early", cause="budget", detail="3 failures, 1 allowed")
    return book


FACTS = facts_of(
    make_plan(), halted().entries, waits_for=("operator",),
    next_commands=("rollout resume r-7f3a --accept-failures", "rollout rollback r-7f3a"),
)  # fmt: skip
GROUPS = Group("all", (
    Group("gateways", (Group("berlin", hosts=tuple(f"gw-{n:02}" for n in range(1, 13))),)),
    Group("ungrouped", hosts=("bench",)),
))  # fmt: skip
HOST = Host("gw-01", ("berlin", "gateways"), (
    Variable("ansible_host", (Value("192.0.2.17"),)),
    Variable("ansible_user", (
        Value("admin", "group gateways", Where("inventory/group_vars/gateways.yml", 3, 1)),
        Value("rollout", "host", Where("inventory/hosts.yml", 12, 7)),
    )),
    Variable("password", (Value("hidden", "host", Where("inventory/hosts.yml", 13, 7), True),)),
    Variable("labels", (Value({"site": "berlin", "hardware": "rpi4", "floor": 2}),)),
))  # fmt: skip
LISTED = Group("all", (
    Group("ungrouped"),
    Group("gateways", hosts=tuple(f"gw-{number:03}.example.net" for number in range(1, 13))),
    Group("kiosks", (Group("lobby", hosts=("kiosk-1",)), Group("street")), ("kiosk-north", "kiosk-1")),
    *(Group(name) for name in ("modems", "switches", "benches")),
))  # fmt: skip
SAID = logs.LogFacts("-- activate\ncopying\n\x1b[31mno space left on /data\n", Reason.OK, "")
BUNDLE = BundleFacts(
    "r-7f3a.bundle", "a" * 64, "rollout r-7f3a of gateway-fw", 31,
    (
        BundleCheck("journal", True, "412 entries, each with the hash of all before it"),
        BundleCheck("approvals", False, "the key of `bob@corp` was not allowed at that time", "T150"),
    ),
    ("no SBOM lies beside the artifact",), 2,
)  # fmt: skip
ARTIFACT = shown.ArtifactFacts(
    path="releases/gateway-1.4.2.mender", name="gateway-1.4.2", sha256="a" * 64,
    manifest_sha256="b" * 64, size_bytes=64_277_000, device_types=("rpi4", "rpi5"),
    payload_type="directory", compression="gzip", signed=True, signed_by="release-2026.pub",
    depends={"device": ["rpi4", "rpi5"]}, provides={"artifact_name": "gateway-1.4.2"},
    files=(("update.tar", 64_270_000, "c" * 64),),
)  # fmt: skip
ANSWERS = (
    shown.AnswerFacts("gw-001", True, "ok", "", {"state": "idle", "artifact": "gateway-1.4.1"}),
    shown.AnswerFacts("gw-002", False, "unreachable", "no route to host after 30 s \x1b[2J", {}),
)
DELTA = shown.DeltaFacts(
    "releases/gateway-1.4.1-to-1.4.2.delta", "gateway-1.4.1", "gateway-1.4.2", "update.tar",
    1_200_000, 64_270_000,
)  # fmt: skip
PAPERS = EvidenceFacts(
    "releases/gateway-1.4.2.evidence", "gateway-1.4.2", "a" * 64,
    (PaperFacts("sbom", "gateway-1.4.2.cdx.json", "b" * 64),), ("ed25519 SHA256:k2k2k2",), 2,
)  # fmt: skip
AUDIT = Audit(
    rollout_count=12, entry_count=4410, seal_count=2, last_sealed_at=START, unsealed_count=3,
    witness_count=7,
    findings=(Finding(Fault.CUT, "its end was cut off", "r-7f3a", 41, START, "halted"),),
)  # fmt: skip
ASKED = FleetFacts(
    9, 1, (("gw-044", "unreachable", "connect to 192.0.2.44 port 22: no route to host"),)
)
CODE = Explanation(
    "I116",
    "a setting that turns host key checking off",
    "docs/reference/inventory.md",
    (
        "Nothing turns host key checking off: `StrictHostKeyChecking=no` and its like are errors (`I116`).",
    ),
)
REFUSED = TrustError(
    "the artifact `releases/gateway-1.4.2.mender` is signed by no key that is trusted here",
    hint="name the public key in `trusted_keys`, or let the build role sign it",
    where=Where("plans/gateway.yml", 5, 11),
    code="T101",
)

TEXTS: dict[str, Text] = {
    "fleet": lambda look: fleet.text(fleet_of(), "site", look),
    "drift": lambda look: drift.text(fleet_of(asked=True), look),
    "view": view(Panel.NONE),
    "view-help": view(Panel.HELP),
    "view-logs": view(Panel.LOGS),
    "log": log,
    "summary": lambda look: joined(summary(FACTS, look, exit_code=4)),
    "status": lambda look: status.text(FACTS, look),
    "status-all": lambda look: status.table_text(
        [FACTS, replace(FACTS, engine="ann@ops:812:77:0123abcd")], look
    ),
    "device": lambda look: why.text(
        why.WhyFacts("r-1", STORY, entries(2), 100.0, ENGINE, GO_ON), look
    ),
    "logs": lambda look: logs.text(
        why.WhyFacts("r-1", STORY, entries(2), 100.0, ENGINE, GO_ON), SAID, look
    ),
    "inventory-list": lambda look: inventory_text(LISTED, look),
    "inventory-graph": lambda look: graph_text(GROUPS, look),
    "inventory-host": lambda look: host_text(HOST, look),
    "inventory-explain": lambda look: explained_text(HOST, look),
    "ticket": lambda look: ticket_text(TICKET, look),
    "root": lambda look: root_text(ROOT, look),
    "bundle": lambda look: bundle_text(BUNDLE, look),
    "artifact": lambda look: shown.artifact_text(ARTIFACT, look),
    "check": lambda look: "".join(f"{shown.answer_text(one, look)}\n" for one in ANSWERS),
    "lab": lambda look: shown.lab_text(
        [("lab-01", "healthy", "app-1"), ("lab-02", "off", "")], look
    ),
    "evidence": lambda look: joined(evidence_lines(replace(make_plan(), evidence=FOUND), look)),
    "code": lambda look: codes_text([CODE], look, in_full=True),
    "error": lambda look: error_text(REFUSED, look),
    "audit": lambda look: audit_text(
        AUDIT, "/var/lib/rollout/checkpoints", ("ecdsa-p256 SHA256:k1k1k1",), ASKED, look=look
    ),
    "config": lambda look: configuration_text(CONFIGURATION, look, origin=True),
    "papers": lambda look: evidence_text(PAPERS, look),
    "delta": lambda look: shown.delta_text(DELTA, look),
    "migrated": lambda look: shown.migrated_text(
        "/var/lib/rollout/fleet-of-all-gateways/state.db", "0003", "0004", look
    ),
}


def renditions(text: Text) -> Sequence[tuple[Look, str]]:
    return [
        (look, text(look)) for width in WIDTHS for look in (Look(width), Look(width, colour=True))
    ]


@pytest.mark.parametrize("name", TEXTS)
def test_text_at_each_width_without_and_with_colour(name, golden) -> None:
    sheet = []
    for look, shown_text in renditions(TEXTS[name]):
        kind = ", colour" if look.colour else ""
        sheet.append(f"=== {look.width} columns{kind}\n{shown_text}")

    golden(f"sheets/{name}.txt", "".join(sheet))


@pytest.mark.parametrize("name", TEXTS)
def test_colour_changes_no_word(name) -> None:
    found = renditions(TEXTS[name])

    for (_, plain), (_, coloured) in zip(found[::2], found[1::2], strict=True):
        assert "\x1b" not in plain
        assert _COLOUR.sub("", coloured) == plain


@pytest.mark.parametrize("name", sorted(set(TEXTS) - ONE_LINE_EACH))
def test_text_keeps_its_width(name) -> None:
    for look, shown_text in renditions(TEXTS[name])[::2]:
        wide = [
            line
            for line in shown_text.splitlines()
            if cells(line) > look.width and not _DIGEST.search(line)
        ]
        assert wide == [], look.width


@pytest.mark.parametrize("name", TEXTS)
def test_text_is_plain_ascii_where_the_terminal_has_no_utf_8(name) -> None:
    assert TEXTS[name](Look(80, unicode=False)).isascii()
