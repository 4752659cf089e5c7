"""Devices that want to do harm, in a rollout with well-behaved ones over real SSH: D01 to D35.

Each case is a whole rollout by the real engine, transport and store. It ends in time; the device
ends with the reason that fits; its neighbours are updated; nothing that it said reaches a terminal,
a log or the store as it was; and it costs the controller less than 1 MiB.
"""

from __future__ import annotations

import asyncio
import itertools
import logging
import time
import tracemalloc
import unicodedata
from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import pytest

from orchestrator.device.model import Address, DeviceId
from orchestrator.device.protocol import Verb
from orchestrator.engine.clock import SystemClock
from orchestrator.engine.loop import Engine, Job, Pace, Ports
from orchestrator.plan.digest import digest_of, to_json
from orchestrator.plan.resolved import OfflinePolicy, ResolvedPlan, ResolvedWave, Retries, Timeouts
from orchestrator.render import status, why
from orchestrator.render.board import Board
from orchestrator.render.documents import event_line
from orchestrator.render.json_text import dump
from orchestrator.render.lines import Detail, Lines
from orchestrator.render.screen import screen
from orchestrator.render.standing import Facts
from orchestrator.render.summary import summary
from orchestrator.render.text import Look
from orchestrator.rollout.events import JournalEntry
from orchestrator.rollout.machine import Rollout
from orchestrator.rollout.states import DeviceState
from orchestrator.rollout.story import tell
from orchestrator.rollout.why import why as why_of
from orchestrator.ssh.profile import SshSettings
from orchestrator.ssh.transport import SshTransport
from orchestrator.store.sql import LeaseClock, open_store
from orchestrator.testing.device import SimulatedDevice
from orchestrator.testing.plans import SimulatedArtifact, device_ids, make_plan
from orchestrator.testing.world import SimulatedProber, good_release, old_release
from tests.integration.hostile import CASES, Case
from tests.integration.served import Site, Way
from tests.patience import within

pytestmark = pytest.mark.integration

FASTER = 25  # what the engine waits for by its clock passes in a fraction of the time
# of transfer and install; a delivery has three of them
QUICK_S, PATIENT_S, BATCH_S = within(0.3), within(6.0), within(4.0)
CONNECT_S = 10.0
DETAIL_MAX = 1024
WITHIN_S = within(25.0)
NEIGHBOURS = 2
MIB = 1024 * 1024
HOSTILE_COUNT = 50
FLOODS = (
    "D08-endless-stdout",
    "D09-endless-stderr",
    "D16-long-value",
    "D27-banner",
    "D32-rekey-storm",
)
SHOWN_AS_THEY_ARE = frozenset("\n")
SIGNS = (b"\x1b[2J", b"\x1b]0;", b"\x1b]52;", b"failed\rdone", b"\xe2\x80\xaegnp")
TARGET = good_release().manifest


class FastClock(SystemClock):
    """Time that hurries."""

    def __init__(self) -> None:
        super().__init__()
        self._began_at = super().now()

    def now(self) -> float:
        return self._began_at + FASTER * (super().now() - self._began_at)

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds / FASTER)


class Onlooker:
    """Shows a rollout as every view of it would."""

    def __init__(self, plan: ResolvedPlan) -> None:
        self.look = Look(width=120)
        self.lines = Lines(Board(plan, "r-1"), self.look, detail=Detail.DEVICES)
        self.shown: list[str] = []
        self.journal: list[JournalEntry] = []

    def committed(self, rollout: Rollout, journal: Sequence[JournalEntry]) -> None:
        del rollout
        self.journal.extend(journal)
        self.shown += self.lines.take(journal)
        self.shown += screen(self.lines.board, self.look, 24)
        self.shown += [event_line(entry, "r-1") for entry in journal]

    def progressed(self, device: DeviceId, sent_bytes: int) -> None:
        self.lines.board.take_work(device, "transfer", sent_bytes, sent_bytes)

    def tell_end(self, rollout: Rollout, digest: str) -> None:
        """What `status`, `status DEVICE` and the last words of `apply` say."""
        facts = Facts(rollout.plan, digest, tell(rollout), "", rollout.ledger.now)
        self.shown += summary(facts, self.look)
        self.shown += [status.text(facts, self.look), dump(status.document(facts))]
        for device in rollout.plan.devices:
            story = why_of(rollout, device, now=rollout.ledger.now, running={})
            assert story is not None
            own = [entry for entry in self.journal if entry.device == device]
            told = why.WhyFacts("r-1", story, own, rollout.ledger.now, "", "")
            self.shown += [why.text(told, self.look), dump(why.document(told))]


class Fleet:
    """Hostile devices and their neighbours, and one rollout over all of them."""

    def __init__(self, site: Site, directory: Path, *, step_s: float, tries_count: int) -> None:
        self.site, self.directory = site, directory
        self.step_s, self.tries_count = step_s, tries_count
        self.clock = FastClock()
        self.devices: dict[DeviceId, SimulatedDevice] = {}
        self.addresses: dict[DeviceId, Address] = {}
        self.key = directory / "key"
        site.client_key.write_private_key(self.key)
        self.key.chmod(0o600)
        self.names = iter(device_ids(99))

    async def add(self, way: Way) -> DeviceId:
        name = next(self.names)
        new = replace(good_release(), corrupt=way.corrupt)
        device = SimulatedDevice(name, now=self.clock.now, installed=old_release(), releases=(new,))
        port = await self.site.serve(device, way)
        self.devices[name] = device
        self.addresses[name] = Address(
            "127.0.0.1", port, "rollout", str(self.key), (self.site.host_line,)
        )
        return name

    async def add_neighbour(self) -> DeviceId:
        name = await self.add(Way())
        self.site.neighbours.append(self.devices[name])
        return name

    def plan(self) -> ResolvedPlan:
        """All at once, and no limit on failures: each device ends by itself."""
        wave = ResolvedWave(
            "all",
            "all",
            tuple(self.devices),
            slow_start=False,
            max_fail_share=Fraction(1),
            max_unreachable_share=Fraction(1),
        )
        timeouts = Timeouts(
            connect_s=CONNECT_S,
            transfer_s=self.step_s,
            install_s=self.step_s,
            reboot_s=20.0,
            lost_after_s=20.0,
            confirm_s=10_000.0,
        )
        plan = make_plan(
            [wave],
            timeouts=timeouts,
            retries=Retries(count=self.tries_count, delay_s=1.0),
            offline=OfflinePolicy.FAIL,
        )
        devices = {
            name: replace(planned, address=self.addresses[name])
            for name, planned in plan.devices.items()
        }
        return replace(plan, devices=devices)

    async def roll_out(self) -> tuple[Rollout, Onlooker]:
        plan = self.plan()
        plan_json = to_json(plan)
        onlooker = Onlooker(plan)
        transport = SshTransport(SshSettings(connect_s=CONNECT_S, login_s=CONNECT_S))
        store = await open_store(str(self.store_file), lease_clock=LeaseClock.CALLER)
        tokens = itertools.count(1)
        ports = Ports(
            store, store, transport, SimulatedProber(), self.clock, lambda: f"n{next(tokens)}"
        )
        frames = SimulatedArtifact.of("new").frames
        job = Job("r-1", plan, plan_json, frames, "test", "ctl")
        engine = Engine(ports, job, observer=onlooker, pace=Pace(lease_s=1e6, poll_s=0.05))
        try:
            ended = await engine.run()
        finally:
            await transport.close()
            await store.close()
        onlooker.tell_end(ended.rollout, digest_of(plan_json))
        return ended.rollout, onlooker

    @property
    def store_file(self) -> Path:
        return self.directory / "state.db"


def acts(text: str) -> set[str]:
    """Characters that a terminal would not show but obey, or that hide or reorder others."""
    return {
        char
        for char in set(text) - SHOWN_AS_THEY_ARE
        if unicodedata.category(char) in ("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp")
    }


def stored(directory: Path) -> bytes:
    return b"".join(part.read_bytes() for part in directory.glob("state.db*"))


async def run_cases(
    cases: Sequence[Case], directory: Path
) -> tuple[Rollout, Onlooker, list[DeviceId], list[DeviceId], Fleet]:
    async with Site() as site:
        quick = any(case.quick for case in cases)
        step_s, tries_count = (QUICK_S, 0) if quick else (PATIENT_S, 2)
        fleet = Fleet(site, directory, step_s=step_s, tries_count=tries_count)
        hostile = [await fleet.add(case.way) for case in cases]
        site.neighbours += [
            fleet.devices[name]
            for name, case in zip(hostile, cases, strict=True)
            if case.state is DeviceState.SUCCEEDED
        ]
        neighbours = [await fleet.add_neighbour() for _ in range(NEIGHBOURS)]
        rollout, onlooker = await fleet.roll_out()
    return rollout, onlooker, hostile, neighbours, fleet


@pytest.mark.parametrize("item", CASES)
async def test_hostile_device(item: str, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    started_at = time.monotonic()

    rollout, onlooker, hostile, neighbours, fleet = await run_cases(CASES[item], tmp_path)

    records = rollout.ledger.devices
    ended = [(records[name].state, records[name].reason) for name in hostile]
    assert ended == [(case.state, case.reason) for case in CASES[item]]
    assert time.monotonic() - started_at < WITHIN_S
    assert [records[name].state for name in neighbours] == [DeviceState.SUCCEEDED] * NEIGHBOURS
    assert all(fleet.devices[name].activations == {TARGET: 1} for name in neighbours)
    assert not acts("\n".join(onlooker.shown))
    assert not acts(caplog.text)
    assert all(len(str(entry.data.get("detail", ""))) <= DETAIL_MAX for entry in onlooker.journal)
    assert not any(sign in stored(tmp_path) for sign in SIGNS)
    verbs = {command.split(" ")[0] for command in fleet.site.commands}
    assert verbs <= set(Verb)


@pytest.mark.parametrize(
    ("item", "shown"),
    [
        ("D03-clipboard", r"\x1b]52;c;cm0gLXJmIH4=\x07"),
        ("D04-overwritten-line", r"failed\rdone   100 %"),
        ("D05-bidi", r"\u202egnp.exe\u2066\x9b2J"),
        ("D06-markup", "[bold red]all is well[/] {{7*7}} %s"),
    ],
)
async def test_words_of_a_hostile_device_are_shown_as_what_they_are(
    item: str, shown: str, tmp_path: Path
) -> None:
    _, onlooker, *_ = await run_cases(CASES[item], tmp_path)

    assert any(shown in text for text in onlooker.shown)


async def test_fifty_hostile_devices_cost_less_than_a_mebibyte_each(tmp_path: Path) -> None:
    """Every way there is, floods several times; their servers, in this process, included.

    All of them together stay below half of it, so that none is above it by itself.
    """
    all_cases = itertools.chain.from_iterable(CASES.values())
    ways = [case.way for case in all_cases if case.state is not DeviceState.LOST]  # those halt it
    floods = [CASES[item][0].way for item in FLOODS]
    hostile = [*ways, *itertools.islice(itertools.cycle(floods), HOSTILE_COUNT - len(ways))]
    async with Site() as site:
        fleet = Fleet(site, tmp_path, step_s=BATCH_S, tries_count=0)
        for way in hostile:
            await fleet.add(way)
        neighbours = [await fleet.add_neighbour() for _ in range(NEIGHBOURS)]
        tracemalloc.start()
        try:
            rollout, _ = await fleet.roll_out()
            _, peak_bytes = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()

    states = [rollout.ledger.devices[name].state for name in neighbours]
    assert len(hostile) == HOSTILE_COUNT
    assert states == [DeviceState.SUCCEEDED] * NEIGHBOURS
    assert peak_bytes < HOSTILE_COUNT * MIB / 2
