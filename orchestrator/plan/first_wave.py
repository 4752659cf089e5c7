"""Whether the first devices that a release changes stand for the fleet, as far as places go."""

from __future__ import annotations

from orchestrator.device.model import DeviceId
from orchestrator.plan.fit import SITE_LABEL
from orchestrator.plan.resolved import ResolvedPlan, ResolvedWave
from orchestrator.plan.risk import Risk


def narrow_canary(plan: ResolvedPlan) -> tuple[Risk, ...]:
    """Risks of a canary out of one place alone, while later waves have others too.

    The canary is the first wave that the order filled and that changes anything; a wave with
    `hosts` of its own before it was chosen by a person, and only adds its places. They are values
    of the label `site`, and of the labels that the plan spreads its waves over. Devices that run
    the release already are tried nowhere, and speak for no place. A canary of one device is no
    risk of this kind: it has one place by its size, which a person chose.
    """
    tried = [wave for wave in plan.waves if _changed(plan, wave)]
    first = next((index for index, wave in enumerate(tried) if not wave.hosts), len(tried))
    if first + 1 >= len(tried):  # nothing comes after it
        return ()
    labels = dict.fromkeys((SITE_LABEL, *plan.spread))
    return tuple(risk for label in labels if (risk := _narrow(plan, tried, first, label)))


def _narrow(plan: ResolvedPlan, tried: list[ResolvedWave], first: int, label: str) -> Risk | None:
    here = _places(plan, tried[: first + 1], label)
    elsewhere = len(_places(plan, tried[first + 1 :], label) - here)
    if len(here) != 1 or not elsewhere or not (only := here.pop()):
        return None
    count = len(_changed(plan, tried[first]))
    if count == 1:
        return None
    others = "another one" if elsewhere == 1 else f"{elsewhere} others"
    message = (
        f"wave `{tried[first].name}` tries one `{label}` alone: all {count} devices are of `{only}`,"
        f" later waves have {others}; `cover: [{label}]` takes one of each"
    )
    return Risk("P933", message)


def _places(plan: ResolvedPlan, waves: list[ResolvedWave], label: str) -> set[str]:
    return {plan.devices[name].labels.get(label, "") for w in waves for name in _changed(plan, w)}


def _changed(plan: ResolvedPlan, wave: ResolvedWave) -> list[DeviceId]:
    target = plan.artifact.manifest_sha256
    return [name for name in wave.devices if plan.devices[name].current_manifest != target]
