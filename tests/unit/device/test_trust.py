"""What a device says of its root is read by type, and no further."""

import pytest

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


@pytest.mark.parametrize(
    ("tools", "kinds", "reads_ssh"),
    [
        ("openssl", ("ecdsa-p256", "rsa"), False),
        ("openssl,openssl-ed25519,ssh-keygen", ("ecdsa-p256", "ed25519", "rsa"), True),
        ("openssl,ssh-keygen", ("ecdsa-p256", "rsa"), True),
        ("usign", ("ed25519",), False),
        ("ssh-keygen", (), True),
        ("none", (), False),
    ],
)
def test_tools_tell_which_signatures_a_device_can_check(tools, kinds, reads_ssh):
    found = trust_of(reply(**GOOD | {"verify": tools}))

    assert found is not None
    assert (found.kinds, found.reads_ssh) == (kinds, reads_ssh)


def test_a_device_without_a_root_says_nothing():
    assert trust_of(reply(state="none")) is None


def test_what_is_not_of_its_type_is_not_known():
    found = trust_of(
        reply(root="0", fleet="a b", security_floor="-1", serial="1" * 16, verify="none")
    )

    assert found == DeviceTrust(None, None, None, None)
