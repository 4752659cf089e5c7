from __future__ import annotations

import json
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrator.errors import Diagnostic, ExitCode, PlanError, Severity, TrustError, Where
from orchestrator.plan.preview import preview
from orchestrator.render.conclusion import conclusion
from orchestrator.render.findings import preview_findings
from orchestrator.render.github import ANNOTATIONS_MAX, annotated, concluded, output_lines
from orchestrator.render.gitlab import UNPLACED, code_quality, plan_widget
from orchestrator.render.junit import findings_report, preview_report
from orchestrator.render.sarif import RESULTS_MAX, sarif
from orchestrator.render.summary import summary
from orchestrator.render.text import Look
from tests.unit.render.reports import code_quality_issues, commands, junit_suites, sarif_run
from tests.unit.render.told import facts_of

OVER = Diagnostic(
    Where("./plans/gw.yml", 14, 26),
    "P203",
    "wave sizes add up to 110 %, more than the whole fleet",
    "100 %, as in `a: b, c`",
    excerpt="  - {size: 50%}",
)
VERSION = Diagnostic(
    Where("plans/gw.yml", 5, 10), "Y902", "`1.10` is 1.1", severity=Severity.WARNING
)
WHOLE = Diagnostic(Where("plans/empty file.yml"), "Y101", "file is empty")
NOWHERE = Diagnostic(Where(""), "I100", "no inventory was given")
ALL = (OVER, VERSION, WHOLE, NOWHERE)
EVIL = "</failure>]]>&\"'\x1b[2J\u202e\n::error::x\r\n::add-mask::y %0A::z, a:b `|` ##[group]\udcff\x00"
HOSTILE = Diagnostic(Where(f"{EVIL}.yml", 3, 4), "P101", EVIL, EVIL, excerpt=EVIL)


def several(count: int, severity: Severity = Severity.ERROR) -> list[Diagnostic]:
    return [replace(OVER, severity=severity, excerpt=f"line {n}") for n in range(count)]


# -- GitHub ---------------------------------------------------------------------------------------


def test_annotations_stand_at_their_lines_and_are_read_back_as_they_were() -> None:
    found = commands(annotated("some text\n", "rollout validate", ALL, notice="all of 100 %"))

    assert found == [
        (
            "error",
            {"file": "./plans/gw.yml", "line": "14", "col": "26", "title": "P203"},
            "wave sizes add up to 110 %, more than the whole fleet\nhelp: 100 %, as in `a: b, c`",
        ),
        ("error", {"file": "plans/empty file.yml", "title": "Y101"}, "file is empty"),
        ("error", {"title": "I100"}, "no inventory was given"),
        (
            "warning",
            {"file": "plans/gw.yml", "line": "5", "col": "10", "title": "Y902"},
            "`1.10` is 1.1",
        ),
        ("notice", {"title": "rollout"}, "all of 100 %"),
    ]


def test_text_of_others_is_no_command_of_the_runner() -> None:
    shown = "  ::set-env name=PATH::/tmp\n::endgroup::\n##[add-path]/tmp\n::error::no\n"

    log = annotated(shown, "a%b", (HOSTILE,))

    (only,) = commands(log)
    assert only[0] == "error"
    assert only[1]["line"] == "3"
    assert log.startswith("::group::a%25b\n::stop-commands::")


@pytest.mark.parametrize(
    ("code", "kind"),
    [(ExitCode.ROLLED_BACK, "error"), (ExitCode.PARTIAL, "warning"), (ExitCode.DONE, "notice")],
)
def test_what_a_device_said_is_no_command_at_the_end_of_a_rollout_either(
    plan, journal, code, kind
) -> None:
    detail = "no\n::error::x " * 8 + "##[add-mask]y ```"
    journal.device("gw-001", "canary", "failed", reason="check_failed", detail=detail)
    facts = facts_of(plan, journal.entries)
    end = conclusion(facts, code)

    log = concluded("\n".join(summary(facts, Look(60))), end.kind, end.title, end.said)

    ((found, given, said),) = commands(log)
    assert (found, given["title"]) == (kind, end.title)
    assert "gw-001: health check failed" in said
    assert end.markdown.splitlines()[0] == "### INTERRUPTED: `gateway-1.4.2`, rollout `r-7f3a`"
    assert "````text" in end.markdown


def test_what_switches_commands_on_again_cannot_be_known_to_the_text() -> None:
    tokens = {annotated(text, "t", ()).splitlines()[1] for text in ("a", "b")}

    assert len(tokens) == 2
    assert all(len(token.removeprefix("::stop-commands::")) == 64 for token in tokens)


@pytest.mark.parametrize("severity", Severity)
def test_the_runner_shows_ten_annotations_so_the_last_one_counts_the_others(severity) -> None:
    exactly = commands(annotated("", "t", several(ANNOTATIONS_MAX, severity)))
    more = commands(annotated("", "t", several(ANNOTATIONS_MAX + 5, severity)))

    assert len(exactly) == len(more) == ANNOTATIONS_MAX
    assert exactly[-1][1]["title"] == "P203"
    assert more[-1] == (
        str(severity),
        {"title": "rollout"},
        f"6 more {severity}s, in the log of this step",
    )


def test_outputs_are_lines_of_key_and_value() -> None:
    assert output_lines({"changes": "true", "exit": "0"}) == "changes=true\nexit=0\n"
    with pytest.raises(AssertionError):
        output_lines({"x": "a\nb=c"})


# -- GitLab ---------------------------------------------------------------------------------------


def test_code_quality_names_rule_place_and_weight() -> None:
    first, second, third, fourth = code_quality_issues(code_quality(ALL))

    assert (first["check_name"], first["severity"]) == ("P203", "major")
    assert first["location"] == {"path": "plans/gw.yml", "lines": {"begin": 14}}
    assert first["description"].startswith("P203 wave sizes add up to 110 %")
    assert second["severity"] == "minor"
    assert third["location"]["lines"]["begin"] == 1
    assert fourth["location"]["path"] == UNPLACED


def test_no_findings_are_an_empty_report() -> None:
    assert code_quality_issues(code_quality(())) == []


def test_a_fingerprint_stays_when_lines_before_it_come_and_equal_ones_differ() -> None:
    moved = replace(OVER, where=Where("plans/gw.yml", 99, 26), message="other words")

    (before,), (after,) = (code_quality_issues(code_quality((one,))) for one in (OVER, moved))
    twice = code_quality_issues(code_quality((OVER, OVER)))

    assert before["fingerprint"] == after["fingerprint"] == twice[0]["fingerprint"]
    assert twice[1]["fingerprint"] != twice[0]["fingerprint"]


def test_the_widget_counts_devices_to_update(plan) -> None:
    assert json.loads(plan_widget(preview(plan))) == {"create": 0, "update": 24, "delete": 0}


# -- JUnit ----------------------------------------------------------------------------------------


def test_each_file_is_a_suite_and_each_rule_that_spoke_a_case() -> None:
    again = replace(OVER, where=Where("plans/gw.yml", 20, 1))
    found = (replace(OVER, where=Where("plans/gw.yml", 14, 26)), again, VERSION, NOWHERE)

    gw, fine, nowhere = junit_suites(findings_report(found, ["plans/gw.yml", "plans/fine.yml"]))

    assert [case.get("name") for case in gw] == ["P203", "Y902"]
    failure = gw[0].find("failure")
    assert failure.get("type") == "P203"
    assert "plans/gw.yml:20:1 P203" in failure.text
    assert gw[1].find("failure") is None  # a warning: the command ends with 0
    assert "warning: `1.10` is 1.1" in gw[1].find("system-out").text
    assert [case.get("name") for case in fine] == ["no errors"]
    assert nowhere.get("name") == "(no file)"


def test_no_device_passes_in_a_preview(plan, plan_with) -> None:
    first, second, *_ = plan.devices
    devices = {
        **plan.devices,
        first: replace(plan.devices[first], current_manifest=plan.artifact.manifest_sha256),
        second: replace(plan.devices[second], current=None),
    }

    suites = junit_suites(preview_report(preview(plan_with(devices=devices)), ()))

    assert [suite.get("name") for suite in suites] == [
        "plans/gateway.yml", "wave canary", "wave early", "wave rest", "left out",
    ]  # fmt: skip
    assert all(case.find("skipped") is not None for suite in suites[1:] for case in suite)
    said = {case.get("name"): case.find("skipped").get("message") for s in suites[1:] for case in s}
    assert said["gw-001"] == "not started; runs gateway-1.4.2 already"
    assert said["gw-002"] == "not started; would get gateway-1.4.2"
    assert said["gw-003"] == "not started; would get gateway-1.4.2 for gateway-1.4.1"
    assert said["old-1"] == "not compatible: rpi3"


def test_what_apply_would_refuse_fails_and_risks_do_not(plan) -> None:
    refusals = (TrustError("the commit is not signed", code="T184"),)
    facts = preview(plan)

    suite, *_ = junit_suites(preview_report(facts, preview_findings(facts, refusals, (VERSION,))))

    outcomes = {case.get("name"): case.find("failure") is not None for case in suite}
    assert outcomes == {"T184": True, "P905": False, "Y902": False}


# -- SARIF ----------------------------------------------------------------------------------------


def test_sarif_has_a_rule_a_place_and_a_level_for_each_result() -> None:
    run = sarif_run(sarif(ALL, "0.1.0", {"P203": "more than 100 %"}))

    assert [each["level"] for each in run["results"]] == ["error", "error", "error", "warning"]
    place = run["results"][0]["locations"][0]["physicalLocation"]
    assert place == {
        "artifactLocation": {"uri": "plans/gw.yml"},
        "region": {"startLine": 14, "startColumn": 26},
    }
    uris = [
        each["locations"][0]["physicalLocation"]["artifactLocation"]["uri"]
        for each in run["results"]
    ]
    assert uris[1:3] == ["plans/empty%20file.yml", UNPLACED]
    rules = run["tool"]["driver"]["rules"]
    assert rules[0]["shortDescription"]["text"] == "more than 100 %"
    assert rules[1]["shortDescription"]["text"] == "finding Y101 of rollout"


def test_an_absolute_path_is_a_file_uri() -> None:
    run = sarif_run(sarif([replace(WHOLE, where=Where("/srv/a b.yml"))], "0", {}))

    place = run["results"][0]["locations"][0]["physicalLocation"]
    assert place["artifactLocation"]["uri"] == "file:///srv/a%20b.yml"


def test_of_too_many_results_errors_are_kept() -> None:
    many = [*several(RESULTS_MAX, Severity.WARNING), *several(3)]

    results = sarif_run(sarif(many, "0", {}))["results"]

    assert len(results) == RESULTS_MAX
    assert [each["level"] for each in results[:4]] == ["error"] * 3 + ["warning"]


# -- all ------------------------------------------------------------------------------------------


def test_hostile_text_breaks_no_report() -> None:
    texts = [
        code_quality((HOSTILE,)),
        findings_report((HOSTILE,), [f"{EVIL}.yml"]),
        sarif((HOSTILE,), "0", {}),
    ]

    assert len(code_quality_issues(texts[0])) == 1
    (suite,) = junit_suites(texts[1])
    assert "</failure>" in suite[0].find("failure").text
    assert len(sarif_run(texts[2])["results"]) == 1
    assert all("\x1b" not in text and "\u202e" not in text for text in texts)


@settings(max_examples=60)
@given(st.text(min_size=1, max_size=40), st.text(max_size=40))
def test_no_text_breaks_a_report(message: str, file: str) -> None:
    one = Diagnostic(Where(file, 1, 1), "P101", message, message, excerpt=message)

    assert len(code_quality_issues(code_quality((one, one)))) == 2
    assert sum(len(suite) for suite in junit_suites(findings_report((one,), []))) == 1
    assert len(sarif_run(sarif((one, one), "0", {}))["results"]) == 2
    assert [kind for kind, _, _ in commands(annotated(message, "t", (one,)))] == ["error"]


def test_findings_of_a_preview_are_risks_refusals_and_the_inventory(plan) -> None:
    refused = PlanError("no", where=Where("a.yml", 2, 3), code="P209")

    found = preview_findings(preview(plan), (refused, TrustError("x")), (VERSION,))

    assert [(one.code, str(one.where), str(one.severity)) for one in found] == [
        ("P209", "a.yml:2:3", "error"),
        ("P000", "plans/gateway.yml", "error"),
        ("P905", "plans/gateway.yml:24:1", "warning"),
        ("Y902", "plans/gw.yml:5:10", "warning"),
    ]
