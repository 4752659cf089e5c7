"""Nothing that a plan says is left out silently."""

from __future__ import annotations

from collections.abc import Callable
from textwrap import dedent

import pytest

from orchestrator.errors import ExitCode, PlanError
from orchestrator.plan.model import Plan
from orchestrator.plan.resolved import ResolvedPlan
from orchestrator.plan.runnable import NOT_RUN_YET, refuse_unready

Parse = Callable[[str], Plan]
Resolve = Callable[..., ResolvedPlan]
GATE = "{name: ok, check: svc, success_when: result.exit == 0}"
PROM = "prometheus: {url: 'http://h/', query: up, label: device}"
SAYS = {
    "gates.stage: preflight": f"gates: [{GATE[:-1]}, stage: preflight}}]",
    "gates.prometheus.label": f"gates: [{{name: a, {PROM}, fail_when: value > 0}}]",
    "gates.stats": "gates: [{name: a, stats: regressions, fail_when: value > 0}]",
    "gates.compare": f"gates: [{{name: a, {PROM}, compare: {{to: before, min_effect: 2}}, "
    "dry_run: true}]",
}


def _text(line: str) -> str:
    keys = {"waves": "waves: [100, rest]", "gates": f"gates: [{GATE}]"}
    return "\n".join({**keys, line.partition(":")[0]: line}.values()) + "\n"


@pytest.mark.parametrize("key", NOT_RUN_YET)
def test_key_that_is_not_run_refuses_apply(plan: Parse, resolve: Resolve, key: str) -> None:
    resolved = resolve(plan(_text(SAYS[key])), 400)  # a comparison needs many devices

    with pytest.raises(PlanError, match="not run by this version") as caught:
        refuse_unready(resolved)

    assert f"`{key}`" in caught.value.message
    assert (caught.value.code, caught.value.exit_code) == ("P219", ExitCode.REFUSED)


def test_all_such_keys_are_named_at_once(plan: Parse, resolve: Resolve) -> None:
    if len(NOT_RUN_YET) < 2:
        pytest.skip("the engine runs the whole language")
    first, *_, second = NOT_RUN_YET
    both = resolve(plan(_text(SAYS[first]) + SAYS[second] + "\n"))

    with pytest.raises(PlanError, match=f"`{first}`, `{second}`") as caught:
        refuse_unready(both)

    assert caught.value.where is not None
    assert caught.value.where.file == "p.yml"


def test_plan_of_what_is_run_is_not_refused(plan: Parse, resolve: Resolve) -> None:
    text = dedent("""\
        order: sorted
        start_at: 2026-12-01T01:00:00Z
        windows: [{start: "01:00", duration: 4h, timezone: UTC}]
        rate: {per_minute: 2}
        budget: {max_failures: 2}
        deadline: 2d
        sticky: false
        spread: [site]
        waves:
          - {size: 2, cover: [site], backfill: {limit: 1}}
          - {hosts: lab, size: 100%}
          - rest
        soak: 1h
        hooks: [{events: [halted], email: a@b.example}]
    """)

    refuse_unready(resolve(plan(text + f"gates: [{GATE}]\n"), claims={"wave-2": ["gw-1"]}))
