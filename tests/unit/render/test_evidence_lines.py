"""What a preview says of evidence: short, and without the power of what others wrote."""

from dataclasses import replace

from orchestrator.plan.evidence import PlannedDocument, PlannedEvidence, PlannedSnapshot
from orchestrator.plan.resolved import ResolvedWave
from orchestrator.render.evidence_lines import evidence_lines
from orchestrator.render.text import Look
from orchestrator.testing.plans import device_ids, make_plan

FOUND = PlannedEvidence(
    "0" * 64, "1" * 64, ("k1", "k2"), (PlannedDocument("sbom", "a.sbom.json", "2" * 64),),
    (PlannedSnapshot("osv.zip", "3" * 64, 1_764_000_000.0),), 12,
)  # fmt: skip


def lines(found: PlannedEvidence | None) -> list[str]:
    plan = make_plan([ResolvedWave("all", "rest", device_ids(2))])
    return evidence_lines(replace(plan, evidence=found), Look(200))


def test_nothing_is_said_where_no_policy_was_satisfied() -> None:
    assert lines(None) == []


def test_papers_signers_and_the_oldest_snapshot_are_named() -> None:
    text = "\n".join(lines(FOUND))

    assert "1 sbom, signed by 2 release keys" in text
    assert "12 components looked up as known on 2025-11-24" in text


def test_many_excuses_are_cut_and_have_no_power_over_a_terminal() -> None:
    words = tuple(f"CVE-{number}: \x1b[31mfine" for number in range(14))

    text = lines(replace(FOUND, excused=words))

    assert len([line for line in text if "excused: " in line]) == 10
    assert text[-1].endswith("and 4 more excused")
    assert "\x1b" not in "\n".join(text)
