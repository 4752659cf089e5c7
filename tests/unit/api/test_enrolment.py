import pytest

from orchestrator.api.enrolment import _helper_user
from orchestrator.api.plans import _reached
from orchestrator.device.model import Address, Device, DeviceId


def device(user: str, become: str | None = None) -> Device:
    return Device(DeviceId("gw"), Address("192.0.2.1", user=user, become=become))


@pytest.mark.parametrize(
    ("reached", "login", "account"),
    [
        (device("rollout"), "admin", "rollout"),
        (device("ota"), "admin", "ota"),
        (device("admin"), "admin", "rollout"),
        (device("admin"), None, "rollout"),
        (device("admin", "sudo"), "root", "rollout"),
    ],
)
def test_helper_never_answers_behind_the_administrators_account(
    reached: Device, login: str | None, account: str
) -> None:
    assert _helper_user(reached, login) == account


def test_plan_says_how_devices_are_reached_where_the_inventory_does_not() -> None:
    devices = [device("admin"), device("admin", "doas")]

    reached = _reached(devices, "sudo")

    assert [one.address.become for one in reached] == ["sudo", "doas"]
    assert _reached(devices, None) == tuple(devices)
