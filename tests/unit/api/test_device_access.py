"""A shell or a file of a device: what is refused before anybody is contacted, and what is recorded."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from orchestrator import api
from orchestrator.api import roles
from orchestrator.errors import DeviceError, PlanError
from tests.loopback import free_port

HOSTS = """\
all:
  hosts:
    gw-1: {ansible_host: 127.0.0.1, ansible_port: PORT, ansible_user: ann}
    gw-2: {ansible_host: 127.0.0.1, ansible_port: PORT}
"""


@pytest.fixture
def settings(tmp_path: Path) -> api.Settings:
    (tmp_path / "hosts.yml").write_text(HOSTS.replace("PORT", str(free_port())))
    return api.Settings(
        root=tmp_path, state=str(tmp_path / "state.db"), inventory=(str(tmp_path / "hosts.yml"),),
        allow_device_access=("shell", "fetch"),
    )  # fmt: skip


def request(device: str = "gw-1", login: str | None = None) -> api.AccessRequest:
    return api.AccessRequest(device, api.Source(), "modem does not answer", login)


async def run(settings: api.Settings, wanted: api.AccessRequest) -> api.Accessed:
    async def take(_piece: object) -> bool:
        return True

    return await api.device_run(settings, wanted, ("id",), take, deadline_s=5)


async def code_of(work: object) -> str:
    with pytest.raises(PlanError) as caught:
        await work  # type: ignore[misc]  # coroutines of several kinds
    return caught.value.code


@pytest.mark.parametrize(
    ("changed", "wanted", "code"),
    [
        ({"allow_device_access": ()}, request(), "D120"),
        ({"roles": ("operator=bob", "break-glass=eve")}, request(), "S220"),
        ({}, request("gw-2"), "D121"),
        ({}, request("gw-1", login="rollout"), "D121"),
        ({}, request("all"), "D122"),
    ],
)
async def test_refused_before_anybody_is_contacted(
    settings: api.Settings, changed: dict[str, object], wanted: api.AccessRequest, code: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setattr(roles, "person", lambda: "ann@desk")
    changed_settings = dataclasses.replace(settings, **changed)  # type: ignore[arg-type]

    assert await code_of(run(changed_settings, wanted)) == code
    fetch = api.FetchRequest(wanted, "/etc/motd", settings.root)
    assert await code_of(api.device_fetch(changed_settings, fetch)) == code
    assert await api.acts(settings) == ()


@pytest.mark.parametrize("named", ["operator=ann", "break-glass=ann"])
async def test_operator_and_who_may_break_the_glass_get_as_far_as_the_device(
    settings: api.Settings, named: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(roles, "person", lambda: "ann@desk")

    with pytest.raises(DeviceError):
        await run(dataclasses.replace(settings, roles=(named,)), request())

    (act,) = await api.acts(settings)
    assert (act.kind, act.device, act.why) == ("device_shell", "gw-1", "modem does not answer")
    assert (act.what["login"], act.what["command"]) == ("ann", "id")
    assert act.end is not None
    assert act.end.result == "host_key"  # nobody pinned it, and there is no first contact here


@pytest.mark.parametrize("path", ["etc/motd", "/", "/etc/..", "/a\0b", ""])
async def test_path_has_to_name_a_file(settings: api.Settings, path: str) -> None:
    fetch = api.FetchRequest(request(), path, settings.root)

    assert await code_of(api.device_fetch(settings, fetch)) == "D123"


async def test_nothing_that_is_there_is_replaced_unasked(settings: api.Settings) -> None:
    (settings.root / "motd").write_text("mine")
    (settings.root / "link").symlink_to("motd")
    for target, force in (
        (settings.root, False), (settings.root / "link", True), (settings.root / "no/where", False),
    ):  # fmt: skip
        fetch = api.FetchRequest(request(), "/etc/motd", target, force=force)
        assert await code_of(api.device_fetch(settings, fetch)) == "D124"
    assert (settings.root / "motd").read_text() == "mine"
