"""Enrol devices and release them again."""

from __future__ import annotations

from orchestrator.api.connections import OnAnswer
from orchestrator.api.values import DeviceAnswer, EnrollRequest, Settings, Source
from orchestrator.errors import PlanError


async def device_enroll(
    settings: Settings, request: EnrollRequest, on_answer: OnAnswer
) -> tuple[DeviceAnswer, ...]:
    raise PlanError("wiring pending")


async def device_release(
    settings: Settings, pattern: str, source: Source, on_answer: OnAnswer, *, purge: bool = False
) -> tuple[DeviceAnswer, ...]:
    raise PlanError("wiring pending")
