"""What a device says of its root is read by type, and no further."""

from orchestrator.device.protocol import Reply
from orchestrator.device.trust import DeviceTrust, trust_of

GOOD = {
    "root": "3",
    "fleet": "acme-prod",
    "security-floor": "7",
    "serial": "42",
    "verify": "openssl,usign",
}


def reply(**lines: str) -> Reply:
    return Reply(0, tuple((key.replace("_", "-"), value) for key, value in lines.items()))


def test_root_and_floors_are_read():
    found = trust_of(reply(**GOOD))

    assert found == DeviceTrust(3, "acme-prod", 7, 42, frozenset({"openssl", "usign"}))


def test_a_device_without_a_root_says_nothing():
    assert trust_of(reply(state="none")) is None


def test_what_is_not_of_its_type_is_not_known():
    found = trust_of(
        reply(root="0", fleet="a b", security_floor="-1", serial="1" * 16, verify="none")
    )

    assert found == DeviceTrust(None, None, None, None)
