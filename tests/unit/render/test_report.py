"""The page of a report: its structure, what it says, and what nobody can write into it."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Sequence
from dataclasses import replace

import pytest

from orchestrator.device.reason import Reason
from orchestrator.plan.gate import Gate, Probe, ProbeKind, Stage
from orchestrator.plan.resolved import ResolvedPlan
from orchestrator.render.report import ReportFacts, report_page
from orchestrator.render.report_proof import ProofFacts
from orchestrator.render.report_style import DARK, LIGHT
from orchestrator.rollout.audit import Head, Seal
from orchestrator.rollout.events import JournalEntry
from tests.unit.render.busy import busy_page
from tests.unit.render.pages import Node, problems, read
from tests.unit.render.told import facts_of

PROOF = ProofFacts("8092778c80be3599", 40, "f0" * 32, "", (), ())
HOSTILE = (
    "</pre></section><script>alert(1)</script>",
    "<!-- --><img src=x onerror=alert(1)>",
    "\"'><svg onload=alert(1)>&lt;b&gt;&#x3c;i&#x3e;",
    "]]></style><style>*{display:none}</style>",
    "\x1b[2J\u202egnp.exe\u2028\x00\ud800 line\nSUCCEEDED",
    "javascript:alert(1) http://192.0.2.1/x.png url(//e)",
    "Z\u0301\u0301\u0301\u0301\u0301" * 50,
)
LIMIT_BYTES = 2_000_000  # with quotes in every place, which are six bytes each


def page_of(
    plan: ResolvedPlan, journal: Sequence[JournalEntry], proof: ProofFacts = PROOF, **told: object
) -> Node:
    """The page as a tree, after its structure was looked at."""
    page = read(written(plan, journal, proof, **told))
    assert problems(page) == []
    return page


def written(
    plan: ResolvedPlan, journal: Sequence[JournalEntry], proof: ProofFacts = PROOF, **told: object
) -> str:
    facts = facts_of(plan, journal, **told)
    return report_page(ReportFacts(facts, journal, proof, "0.1.0"))


def section(page: Node, key: str) -> Node:
    (found,) = (one for one in page.all("section") if one.attributes["aria-labelledby"] == key)
    return found


def rows(table: Node) -> list[list[str]]:
    return [[cell.text for cell in row.children] for row in table.one("tbody").all("tr")]


def gated(plan: ResolvedPlan, *names: str) -> ResolvedPlan:
    """The plan with gates of the controller besides its own."""
    more = (
        Gate(
            name, Stage.BACKGROUND, Probe(ProbeKind.HTTP, url="http://h"), success_when="value < 2"
        )
        for name in names
    )
    return replace(plan, gates=(*plan.gates, *more))


def test_page_of_a_bad_release_says_what_became_of_it(plan, bad_release) -> None:
    page = page_of(plan, bad_release.entries)

    assert page.one("h1").text == "Rollout r-7f3a of gateway-fw: halted and rolled back"
    outcome = section(page, "outcome").text
    assert "23 devices were never touched; 1 device is back on gateway-1.4.1" in outcome
    assert "Stopped: budget: 1 failure, 0 allowed" in outcome
    causes = section(page, "causes")
    assert causes.one("h3").text == "1 device: health check failed"
    said, excerpt = causes.all("pre")
    assert said.text == "gate `service healthy`: result.exit == 0 is false"
    assert "activating -> verifying" in excerpt.text
    waves, left_out = section(page, "outcome").all("table")
    assert "Left out" in left_out.text
    assert rows(left_out)[0] == ["not enrolled", "2", "gw-10{1,2}"]
    assert [row[4:] for row in rows(waves)[1:]] == [["never"] * 3] * 2
    assert [row[:2] for row in rows(section(page, "timeline").one("table"))] == [
        ["canary", "rolled back (health check failed)"], ["early", "never started"],
        ["rest", "never started"],
    ]  # fmt: skip


def test_devices_whose_words_differ_in_numbers_and_names_have_one_cause(plan_of, journal) -> None:
    names = ["ada", "bob", "cyd", "dan", "eve"]
    plan = plan_of(names, (5,))
    for number, name in enumerate(names):
        detail = f"{name} (192.0.2.{number}) is unreachable" if number < 4 else "no route"
        journal.device(name, "canary", "deferred", reason="unreachable", detail=detail)

    causes = section(page_of(plan, journal.entries), "causes")

    heads = [node.text for node in causes.all("h3")]
    assert heads == ["4 devices: not reachable", "1 device: not reachable"]
    words = [node.text for node in causes.all("pre")]
    assert words[:3] == [f"{names[i]} (192.0.2.{i}) is unreachable" for i in range(3)]
    assert "1 more wording with other numbers or names." in causes.text


def test_page_of_a_good_release_folds_equal_devices(plan, good_release) -> None:
    page = page_of(plan, good_release.entries)

    table = section(page, "timeline").one("table")
    assert [row[:4] for row in rows(table)] == [
        ["canary", "updated", "1", "gw-001"],
        ["early", "updated", "6", "gw-00{2..7}"],
        ["rest", "updated", "17", "gw-0{08..24}"],
    ]
    assert section(page, "causes").text.endswith("No device is in trouble.")
    assert "24 of 24 devices run the new version." in section(page, "outcome").text


def test_chart_of_the_timeline_is_told_in_words(plan, good_release) -> None:
    svg = section(page_of(plan, good_release.entries), "timeline").one("svg")

    assert svg.one("title").text.startswith("Timeline of the waves, 02:")
    assert "canary began at 00:00, soaked from 00:07, was done at 00:12" in svg.one("desc").text
    bars = [node.attributes["class"] for node in svg.all("rect")]
    assert bars.count("bar wave") == 3
    assert bars.count("bar soak") == 2
    assert bars.count("bar good") == 3


def test_samples_of_a_gate_are_a_chart_and_a_table(plan, journal) -> None:
    journal.add("wave_started", wave="canary")
    for value, reading in ((0.5, "success"), (0.7, "success"), (9.0, "failed")):
        journal.wait(10)
        verdict = "failed" if reading == "failed" else "open"
        sample = {"gate": "errors", "reading": reading, "verdict": verdict, "result.value": value}
        journal.add("gate_result", wave="canary", **sample)

    gates = section(page_of(gated(plan, "errors"), journal.entries), "gates")

    assert gates.one("h3").text == "errors, wave canary"
    assert "failed. It succeeds when value < 2." in gates.all("p")[0].text
    told = gates.one("svg").one("desc").text
    assert told == (
        "3 samples between 00:10 and 00:30 after the start: 2 success, 1 failed. "
        "value from 0.5 to 9, 9 at the end."
    )
    folded = rows(gates.one("table"))
    assert [row[2:] for row in folded] == [
        ["2", "success", "open", "value 0.7"],
        ["1", "failed", "failed", "value 9"],
    ]
    marks = [node.attributes["class"] for node in gates.one("svg").all("path")]
    assert marks.count("mark good") == 2 + 1  # and in the legend
    assert marks.count("mark bad line") == 1 + 1


def test_gate_without_any_sample_is_named(plan, journal) -> None:
    journal.add("wave_started", wave="canary")

    gates = section(page_of(gated(plan, "errors"), journal.entries), "gates")

    assert "No sample was taken of errors." in gates.text


def test_samples_of_devices_that_were_no_success_are_counted(plan, bad_release) -> None:
    gates = section(page_of(plan, bad_release.entries), "gates")

    assert rows(gates.one("table")) == [["service healthy", "canary", "1", "1 failed"]]
    assert "there is none" not in gates.text


def test_gates_of_devices_that_all_passed_are_told_too(plan, good_release) -> None:
    gates = section(page_of(plan, good_release.entries), "gates")

    assert gates.text.endswith(
        "No device counts as updated before service healthy passed on it. "
        "Of such samples those are kept that were no success: there is none."
    )


def test_folded_samples_never_hide_one_that_failed(plan, journal) -> None:
    for number in range(5000):
        reading = "failed" if number == 4321 else "success"
        sample = {"gate": "errors", "reading": reading, "verdict": "open", "result.value": 1}
        journal.add("gate_result", wave="canary", **sample)
        journal.wait(10)

    gates = section(page_of(gated(plan, "errors"), journal.entries), "gates")

    marks = [node.attributes["class"] for node in gates.one("svg").all("path")]
    assert len(marks) <= 102
    assert marks.count("mark bad line") == 2
    assert [row[3] for row in rows(gates.one("table"))] == ["success", "failed", "success"]


def test_approvals_are_told_with_their_signatures(plan, journal) -> None:
    journal.add("approval", what="asked", required=1)
    statement = "rollout-plan 1\nfleet acme-prod\n"
    signature = "-----BEGIN SSH SIGNATURE-----\nU1NIU0lH\n-----END SSH SIGNATURE-----\n"
    journal.add(
        "approval", what="given", who="ann@corp", why="looked at it", digest="e1" * 32,
        key="SHA256:abc", statement=statement, signature=signature,
    )  # fmt: skip

    people = section(page_of(plan, journal.entries), "people")

    assert [row[2:] for row in rows(people.one("table"))] == [
        ["", "approval of the start asked", "", ""],
        ["ann@corp", "approval of the start given", "looked at it", "SHA256:abc"],
    ]
    assert people.one("h3").text == "Signed by ann@corp: entry 2"
    assert people.one("pre").text == f"{statement}\n{signature}"


def test_requests_are_told_with_what_came_of_them(plan, journal) -> None:
    journal.add("operator", ask="resume", who="ann", why="fixed", answer="done", done=True)
    journal.add("operator", ask="promote", who="ann", answer="refused", detail="a gate failed")
    journal.add("operator", ask="pause", who="bob", answer="already", detail="it is paused")
    journal.add("break_glass", wave="rest", what="used", who="cat", why="CVE")

    people = section(page_of(plan, journal.entries), "people")

    assert [row[2:5] for row in rows(people.one("table"))] == [
        ["ann", "resume", "fixed"],
        ["ann", "promote: refused: a gate failed", ""],
        ["bob", "pause: nothing to do: it is paused", ""],
        ["cat", "break glass of wave rest used", "CVE"],
    ]


def test_gate_that_has_not_decided_is_not_called_good(plan, journal) -> None:
    sample = {"gate": "errors", "reading": "success", "verdict": "open", "result.value": 1}
    for _ in range(2):
        journal.add("gate_result", wave="canary", **sample)

    gates = section(page_of(gated(plan, "errors"), journal.entries), "gates")

    assert gates.one("span").attributes["class"] == "idle"
    assert "value 1 wherever there is one." in gates.one("desc").text


def test_single_sample_needs_no_chart(plan, journal) -> None:
    sample = {"gate": "errors", "reading": "no_data", "verdict": "inconclusive"}
    journal.add("gate_result", wave="canary", **sample)

    gates = section(page_of(gated(plan, "errors"), journal.entries), "gates")

    assert gates.all("svg") == []
    assert rows(gates.one("table"))[0][2:] == ["1", "no data", "inconclusive", ""]


def test_proof_says_what_vouches_for_the_journal(plan, journal) -> None:
    seal = Seal(Head("r-7f3a", 38, "f0" * 32), 1_795_000_100.0, "the checkpoint by `engine`")

    sealed = section(page_of(plan, journal.entries, replace(PROOF, seals=(seal,))), "proof")
    bare = section(page_of(plan, journal.entries), "proof")

    assert "its 40 entries hang on one another" in sealed.text
    assert "2 entries came after the last signed checkpoint." in sealed.text
    assert rows(sealed.one("table"))[0][0] == "38"
    assert "No checkpoint vouches for it" in bare.text


def test_journal_that_does_not_hold_is_said_and_never_called_good(plan, journal) -> None:
    proof = replace(PROOF, fault="entry 3 is not what was written", findings=("a forged one",))

    found = section(page_of(plan, journal.entries, proof), "proof")

    assert [node.text for node in found.all("p") if node.attributes.get("class") == "bad"] == [
        "The journal does not hold: entry 3 is not what was written.",
        "a forged one",
    ]
    assert not any(node.attributes.get("class") == "good" for node in found.all())


@pytest.mark.parametrize("words", HOSTILE)
def test_hostile_words_stay_words(plan_of, words: str) -> None:
    names = [f"{words}{number}" for number in range(3)]
    plan = gated(plan_of(names, (1, 2)), words)
    journal = hostile_journal(plan, words)

    text = written(plan, journal, replace(PROOF, fault=words, findings=(words,)))
    page = read(text)

    assert problems(page) == []
    assert {node.name for node in page.all()} <= ELEMENTS
    assert not re.search(
        "[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2028\u2029\ud800-\udfff]", text
    )
    assert len(page.all("style")) == 1
    text.encode()


ELEMENTS = frozenset({
    "html", "head", "meta", "title", "style", "body", "a", "header", "h1", "p", "span", "nav", "ul",
    "li", "main", "section", "h2", "h3", "dl", "dt", "dd", "table", "caption", "thead", "tbody",
    "tr", "th", "td", "div", "figure", "figcaption", "svg", "desc", "rect", "line", "path",
    "polyline", "text", "time", "code", "pre", "footer",
})  # fmt: skip


def hostile_journal(plan: ResolvedPlan, words: str) -> list[JournalEntry]:
    """Every type of entry, with these words wherever a text may stand."""
    first = next(iter(plan.devices))
    data = {
        "device_state": {"from": "queued", "to": "failed", "reason": words, "detail": words},
        "gate_result": {"gate": words, "reading": words, "verdict": words, "result.value": 1},
        "operator": {"who": words, "ask": words, "why": words, words: words},
        "approval": {"what": words, "who": words, "key": words, "statement": words, "signature": words},
        "halted": {"cause": "budget", "detail": words},
        "wave_done": {"state": words, "note": words},
        "warning": {"what": words, "text": words},
        "break_glass": {"what": words, "who": words},
        "waiting": {"for": words, "detail": words},
        words: {words: words},
    }  # fmt: skip
    found: list[JournalEntry] = []
    for kind, fields in data.items():
        for wave, device in (("canary", first), ("canary", ""), (words, words)):
            fitting = fields | {"reason": "io"} if kind == "device_state" else fields
            if kind == "device_state" and not device:
                continue
            found.append(JournalEntry(len(found) + 1, 1e9, kind, wave, device, fitting))
    return found


def test_what_looks_like_a_secret_is_masked(plan, journal) -> None:
    journal.device("gw-001", "canary", "failed", reason="io", detail="password=hunter2 failed")

    text = written(plan, journal.entries)

    assert "hunter2" not in text
    assert "password=*** failed" in text


def test_policy_of_the_page_allows_its_own_style_and_nothing_else(plan, journal) -> None:
    page = page_of(plan, journal.entries)
    policy = next(
        node.attributes["content"]
        for node in page.all("meta")
        if node.attributes.get("http-equiv") == "Content-Security-Policy"
    )

    digest = hashlib.sha256(page.one("style").text.encode()).digest()
    allowed = base64.b64encode(digest).decode()
    assert policy == (
        f"default-src 'none'; style-src 'sha256-{allowed}'; base-uri 'none'; form-action 'none'"
    )
    assert "url(" not in page.one("style").text
    assert "@import" not in page.one("style").text


def test_page_of_a_rollout_in_which_much_happened_is_built_well() -> None:
    page = read(busy_page())

    assert problems(page) == []
    assert len(page.all("svg")) == 3
    assert [node.text for node in section(page, "causes").all("h3")] == [
        "10 devices: not reachable",
        "10 devices: too little space",
        "2 devices: did not come back",
        "1 device: health check failed",
    ]
    assert "<permission denied>" in section(page, "causes").text
    assert "No sample was taken of latency." in section(page, "gates").text


def test_same_facts_give_the_same_bytes(plan, good_release) -> None:
    assert written(plan, good_release.entries) == written(plan, good_release.entries)


def test_ten_thousand_equal_devices_are_a_small_page(plan_of, journal) -> None:
    names = [f"gw-{number:05}" for number in range(10_000)]
    plan = plan_of(names, (10, 990, 9000))
    for wave in plan.waves:
        for name in wave.devices:
            journal.device(name, wave.name, "transferring", "succeeded")

    assert len(written(plan, journal.entries).encode()) < 30_000


def test_devices_of_which_none_is_like_another_give_a_page_of_bounded_size(
    plan_of, journal
) -> None:
    long = '"' * 1000
    names = [f"{long[:60]}{number:05}{chr(97 + number % 26) * 40}" for number in range(1000)]
    plan = plan_of(names, (10, 390, 600))
    waves = [wave.name for wave in plan.waves for _ in wave.devices]
    reasons = [reason.value for reason in Reason if reason is not Reason.OK]
    for number, (name, wave) in enumerate(zip(names, waves, strict=True)):
        reason = reasons[number % len(reasons)]
        journal.device(name, wave, "failed", reason=reason, detail=f"{letters(number)} {long}")
        journal.add("operator", who=f"{number}{long}", ask="halt", why=long)
        sample = {"gate": f"{number}{long}", "reading": "failed", "verdict": "failed"}
        journal.add("gate_result", wave=wave, **sample)
        journal.add("gate_result", wave=wave, **sample)

    text = written(plan, journal.entries)

    assert problems(read(text)) == []
    assert len(text.encode()) < LIMIT_BYTES


def letters(number: int) -> str:
    """A number in letters, for words that differ in more than numbers."""
    return str(number).translate(str.maketrans("0123456789", "abcdefghij"))


def test_rollout_that_has_not_begun_has_a_page_as_well(plan, journal) -> None:
    journal.add("rollout_started", plan=plan.name)

    page = page_of(plan, journal.entries, begun=False)

    assert "never started" in section(page, "timeline").one("svg").text
    assert rows(section(page, "outcome").all("table")[0])[0][4:] == ["not yet"] * 3
    assert section(page, "people").text.endswith("nothing needed an approval.")


def test_rollout_of_many_waves_has_a_chart_of_bounded_height(plan, journal) -> None:
    waves = tuple(replace(plan.waves[0], name=f"w{n}", devices=()) for n in range(300))
    many = replace(plan, waves=(plan.waves[0], *waves))
    journal.add("wave_started", wave="canary")

    svg = section(page_of(many, journal.entries), "timeline").one("svg")

    assert "241 more rows stand in the table only" in svg.one("desc").text
    assert svg.attributes["viewbox"].split()[3] == "1354"


@pytest.mark.parametrize("colours", [LIGHT, DARK])
def test_colours_have_enough_contrast(colours) -> None:
    for name in ("fg", "dim", "work", "good", "bad", "warn", "idle"):
        for ground in ("bg", "box"):
            assert contrast(colours[name], colours[ground]) >= 4.5, (name, ground)
    assert contrast(colours["soak"], colours["bg"]) >= 3
    assert LIGHT.keys() == DARK.keys()


def contrast(one: str, other: str) -> float:
    """WCAG 2.2, "contrast ratio"."""
    dark, light = sorted((luminance(one), luminance(other)))
    return (light + 0.05) / (dark + 0.05)


def luminance(colour: str) -> float:
    parts = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    linear = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
    return sum(weight * part for weight, part in zip((0.2126, 0.7152, 0.0722), linear, strict=True))
