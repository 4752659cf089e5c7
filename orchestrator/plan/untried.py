"""Waves that will prove nothing, told before the rollout starts.

Source: rollout-rules R8 ("base = 0 -> no evidence -> inconclusive, unless the whole rollout is
unchanged"); the rollout itself decides by what it reads back (`rollout.passage`).
"""

from __future__ import annotations

from orchestrator.plan.resolved import ResolvedPlan, ResolvedWave, Risk


def untried_waves(plan: ResolvedPlan) -> tuple[Risk, ...]:
    """Risks of waves that pause, since their devices and all before run the artifact already.

    Only what the devices have answered counts. A fleet that runs it as a whole has nothing to
    prove, and no warning.
    """
    untried: list[ResolvedWave] = []
    for wave in plan.waves:
        if not _is_unchanged(plan, wave):
            return tuple(_risk(each, plan.artifact.name) for each in untried)
        untried.append(wave)
    return ()


def _is_unchanged(plan: ResolvedPlan, wave: ResolvedWave) -> bool:
    target = plan.artifact.manifest_sha256
    return all(plan.devices[device].current_manifest == target for device in wave.devices)


def _risk(wave: ResolvedWave, artifact: str) -> Risk:
    count = len(wave.devices)
    devices = "its one device runs" if count == 1 else f"all its {count} devices run"
    message = (
        f"wave `{wave.name}` pauses with `insufficient_evidence`: {devices} `{artifact}` already, "
        "so nothing is tried in it, and the wave behind it would be the canary; make it larger, or "
        "look at what the fleet runs and go on with `rollout promote --reason TEXT`"
    )
    return Risk("P926", message)
