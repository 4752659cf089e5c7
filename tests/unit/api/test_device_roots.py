"""Devices that take later roots, one version after the other, and say why they do not."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from orchestrator import api
from orchestrator.api import device_roots
from orchestrator.device.model import Device
from orchestrator.device.protocol import Reply, Request, Verb
from orchestrator.device.reason import Reason
from orchestrator.device.trust import ROOT_FRAMES
from orchestrator.engine.ports import Dialogue
from orchestrator.errors import DeviceError, PlanError, TrustError
from orchestrator.testing.tickets import signed
from orchestrator.trust.keys import SigningKey, generate_key
from orchestrator.trust.root import Role, RoleKey, Root, parse_root, write_root

SOURCE = api.Source()
HELPER = (("helper", "1.2.0"), ("state", "none"))


@dataclass
class RootedDevice:
    """A device as far as it has a root: takes the version that follows its own, and no other."""

    version: int | None
    asked: list[Request] = field(default_factory=list)
    was: list[int] = field(default_factory=list)
    refuses: int | None = None
    closed: int = 0

    async def ask(self, request: Request, *, deadline_s: float) -> Reply:
        assert deadline_s > 0
        self.asked.append(request)
        root = () if self.version is None else (("root", str(self.version)), ("fleet", "acme"))
        return Reply(0, (*HELPER, *root))

    async def converse(self, request: Request, dialogue: Dialogue, *, deadline_s: float) -> Reply:
        assert deadline_s > 0
        self.asked.append(request)
        assert tuple(frame.name for frame in dialogue.frames) == ROOT_FRAMES
        version = parse_root(b"".join(dialogue.frames[0].chunks(0))).version
        if version == self.refuses or version != (self.version or 0) + 1:
            return Reply(65, (("reason", "root_version"), ("detail", "does not follow")))
        self.version = version
        self.was.append(version)
        return Reply(0, ())

    async def close(self) -> None:
        self.closed += 1


@dataclass
class Fleet:
    """Implements `Transport` over such devices; the one that is None does not answer."""

    devices: dict[str, RootedDevice | None]

    async def open(self, device: Device, *, deadline_s: float) -> RootedDevice:
        assert deadline_s > 0
        found = self.devices[device.id]
        if found is None:
            raise DeviceError("no route", reason=Reason.UNREACHABLE)
        return found


@pytest.fixture
def root_key() -> SigningKey:
    return generate_key()


@pytest.fixture
def place(tmp_path: Path, root_key: SigningKey) -> Path:
    """Roots 2 to 4, each signed by its own root key."""
    keys = [(Role.BUILD, generate_key()), (Role.RELEASE, generate_key()), (Role.ROOT, root_key)]
    rows = sorted(
        (RoleKey(role, key.verification) for role, key in keys), key=lambda row: row.value
    )
    for version in (2, 3, 4):
        text = write_root(Root("acme", version, 1, 1, 1, 1, tuple(rows)))
        (tmp_path / f"root-{version}.txt").write_bytes(text)
        (tmp_path / f"root-{version}.txt.sig").write_bytes(signed(text, root_key))
    return tmp_path


async def given(
    place: Path,
    monkeypatch: pytest.MonkeyPatch,
    devices: dict[str, RootedDevice | None],
    *versions: int,
) -> dict[str, api.DeviceAnswer]:
    """What devices answer that are given these roots."""
    (place / "hosts.yml").write_text(f"all: {{hosts: {{{': {}, '.join(devices)}: {{}}}}}}\n")

    @asynccontextmanager
    async def transport(_settings: api.Settings) -> AsyncIterator[Fleet]:
        yield Fleet(devices)

    monkeypatch.setattr(device_roots, "open_transport", transport)
    settings = api.Settings(
        root=place, state=str(place / "state.db"), inventory=(str(place / "hosts.yml"),)
    )
    files = [place / f"root-{version}.txt" for version in versions]
    told: list[api.DeviceAnswer] = []
    answers = await api.device_root(settings, "all", SOURCE, files, told.append)
    assert sorted(told, key=lambda one: one.device) == sorted(answers, key=lambda one: one.device)
    return {answer.device: answer for answer in answers}


async def test_each_device_goes_on_from_the_version_it_has(place: Path, monkeypatch) -> None:
    devices = {"one": RootedDevice(1), "three": RootedDevice(3), "four": RootedDevice(4)}

    answers = await given(place, monkeypatch, devices, 4, 2, 3)

    assert {name: device.was for name, device in devices.items()} == {
        "one": [2, 3, 4], "three": [4], "four": [],
    }  # fmt: skip
    assert all(answer.ok and answer.facts == {"root": "4"} for answer in answers.values())
    assert all(device.closed == 1 for device in devices.values())


async def test_requests_say_whose_they_are_and_what_they_bring(place: Path, monkeypatch) -> None:
    device = RootedDevice(1)

    await given(place, monkeypatch, {"one": device}, 2)

    hello, root = device.asked
    assert (hello.verb, root.verb) == (Verb.HELLO, Verb.ROOT)
    assert root.params["frames"] == "2"
    assert root.params["controller"]


async def test_a_device_that_refuses_one_is_given_none_after_it(place: Path, monkeypatch) -> None:
    device = RootedDevice(1, refuses=3)

    answer = (await given(place, monkeypatch, {"one": device}, 2, 3, 4))["one"]

    assert (answer.ok, answer.reason, answer.detail) == (
        False, Reason.ROOT_VERSION, "does not follow",
    )  # fmt: skip
    assert device.was == [2]
    assert device.closed == 1


async def test_a_gap_is_for_the_device_to_refuse(place: Path, monkeypatch) -> None:
    answer = (await given(place, monkeypatch, {"one": RootedDevice(1)}, 3))["one"]

    assert (answer.ok, answer.reason) == (False, Reason.ROOT_VERSION)


async def test_a_first_root_is_not_for_this(place: Path, monkeypatch) -> None:
    device = RootedDevice(None)

    answer = (await given(place, monkeypatch, {"one": device}, 2))["one"]

    assert (answer.ok, answer.reason) == (False, Reason.NO_ROOT)
    assert "enrol it with one" in answer.detail
    assert len(device.asked) == 1


async def test_one_that_does_not_answer_keeps_no_other(place: Path, monkeypatch) -> None:
    devices = {"away": None, "one": RootedDevice(1)}

    answers = await given(place, monkeypatch, devices, 2)

    assert (answers["away"].ok, answers["away"].reason) == (False, Reason.UNREACHABLE)
    assert answers["one"].ok


@pytest.mark.parametrize(
    ("spoil", "error"),
    [
        (lambda file: file.unlink(), PlanError),
        (lambda file: file.write_bytes(b"sig\n"), TrustError),
        (lambda file: file.write_bytes(signed(b"another", generate_key())), TrustError),
    ],
    ids=["gone", "garbage", "strangers"],
)
async def test_a_root_that_no_device_would_take_is_refused_before_any_is_asked(
    place: Path, monkeypatch, spoil, error
) -> None:
    device = RootedDevice(1)
    spoil(place / "root-2.txt.sig")

    with pytest.raises(error):
        await given(place, monkeypatch, {"one": device}, 2)

    assert device.asked == []
