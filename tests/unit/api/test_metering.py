"""Figures of a process: what is counted, where they go, and that they end nothing."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from pathlib import Path

import jsonschema
import pytest

from orchestrator import api
from orchestrator.errors import OrchestratorError
from orchestrator.gitops.plans import Trouble
from orchestrator.gitops.record import Record
from orchestrator.gitops.standing import Part, Standing
from orchestrator.rollout.events import JournalEntry
from tests.schema_of import SCHEMAS
from tests.unit.metrics.test_server import asked

STANDING = Standing(1.0, Part.ACTIVE, Record("/srv/fleet.git", "main", "c1"), offered="c1")


@pytest.fixture
def settings(tmp_path: Path) -> api.Settings:
    return api.Settings(root=tmp_path, state=str(tmp_path / "state.db"))


def meter(settings: api.Settings, **more: object) -> api.Meter:
    return api.Meter(settings, api.Metering(**more), interval_s=1.0)  # type: ignore[arg-type]


async def test_results_of_gates_are_counted_by_verdict(settings) -> None:
    found = meter(settings)
    results = [{"gate": "g", "verdict": "passed"}, {"gate": "g", "verdict": "passed"}, {}]
    found.journal([JournalEntry(1, 1.0, "gate_result", data=data) for data in results])
    found.journal([JournalEntry(2, 1.0, "wave_started", data={"verdict": "failed"})])

    assert (await found.figures()).verdicts == {"passed": 2}


async def test_each_refusal_and_each_failure_counts_once(settings) -> None:
    found = meter(settings)
    refused = replace(STANDING, offered="c2", refusal="no")
    for standing in (
        STANDING, refused, refused, replace(refused, offered="c3"),
        replace(STANDING, trouble=Trouble("down", 2, 1, 9.0)),
        replace(STANDING, trouble=Trouble("down", 2, 1, 9.0)),
        replace(STANDING, trouble=Trouble("down", 2, 2, 9.0)),
    ):  # fmt: skip
        found.stood(standing)

    controller = (await found.figures()).controller

    assert controller is not None
    assert (controller.refusals_count, controller.troubles_count) == (2, 2)


async def test_file_is_written_whole_at_the_end_at_the_latest(settings, tmp_path) -> None:
    file = tmp_path / "rollout.prom"

    async with meter(settings, file=file).running():
        pass

    assert b"rollout_build_info" in file.read_bytes()
    assert file.stat().st_mode & 0o777 == 0o644
    assert [one.name for one in tmp_path.iterdir()] == ["rollout.prom"]


async def test_file_that_cannot_be_written_ends_nothing_and_is_told(settings, tmp_path) -> None:
    found = meter(settings, file=tmp_path / "nowhere" / "rollout.prom")

    async with found.running():
        pass

    assert "cannot write" in found.trouble


async def test_pages_say_figures_and_health(settings) -> None:
    found = meter(settings, host="127.0.0.1")
    found.stood(STANDING)

    async with found.running():
        figures = await asked(found.port, b"GET /metrics HTTP/1.1\r\n\r\n")
        health = await asked(found.port, b"GET /healthz HTTP/1.1\r\n\r\n")

    assert b"\nrollout_controller_leader 1.0\n" in figures
    said = json.loads(health.partition(b"\r\n\r\n")[2])
    jsonschema.validate(said, json.loads((SCHEMAS / "health.v1.json").read_text()))
    assert (said["alive"], said["health"], said["part"], said["commit"]) == (
        True, "healthy", "active", "c1",
    )  # fmt: skip


async def test_process_is_alive_whatever_happens_to_the_clock(settings, monkeypatch) -> None:
    found = meter(settings, host="127.0.0.1")
    found.passed()
    passed_at = found._passed_at or 0.0
    monkeypatch.setattr("orchestrator.api.metering.time.time", lambda: passed_at + 9000.0)

    async with found.running():
        health = await asked(found.port, b"GET /healthz HTTP/1.1\r\n\r\n")

    assert health.startswith(b"HTTP/1.1 200 ")


async def test_process_whose_passes_stopped_is_not_alive(settings) -> None:
    found = meter(settings, host="127.0.0.1")
    found.passed()
    found._went_on -= 64.0

    async with found.running():
        health = await asked(found.port, b"GET /healthz HTTP/1.1\r\n\r\n")

    assert health.startswith(b"HTTP/1.1 503 ")


async def test_store_that_cannot_be_read_is_said_without_its_place(tmp_path) -> None:
    broken = tmp_path / "state.db"
    broken.write_bytes(b"no database at all, and long enough to be taken for one" * 100)
    found = meter(api.Settings(root=tmp_path, state=str(broken)), host="127.0.0.1")

    async with found.running():
        figures = await asked(found.port, b"GET /metrics HTTP/1.1\r\n\r\n")

    assert figures.startswith(b"HTTP/1.1 503 ")
    assert str(tmp_path).encode() not in figures


async def test_address_that_is_taken_is_refused(settings) -> None:
    first = meter(settings, host="127.0.0.1")
    async with first.running():
        second = meter(settings, host="127.0.0.1", port=first.port)
        with pytest.raises(
            OrchestratorError, match=r"cannot listen on `[0-9.:]+`: address already in use$"
        ):
            async with second.running():
                await asyncio.sleep(0)
