"""What Prometheus reads: its own parser is the judge."""

from __future__ import annotations

from dataclasses import replace

from prometheus_client.parser import text_string_to_metric_families

from orchestrator.gitops.standing import Health, Part
from orchestrator.metrics.exposition import Controller, Figures, exposition
from orchestrator.rollout.states import DeviceState, RolloutState
from orchestrator.rollout.verdict import Verdict

FIGURES = Figures(
    "1.2", {"succeeded": 4, "running": 1}, {"queued": 9_000}, 1, True, 100.0, {"failed": 2}, 0.5,
    200.0, Controller(Part.ACTIVE, Health.DEGRADED, 3, 7),
)  # fmt: skip


def samples(figures: Figures) -> dict[tuple[str, str], float]:
    """Each series by its name and the value of its one label."""
    text = exposition(figures).decode()
    found = [one for family in text_string_to_metric_families(text) for one in family.samples]
    assert all(len(one.labels) <= 1 for one in found)
    return {(one.name, "".join(one.labels.values())): one.value for one in found}


def test_figures_come_out_as_they_went_in() -> None:
    found = samples(FIGURES)

    assert found["rollout_build_info", "1.2"] == 1
    assert found["rollout_rollouts", "succeeded"] == 4
    assert found["rollout_rollouts", "halted"] == 0
    assert found["rollout_devices", "queued"] == 9_000
    assert found["rollout_engines", ""] == 1
    assert found["rollout_frozen", ""] == 1
    assert found["rollout_gate_results_total", "failed"] == 2
    assert found["rollout_last_success_timestamp_seconds", ""] == 100
    assert found["rollout_last_pass_timestamp_seconds", ""] == 200
    assert found["rollout_loop_lag_seconds", ""] == 0.5
    assert found["rollout_controller_leader", ""] == 1
    assert found["rollout_controller_health", "degraded"] == 1
    assert found["rollout_controller_health", "healthy"] == 0
    assert found["rollout_controller_refusals_total", ""] == 3
    assert found["rollout_controller_troubles_total", ""] == 7


def test_what_is_not_known_is_left_out() -> None:
    empty = {name for name, _ in samples(Figures("1.2"))}

    assert {name for name in empty if name.endswith("_seconds")} == set()
    assert {name for name in empty if name.startswith("rollout_controller")} == set()


def test_number_of_series_is_that_of_our_own_words_whatever_the_fleet() -> None:
    more = replace(FIGURES, rollouts={"running": 10**6, "gw-1.example.net": 3})
    words = len(RolloutState) + len(DeviceState) + len(Verdict) + len(Health)

    found = samples(more)

    assert len(found) == words + 9
    assert "gw-1.example.net" not in str(found)
