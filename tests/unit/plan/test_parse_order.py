from __future__ import annotations

from collections.abc import Callable

import pytest

from orchestrator.errors import Diagnostic, PlanError, Severity
from orchestrator.plan.model import Plan
from orchestrator.plan.resolved import ResolvedPlan

Parse = Callable[[str], Plan]
Check = Callable[[str], tuple[Diagnostic, ...]]
Resolve = Callable[..., ResolvedPlan]
TAIL = "waves: [rest]\ngates: [{name: ok, check: svc, success_when: result.exit == 0}]\n"


@pytest.mark.parametrize(
    ("written", "place", "words"),
    [
        ("order: {seed: x}\nsticky: true", "p.yml:6:1", "`sticky` names the seed already"),
        ("order: {by: sorted, seed: x}", "p.yml:5:27", "a seed decides nothing"),
        ("order: {by: hsah}", "p.yml:5:13", "did you mean `hash`?"),
        ('order: {seed: "{% x %}"}', "p.yml:5:16", "`{%` is not used in plans"),
        ("spread: [site, rack, site]", "p.yml:5:22", "names the label `site` twice"),
    ],
)
def test_order_is_refused_at_its_place(
    findings: Check, written: str, place: str, words: str
) -> None:
    found = [each for each in findings(f"{written}\n" + TAIL) if each.severity is Severity.ERROR]

    assert len(found) == 1
    assert str(found[0].where) == place
    assert words in found[0].message


def test_seed_with_a_variable_that_is_missing_is_refused(plan: Parse, resolve: Resolve) -> None:
    with pytest.raises(PlanError) as caught:
        resolve(plan('order: {seed: "{{ season }}"}\n' + TAIL))

    assert [each.code for each in caught.value.diagnostics] == ["P210"]
