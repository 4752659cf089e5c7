"""What differences save, by what lies beside the artifact that a plan names."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path

from orchestrator import api
from orchestrator.api.deltas import differences_save
from orchestrator.plan.resolved import ResolvedWave
from orchestrator.testing.plans import device_ids, make_plan

OLD, OTHER = "2" * 64, "3" * 64


def difference(path: Path, new: str, old: str, size: int, patch: bytes) -> None:
    digest = hashlib.sha256(patch).hexdigest()
    head = f"rollout-delta 1 {new} {old} image {'4' * 64} {size} {'5' * 64} 100 {digest}\n"
    path.write_bytes(head.encode() + patch)


def test_differences_beside_the_artifact_of_a_plan_count(tmp_path: Path) -> None:
    settings = api.Settings(root=tmp_path, state="")
    plan = make_plan([ResolvedWave("all", "rest", device_ids(2))])
    plan = replace(plan, plan_file="plans/p.yml")
    place = tmp_path / "plans"
    place.mkdir()
    manifest = plan.artifact.manifest_sha256
    difference(place / "a.delta", manifest, OLD, 1000, b"p" * 100)
    difference(place / "b.delta", manifest, OLD, 1000, b"p" * 200)
    difference(place / "c.delta", manifest, OTHER, 500, b"p" * 100)
    difference(place / "d.delta", OTHER, OLD, 900, b"p" * 100)

    without = differences_save(settings, plan)
    (place / plan.artifact.path).touch()

    assert without == {}
    assert differences_save(settings, plan) == {OLD: 900, OTHER: 400}
