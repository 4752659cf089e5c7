"""What Prometheus reads of a controller; the only home of `prometheus_client`.

Laws:
1. Few series, whatever the fleet: labels are closed sets of ours (states, verdicts). No device,
   rollout, plan or address stands in a label, and so nothing secret.
2. What is not known is left out, never 0: of a rollout that never succeeded there is no time.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from prometheus_client import CollectorRegistry
from prometheus_client.exposition import generate_latest
from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from orchestrator.gitops.standing import Health, Part
from orchestrator.rollout.states import DeviceState, RolloutState
from orchestrator.rollout.verdict import Verdict

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"


@dataclass(frozen=True, slots=True)
class Controller:
    """A process that follows a branch: how it stands, and what it met since it started."""

    part: Part
    health: Health
    refusals_count: int = 0
    troubles_count: int = 0


@dataclass(frozen=True, slots=True)
class Figures:
    """All that is shown, in UTC seconds.

    Attributes:
        version: of this program.
        rollouts: all of the store, by state.
        devices: those of rollouts that are not over, by state.
        engines: rollouts that are driven now, by whomever.
        frozen: whether all rollouts are frozen.
        succeeded_at: when a rollout succeeded last.
        verdicts: results of gates that this process has seen, by verdict.
        lag_s: how late the event loop was at worst in the last minute or two.
        passed_at: when the last pass of this process ended.
        controller: of a process that follows a branch.
    """

    version: str
    rollouts: Mapping[str, int] = field(default_factory=dict)
    devices: Mapping[str, int] = field(default_factory=dict)
    engines: int = 0
    frozen: bool = False
    succeeded_at: float | None = None
    verdicts: Mapping[str, int] = field(default_factory=dict)
    lag_s: float | None = None
    passed_at: float | None = None
    controller: Controller | None = None


def exposition(figures: Figures) -> bytes:
    """The figures in Prometheus' text format."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Figures(figures))
    return generate_latest(registry)


class _Figures(Collector):
    def __init__(self, figures: Figures) -> None:
        self._figures = figures

    def collect(self) -> Iterator[Metric]:
        found = self._figures
        yield _labelled(
            "rollout_build_info", "Version of this program.", "version", {found.version: 1}
        )
        yield _by(
            "rollout_rollouts", "Rollouts of the store.", "state", RolloutState, found.rollouts
        )
        yield _by(
            "rollout_devices", "Devices of rollouts that are not over.", "state", DeviceState,
            found.devices,
        )  # fmt: skip
        yield _gauge("rollout_engines", "Rollouts that are driven now.", found.engines)
        yield _gauge("rollout_frozen", "1 while all rollouts are frozen.", int(found.frozen))
        verdicts = CounterMetricFamily(
            "rollout_gate_results", "Results of gates that this process saw.", labels=("verdict",)
        )
        for verdict in Verdict:
            verdicts.add_metric((verdict.value,), found.verdicts.get(verdict.value, 0))
        yield verdicts
        yield from _known(
            "rollout_last_success_timestamp_seconds",
            "When a rollout succeeded last.",
            found.succeeded_at,
        )
        yield from _known(
            "rollout_last_pass_timestamp_seconds",
            "When the last pass of this process ended.",
            found.passed_at,
        )
        yield from _known(
            "rollout_loop_lag_seconds",
            "How late the event loop was at worst in the last minute or two.",
            found.lag_s,
        )
        if found.controller is not None:
            yield from _controller(found.controller)


def _controller(one: Controller) -> Iterator[Metric]:
    leads = int(one.part is Part.ACTIVE)
    yield _gauge("rollout_controller_leader", "1 in the process that has the lease.", leads)
    yield _by(
        "rollout_controller_health",
        "1 at how the controller stands.",
        "health",
        Health,
        {one.health.value: 1},
    )
    yield CounterMetricFamily(
        "rollout_controller_refusals", "Commits that were not taken.", one.refusals_count
    )
    yield CounterMetricFamily(
        "rollout_controller_troubles",
        "Passes that could not follow the branch.",
        one.troubles_count,
    )


def _gauge(name: str, help_: str, value: float) -> Metric:
    return GaugeMetricFamily(name, help_, value)


def _known(name: str, help_: str, value: float | None) -> Iterator[Metric]:
    if value is not None:
        yield GaugeMetricFamily(name, help_, value)


def _by(
    name: str, help_: str, label: str, words: type[RolloutState | DeviceState | Health],
    values: Mapping[str, int],
) -> Metric:  # fmt: skip
    """A series for each word there is, so that one that goes back to 0 is seen to."""
    return _labelled(name, help_, label, {word.value: values.get(word.value, 0) for word in words})


def _labelled(name: str, help_: str, label: str, values: Mapping[str, int]) -> Metric:
    family = GaugeMetricFamily(name, help_, labels=(label,))
    for word, value in values.items():
        family.add_metric((word,), value)
    return family
