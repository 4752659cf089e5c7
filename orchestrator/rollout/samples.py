"""Samples of the gates that one device must pass, counted in and journalled."""

from __future__ import annotations

from orchestrator.device.check import check_fields
from orchestrator.rollout.events import DeviceReported, Value
from orchestrator.rollout.ledger import Ledger
from orchestrator.rollout.record import DeviceRecord
from orchestrator.rollout.verdict import Reading, read_sample


def take_checks(led: Ledger, rec: DeviceRecord, event: DeviceReported) -> None:
    """Counts what the checks said that the device was asked for."""
    results = {result.name: result for result in event.checks}
    for index in rec.asked:
        gate = led.plan.gates[index]
        result = results.get(gate.probe.check)
        fields: dict[str, Value] = {}
        error = f"no result of check `{gate.probe.check}`" if result is None else ""
        if result is not None:
            try:
                fields = check_fields(result)
            except ValueError as problem:
                error = str(problem)
        add(led, rec, index, fields, error)
    rec.asked = ()


def add(led: Ledger, rec: DeviceRecord, index: int, fields: dict[str, Value], error: str) -> None:
    """Counts one sample of a gate; what is no success is journalled."""
    gate = led.plan.gates[index]
    reading = read_sample(gate, fields, error)
    verdict = rec.tallies[index].add(gate, reading, led.now)
    if reading is not Reading.SUCCESS:
        data: dict[str, Value | list[Value]] = {
            "gate": gate.name,
            "reading": reading.value,
            "verdict": verdict.value,
        }
        if error:
            data["error"] = error
        data.update({f"result.{key}": value for key, value in fields.items()})
        led.note("gate_result", rec=rec, data=data)
