from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrator.errors import Diagnostic, ExitCode, PlanError, Severity
from orchestrator.plan.model import Plan
from orchestrator.plan.parse import check_plan, parse_plan
from orchestrator.plan.resolved import (
    OfflinePolicy,
    OnFailure,
    ProbeKind,
    Retries,
    RollbackScope,
    Stage,
)
from orchestrator.plan.waves import CountSize, RestSize, ShareSize

Parse = Callable[[str], Plan]
Check = Callable[[str], tuple[Diagnostic, ...]]
PLAYBOOKS = Path(__file__).parents[3] / "playbooks"

BROKEN = """\
schema: 1
name: gateway fw
hosts: gateways
release: 1.10
artefact: releases/gateway-1.4.2.mender
waves:
  - {name: canary, size: 10%, soak: 30}
  - {name: early, size: 50%, hosts: "{% lab %}"}
  - {cannary: 1, size: "7"}
soak: 22:30
slow_start: yes
max_fail_percentage: 5%
windows: [{start: "1:00", duration: 4h, timezone: UTC}]
timeouts: {conn: 5s, install: 0s}
become: true
gates:
  - name: service healthy
    check: systemctl is-active x
    success_when: result.exit = 0
  - name: page
    http: {url: "https://a:b@page.example/"}
    success_when: 'result.status == 200 and result.vale == "ok"'
    count: 0
name: again
"""
EXPECTED = [
    "plan.yml:2:7 P110",
    "plan.yml:4:10 Y902",
    "plan.yml:5:1 P107",
    "plan.yml:7:37 P108",
    "plan.yml:8:38 P112",
    "plan.yml:9:6 P107",
    "plan.yml:9:24 P111",
    "plan.yml:10:7 Y119",
    "plan.yml:11:13 P109",
    "plan.yml:12:22 P101",
    "plan.yml:13:19 P110",
    "plan.yml:14:12 P107",
    "plan.yml:14:31 P104",
    "plan.yml:15:9 P105",
    "plan.yml:18:12 P110",
    "plan.yml:19:31 P113",
    "plan.yml:21:17 P110",
    "plan.yml:22:45 P113",
    "plan.yml:23:12 P104",
    "plan.yml:24:1 Y111",
]


def test_all_problems_are_named_at_once_with_their_places() -> None:
    found = check_plan(BROKEN.encode(), file="plan.yml")

    assert [f"{each.where} {each.code}" for each in found] == EXPECTED
    assert all(each.excerpt == BROKEN.split("\n")[each.where.line - 1] for each in found)


@pytest.mark.parametrize(
    ("line", "message", "hint"),
    [
        (2, "`name` holds a name, not `gateway fw`", "letters, digits"),
        (4, "`release` is a text, but `1.10` is the number 1.1 in YAML", 'release: "1.10"'),
        (5, "unknown key `artefact` in a plan; did you mean `artifact`?", ""),
        (7, "`soak` is a duration with its unit, not the number 30", "`30s` or `30m`?"),
        (13, "`start` is a time of day, not `1:00`", '`"00:00"`'),
        (11, "`slow_start` is true or false, not `yes`", "`slow_start: true`"),
        (12, 'not the text "5%"', "`max_fail_percentage: 5`"),
        (15, "`sudo` or `doas`, not `true`", "`become: sudo`"),
        (19, "`=` is not part of conditions", "`==`"),
        (21, "user name or password", "no secrets"),
        (22, "did you mean `result.value`?", ""),
    ],
)
def test_problem_says_what_to_do(line: int, message: str, hint: str) -> None:
    found = [
        each
        for each in check_plan(BROKEN.encode(), file="plan.yml")
        if each.where.line == line and message in each.message
    ]

    assert len(found) == 1
    assert hint in found[0].hint


def test_refusal_carries_every_finding() -> None:
    with pytest.raises(PlanError) as caught:
        parse_plan(BROKEN.encode(), file="plan.yml")

    assert caught.value.message == f"`plan.yml` has {len(EXPECTED)} problems"
    assert len(caught.value.diagnostics) == len(EXPECTED)
    assert caught.value.exit_code is ExitCode.REFUSED


def test_minimal_plan_has_the_documented_meaning() -> None:
    plan = parse_plan((PLAYBOOKS / "gateway-fw.yml").read_bytes(), file="gateway-fw.yml")

    assert plan.name == "gateway-fw"
    assert plan.hosts.text == "gateways"
    assert plan.artifact.text == "releases/gateway-1.4.2.mender"
    assert plan.release is None
    assert [wave.size for wave in plan.waves] == [
        CountSize(1),
        ShareSize(Fraction(1, 10)),
        RestSize(),
    ]
    assert [wave.name for wave in plan.waves] == ["wave-1", "wave-2", "wave-3"]
    assert plan.limits.soak_s == 1800
    assert plan.limits.max_fail_share == Fraction(1, 20)
    assert plan.on_failure is OnFailure.ROLLBACK
    assert plan.warnings == ()
    (gate,) = plan.gates
    assert (gate.name, gate.stage) == ("service healthy", Stage.DEVICE)
    assert gate.probe.kind is ProbeKind.CHECK
    assert (gate.count, gate.interval_s, gate.timeout_s) == (None, 10, 30)
    assert gate.success_when is not None
    assert gate.success_when.text == "result.exit == 0"


@pytest.mark.parametrize("path", sorted(PLAYBOOKS.glob("*.yml")), ids=lambda path: path.name)
def test_example_plans_have_no_errors(path: Path) -> None:
    found = check_plan(path.read_bytes(), file=path.name)

    # The advanced example of the language lets a device try for hours, and says so.
    warned = ["P905", "P906"] if path.name == "gateway-production.yml" else []
    assert [each.code for each in found] == warned
    assert all(each.severity is Severity.WARNING for each in found)


def test_everything_that_can_be_written_is_read(plan: Parse) -> None:
    read = plan(
        """\
        release: "1.10"
        vars: {site: ber, ports: [80, 81], limits: {low: 0.5}, on_call: null}
        become: doas
        waves: [1, 10%, rest]
        soak: 1h30m
        max_parallel: 7
        slow_start: true
        max_failures: 3
        max_fail_percentage: 2.5
        offline: {policy: fail, max_unreachable_percentage: 12.5}
        timeouts: {connect: 1s, transfer: 2s, install: 3s, reboot: 4s, lost_after: 1d, drain: 6s, confirm: 1h}
        retries: {count: 0, delay: 0s, backoff: 1.5, classes: [connect, connect]}
        gates: [{name: ok, check: svc, success_when: result.exit == 0}]
        on_failure: continue
        rollback: {scope: rollout, max_parallel: 9}
        """
    )

    assert read.release is not None
    assert read.release.text == "1.10"
    assert read.variables == {
        "site": "ber",
        "ports": [80, 81],
        "limits": {"low": 0.5},
        "on_call": None,
    }
    assert read.become == "doas"
    assert read.limits.soak_s == 5400
    assert (read.limits.max_parallel, read.limits.slow_start) == (7, True)
    assert (read.limits.max_failures, read.limits.max_fail_share) == (3, Fraction(1, 40))
    assert read.offline.policy is OfflinePolicy.FAIL
    assert read.offline.max_unreachable_share == Fraction(1, 8)
    assert (read.timeouts.connect_s, read.timeouts.lost_after_s) == (1, 86400)
    assert (read.timeouts.drain_s, read.timeouts.confirm_s) == (6, 3600)
    assert read.retries == Retries(0, 0.0, 1.5, ("connect",))
    assert read.on_failure is OnFailure.CONTINUE
    assert read.rollback.scope is RollbackScope.ROLLOUT
    assert read.rollback.max_parallel == 9


@pytest.mark.parametrize(
    ("text", "codes"),
    [
        ("", ["P101"]),
        ("# nothing\n", ["P101"]),
        ("- a\n", ["P101"]),
        ("just text\n", ["P101"]),
        ("{}\n", ["P102"] * 5 + ["P901"]),
        ("schema: [", ["Y"]),
        ("schema: 1\nname: a\nhosts: b\nartifact: c\n", ["P102", "P901"]),
    ],
)
def test_files_that_hold_no_plan(text: str, codes: list[str]) -> None:
    found = check_plan(text.encode(), file="p.yml")

    assert [each.code[: len(code)] for each, code in zip(found, codes, strict=True)] == codes


@pytest.mark.parametrize(
    ("written", "code"),
    [
        ("schema: 2", "P105"),
        ('schema: "1"', "P105"),
        ("schema: true", "P105"),
        ("schema: 1.0", "P105"),
        ("schema: []", "P105"),
        ("schema:", "P103"),
        ("hosts: 5", "Y902"),
        ("hosts: true", "Y902"),
        ("hosts: [a, b]", "P101"),
        ('hosts: " "', "P110"),
        ("hosts: ~", "P103"),
        ('hosts: "{{ a.b() }}"', "P112"),
        ('artifact: "{% x %}"', "P112"),
        ("release: 2", "Y902"),
        ("release: 0.1", "Y902"),
        ("release: 012", "Y118"),
        ("release: 1e3", "Y127"),
        ("release: {a: b}", "P101"),
        ("name: Ä", "P110"),
        ("name: -x", "P110"),
        ("name: " + "x" * 65, "P110"),
        ("soak: 0", "P108"),
        ("soak: 1.5", "P108"),
        ("soak: 90", "P108"),
        ("soak: 1 h", "P108"),
        ("soak: [1h]", "P108"),
        ("soak: true", "P108"),
        ("soak: 400d", "P108"),
        ("soak: -1h", "P108"),
        ("soak: 1:30:00", "Y119"),
        ("slow_start: on", "P109"),
        ("slow_start: 1", "P109"),
        ('slow_start: "true"', "P109"),
        ("slow_start: []", "P109"),
        ("max_parallel: 0", "P104"),
        ("max_parallel: 1.5", "P101"),
        ("max_parallel: 10%", "P101"),
        ("max_parallel: true", "P101"),
        ("max_failures: -1", "P104"),
        ("max_failures: 5000000", "P104"),
        ("max_fail_percentage: 101", "P104"),
        ("max_fail_percentage: -0.5", "P104"),
        ("max_fail_percentage: .inf", "Y126"),
        ("on_failure: stop", "P105"),
        ("on_failure: rolback", "P105"),
        ("on_failure: [halt]", "P105"),
        ("become: root", "P105"),
        ("become: yes", "P105"),
        ("offline: defer", "P101"),
        ("offline: {for: 14}", "P108"),
        ("offline: {policy: later}", "P105"),
        ("timeouts: {connect: 0s}", "P104"),
        ("timeouts: {confirm: 1s}", "P207"),
        ("retries: {count: 101}", "P104"),
        ("retries: {backoff: 0.5}", "P104"),
        ("retries: {classes: [install]}", "P105"),
        ("retries: {classes: connect}", "P101"),
        ("rollback: {scope: device}", "P105"),
        ("rollback: {order: oldest}", "P105"),
        ("rollback: {verify: false}", "P105"),
        ("rollback: {respect_windows: no}", "P109"),
        ("vars: [a]", "P101"),
        ("vars: {1a: b}", "P110"),
        ("vars: {_a: b}", "P110"),
        ("vars: {a-b: b}", "P110"),
        ('vars: {a: "{{ b }}"}', "P112"),
        ('vars: {a: ["{{ b }}"]}', "P112"),
        ("requires: modem", "P101"),
        ("requires: [modem]", "P101"),
        ("requires: [" + "{plan: modem}," * 33 + "]", "P104"),
        ("hooks: [halted]", "P101"),
        ("freezes: [2026-12-18]", "P101"),
        ("freezes: [" + "{}," * 257 + "]", "P104"),
        ("windows: [night]", "P101"),
        ("windows: [{start: [1], duration: 4h, timezone: UTC}]", "P101"),
        ("windows: [{start: '', duration: 4h, timezone: UTC}]", "P110"),
        ("windows: [{start: '01:00', duration: 4h, timezone: Europe/Berlim}]", "P110"),
        ("rate: {per_minute: 20, increase: 2}", "P101"),
        ("rate: {per_minute: 20, increase: {after_successes: 5}}", "P102"),
        ("requires: [{release: '>=7'}]", "P102"),
        ("requires: [{plan: modem, release: 7.3}]", "Y902"),
        ("requires: [{plan: modem, release: '=>7'}]", "P110"),
        ("requires: [{plan: modem, per: rack}]", "P105"),
        ("requires: [{plan: gw}]", "P218"),
        ("order: random", "P105"),
        ("order: {by: hash, salt: x}", "P107"),
        ("order: {by: sorted, seed: x}", "P115"),
        ("sticky: yes", "P109"),
        ("spread: site", "P101"),
        ("spread: [site, site]", "P114"),
        ("spread: [a, b, c, d, e, f, g, h, i]", "P104"),
        ("cover: [5]", "Y902"),
        ("late_joiners: add", "P105"),
        ("start_at: 2026-12-01", "P110"),
        ("start_at: 2026-12-01T01:00:00", "P110"),
        ("start_at: 2026-02-30T01:00:00Z", "P110"),
        ("start_at: 1764550800", "Y902"),
        ("windows: []", "P104"),
        ("windows: {start: '01:00'}", "P101"),
        ("windows: [{start: '01:00', duration: 4h}]", "P102"),
        ("windows: [{start: '25:00', duration: 4h, timezone: UTC}]", "P110"),
        ("windows: [{start: 22:30, duration: 4h, timezone: UTC}]", "Y119"),
        ("windows: [{start: 5, duration: 4h, timezone: UTC}]", "Y902"),
        ("windows: [{start: '01:00', duration: 0s, timezone: UTC}]", "P104"),
        ("windows: [{start: '01:00', duration: 8d, timezone: UTC}]", "P104"),
        ("windows: [{start: '01:00', duration: 4h, timezone: Berlin time}]", "P110"),
        ("windows: [{start: '01:00', duration: 4h, timezone: UTC, days: []}]", "P104"),
        ("windows: [{start: '01:00', duration: 4h, timezone: UTC, days: [monday]}]", "P105"),
        ("freezes: [{from: 2026-12-18T00:00:00Z}]", "P102"),
        ("freezes: [{from: 2026-12-18T00:00:00Z, to: 2026-12-18T00:00:00Z}]", "P104"),
        ("freezes: [{from: 2026-12-18T01:00:00Z, to: 2026-12-18T01:30:00+01:00}]", "P104"),
        ("stage_outside_window: true", "P102"),
        ("max_parallel_per: 2", "P101"),
        ("max_parallel_per: {site: 0}", "P104"),
        ("rate: 20", "P101"),
        ("rate: {per_minute: 0}", "P104"),
        ("rate: {per_minute: 20, increase: {after_successes: 5, max_per_minute: 10}}", "P104"),
        (
            "rate: {per_minute: 20, increase: {factor: 0.5, after_successes: 5, max_per_minute: 30}}",
            "P104",
        ),
        ("rate: {increase: {after_successes: 5, max_per_minute: 10}}", "P102"),
        ("budget: {}", "P102"),
        ("budget: 25", "P101"),
        ("budget: {max_failures: -1}", "P104"),
        ("budget: {window: {failures: 5}}", "P102"),
        ("budget: {window: {failures: 5, in: 0s}}", "P104"),
        ("backfill: 5", "P109"),
        ("backfill: {limit: 0}", "P104"),
        ("approval: 2", "P101"),
        ("approval: {required: 0}", "P104"),
        ("approval: {from: []}", "P104"),
        ("approval: {from: ops}", "P101"),
        ("approval: {expires: 24}", "P108"),
        ("deadline: 21", "P108"),
        ("deadline: 0s", "P104"),
        ("deadline: {after: 1d, action: abort}", "P105"),
        ("priority: 1001", "P104"),
        ("on_conflict: wait", "P105"),
        ("hooks: [{events: [halted]}]", "P102"),
        ("hooks: [{events: [], http: 'http://h/'}]", "P104"),
        ("hooks: [{events: [stopped], http: 'http://h/'}]", "P105"),
        ("hooks: [{events: [halted], http: 'http://u:p@h/'}]", "P110"),
        ("hooks: [{events: [halted], http: 'http://h/', email: a@b.example}]", "P115"),
        ("hooks: [{events: [halted], email: nobody}]", "P110"),
        ("hooks: [{events: [halted], command: []}]", "P104"),
        ("serial: 5", "P107"),
        ("on: push", "P107"),
        ("hosts: &a all", "Y113"),
        ("hosts: !!str all", "Y116"),
        ("hosts: {{ all }}", "Y117"),
        ("component: Modem", "P110"),
        ("component: ../x", "P110"),
        ("component: [modem]", "P101"),
    ],
)
def test_value_is_refused(written: str, code: str) -> None:
    key = written.partition(":")[0]
    lines = {
        "schema": "schema: 1",
        "name": "name: gw",
        "hosts": "hosts: all",
        "artifact": "artifact: a",
        "waves": "waves: [rest]",
        "gates": "gates: [{name: ok, check: svc, success_when: result.exit == 0}]",
    } | {key: written}

    found = check_plan("\n".join(lines.values()).encode(), file="p.yml")

    errors = [each for each in found if each.severity is Severity.ERROR]
    assert [each.code for each in errors] == [code]
    assert errors[0].where.line == list(lines).index(key) + 1
    assert errors[0].where.column


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("serial: 5", "`waves`"),
        ("targets: a", "`hosts`"),
        ("max_paralel: 4", "`max_parallel`"),
        ("max-parallel: 4", "`max_parallel`"),
        ("Soak: 1h", "`soak`"),
        ("window: x", "`windows`"),
    ],
)
def test_unknown_key_gets_a_guess(findings: Check, written: str, meant: str) -> None:
    errors = [
        each for each in findings(f"waves: [rest]\n{written}\n") if each.severity is Severity.ERROR
    ]

    assert errors[0].code == "P107"
    assert meant in errors[0].message


def test_unknown_key_without_a_guess_lists_the_keys(findings: Check) -> None:
    (error, *_) = findings("waves: [rest]\nxyzzy: 1\n")[1:]

    assert error.code == "P107"
    assert "schema, name, release, hosts" in error.hint


def test_number_under_vars_that_would_lose_its_text_is_an_error(findings: Check) -> None:
    found = findings(
        "waves: [rest]\nvars: {v: 1.10, fine: 1.1, list: [{deep: 2.50}]}\n"
        "gates: [{name: ok, check: svc, success_when: result.exit == 0}]\n"
    )

    assert [(one.code, one.severity) for one in found] == [("Y902", Severity.ERROR)] * 2
    assert found[0].hint == 'a version is quoted: v: "1.10"; a number is written 1.1'


def test_word_that_looks_like_a_boolean_is_warned_about(plan: Parse) -> None:
    read = plan("waves: [rest]\nrelease: on\n")

    assert read.release is not None
    assert read.release.text == "on"
    assert "P911" in [found.code for found in read.warnings]


def test_warnings_do_not_refuse(plan: Parse) -> None:
    read = plan("waves: [rest]\nslow_start: false\n")

    assert [found.code for found in read.warnings] == ["P903", "P901"]


def test_place_in_quotes_and_in_block_text(findings: Check) -> None:
    found = findings(
        """\
        waves: [rest]
        gates:
          - {name: a, check: b, success_when: "result.exit = 0"}
          - name: c
            check: d
            success_when: >-
              result.exit = 0
        """
    )

    places = [(each.where.line, each.where.column) for each in found if each.code == "P113"]
    assert places == [(7, 52), (10, 19)]


_words = st.sampled_from(
    ["schema", "name", "waves", "gates", "hosts", "soak", "1", "10%", "rest", ": ", "- ", "\n",
     "  ", "[", "]", "{", "}", ",", '"', "result.exit == 0", "check", "yes", "~", "1.10", "{{ a }}"]
)  # fmt: skip


@settings(deadline=None)
@given(st.lists(_words, max_size=30).map("".join))
def test_any_text_gives_findings_with_places_and_never_raises(text: str) -> None:
    found = check_plan(text.encode(), file="p.yml")

    assert found
    assert all(each.where.file == "p.yml" for each in found)
    assert any(each.severity is Severity.ERROR for each in found)


@settings(deadline=None)
@given(st.binary(max_size=200))
def test_any_bytes_are_refused_with_findings(data: bytes) -> None:
    with pytest.raises(PlanError) as caught:
        parse_plan(data, file="p.yml")

    assert caught.value.diagnostics
