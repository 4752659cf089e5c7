from __future__ import annotations

from collections.abc import Callable

import pytest

from orchestrator.errors import Diagnostic, Severity

Check = Callable[[str], tuple[Diagnostic, ...]]
GATE = "gates: [{name: ok, check: svc, success_when: result.exit == 0}]\n"


def about(findings: Check, gate: str, rest: str = "waves: [rest]") -> list[Diagnostic]:
    return list(
        findings(
            f"{rest}\ngates: [{{name: ok, check: svc, success_when: result.exit == 0, {gate}}}]\n"
        )
    )


@pytest.mark.parametrize(
    ("limits", "code"),
    [
        ("failure_limit: 1", "P205"),
        ("count: 3, failure_limit: 3", "P205"),
        ("count: 3, failure_limit: 2", "P206"),
        ("count: 4, failure_limit: 2", "P206"),
        ("count: 3, failure_limit: 1, inconclusive_limit: 1", "P206"),
        ("inconclusive_limit: 1", "P206"),
        ("consecutive_success_limit: 3, failure_limit: 3", "P206"),
        ("consecutive_success_limit: 3, count: 2", "P204"),
        ("fail_when: result.exit == 0", "P204"),
    ],
)
def test_limits_that_contradict_are_errors(findings: Check, limits: str, code: str) -> None:
    found = about(findings, limits)

    assert [each.code for each in found] == [code]
    assert found[0].severity is Severity.ERROR
    assert found[0].hint


@pytest.mark.parametrize(
    "limits",
    [
        "count: 1",
        "count: 3, failure_limit: 1",
        "count: 5, failure_limit: 1, inconclusive_limit: 1",
        "consecutive_success_limit: 6, failure_limit: 3",
        "consecutive_success_limit: 3, count: 3",
        "stage: background, failure_limit: 2",
        "fail_when: result.exit > 1",
    ],
)
def test_limits_that_leave_a_verdict_are_fine(findings: Check, limits: str) -> None:
    errors = [each for each in about(findings, limits) if each.severity is Severity.ERROR]

    assert errors == []


@pytest.mark.parametrize(
    ("rest", "code"),
    [
        ("waves: [rest]\nslow_start: false", "P903"),
        ("waves: [{size: rest, slow_start: false}]", "P903"),
        ("waves: [rest]\ntimeouts: {reboot: 2h}", "P905"),
        ("waves: [rest]\ntimeouts: {lost_after: 2m}", "P906"),
    ],
)
def test_risks_are_warnings(findings: Check, rest: str, code: str) -> None:
    found = about(findings, "count: 1", rest)

    assert [(each.code, each.severity) for each in found] == [(code, Severity.WARNING)]


def test_short_confirm_is_an_error_with_the_time_needed(findings: Check) -> None:
    (found,) = about(findings, "count: 1", "waves: [rest]\ntimeouts: {confirm: 1m}")

    assert found.code == "P207"
    assert "1m is shorter than a device may need: 9m30s" in found.message
    assert (found.where.line, found.where.column) == (6, 12)


def test_gate_for_a_wave_that_is_not_there_is_an_error(findings: Check) -> None:
    (found,) = about(findings, "waves: [canary]", "waves: [1, rest]")

    assert found.code == "P208"
    assert found.hint == "waves: `wave-1`, `wave-2`"


def test_plan_without_deciding_gates_is_warned_about(findings: Check) -> None:
    none = findings("waves: [rest]\n")
    dry = about(findings, "dry_run: true")

    assert [each.code for each in none] == ["P901"]
    assert [each.code for each in dry] == ["P901"]
    assert "dry runs" in dry[0].message


def test_broken_gates_are_not_called_missing(findings: Check) -> None:
    found = about(findings, "count: 0")

    assert [each.code for each in found] == ["P104"]


@pytest.mark.parametrize(
    ("written", "place"),
    [
        ("waves: [{size: 1, soak: 1h, deadline: 1h}, rest]", "p.yml:5:9"),
        ("soak: 2h\nwaves: [1, {size: rest, deadline: {after: 90m}}]", "p.yml:6:12"),
        ("soak: 2h\ndeadline: 6h\nwaves: [1, 1, rest]", "p.yml:6:1"),
        ("soak: 2h\ndeadline: 5h59m\nwaves: [1, 1, rest]", "p.yml:6:1"),
    ],
)
def test_deadline_that_soaks_exceed_is_refused(findings: Check, written: str, place: str) -> None:
    found = [each for each in findings(written + "\n" + GATE) if each.code == "P221"]

    assert [str(each.where) for each in found] == [place]
    assert "never over in time" in found[0].message


@pytest.mark.parametrize(
    "written",
    [
        "waves: [{size: 1, soak: 1h, deadline: 61m}, rest]",
        "soak: 2h\ndeadline: 6h1m\nwaves: [1, 1, rest]",
        "soak: 2h\ndeadline: 3h\nwaves: [{size: 1, soak: 0s}, rest]",
        "deadline: 1m\nwaves: [1, rest]",
    ],
)
def test_deadline_with_room_for_soaks_is_fine(findings: Check, written: str) -> None:
    assert [each.code for each in findings(written + "\n" + GATE)] == []


HOOK = 'hooks: [{{event: [halted], http: "{url}"}}]\n'
HTTP_GATE = 'gates: [{{name: ok, http: {{url: "{url}"}}, success_when: result.status == 200}}]\n'


@pytest.mark.parametrize("text", [HOOK, HTTP_GATE])
@pytest.mark.parametrize(
    ("url", "named"),
    [
        ("https://chat.example/send?room=7&access_token=hunter2", "`access_token`"),
        ("https://chat.example/send?apiKey=hunter2#top", "`apiKey`"),
        ("https://chat.example/send?room=7#token=1", ""),
        ("https://chat.example/send?token_count=3", ""),
        ("https://chat.example/token=3", ""),
        ("https://hooks.slack.com/services/T0/B0/hunter2aB3dE5fG7hJ9kL1m", "path of the address"),
    ],
)
def test_secret_in_an_address_is_a_warning(
    findings: Check, text: str, url: str, named: str
) -> None:
    found = [
        each for each in findings("waves: [rest]\n" + text.format(url=url)) if each.code == "P941"
    ]

    assert [named in each.message for each in found] == [True] * bool(named)
    assert all(
        each.severity is Severity.WARNING and "hunter2" not in each.message for each in found
    )
