from __future__ import annotations

import base64
from pathlib import Path

import pytest

from orchestrator.device.model import Address, Hop
from orchestrator.inventory.connection import address_of, normalised_host_keys

CWD = Path("/srv/project")


def public_key(seed: int = 1, kind: str = "ssh-ed25519") -> str:
    blob = len(kind).to_bytes(4, "big") + kind.encode() + b"\0\0\0\x20" + bytes([seed]) * 32
    return f"{kind} {base64.b64encode(blob).decode()}"


def address(**variables: object) -> Address:
    found, troubles = address_of("gw", variables, cwd=CWD)
    assert troubles == ()
    assert found is not None
    return found


def troubles(**variables: object) -> list[tuple[str, str]]:
    found, noted = address_of("gw", variables, cwd=CWD)
    assert found is None
    return [(trouble.variable, trouble.code) for trouble in noted]


def test_defaults_are_the_name_port_22_and_the_user_rollout() -> None:
    assert address() == Address("gw", 22, "rollout")


def test_every_variable_is_read() -> None:
    assert address(
        ansible_host="192.0.2.7",
        ansible_port=2222,
        ansible_user="ota",
        ansible_ssh_private_key_file="keys/id",
        ansible_ssh_common_args="-o ProxyJump=jump@bastion:2200",
        rollout_host_keys=[public_key(1) + " root@gw", public_key(2)],
    ) == Address(
        "192.0.2.7", 2222, "ota", "/srv/project/keys/id",
        (public_key(1), public_key(2)), (Hop("bastion", 2200, "jump"),),
    )  # fmt: skip


def test_key_of_a_jump_host_is_found_like_the_device_s() -> None:
    args = '-o ProxyCommand="ssh -W %h:%p -i keys/gw anna@bastion"'

    assert address(ansible_ssh_common_args=args).jumps == (
        Hop("bastion", 22, "anna", "/srv/project/keys/gw"),
    )


@pytest.mark.parametrize(
    ("variables", "become"),
    [
        ({}, None),
        ({"ansible_become_method": "doas"}, None),
        ({"ansible_become": True}, "sudo"),
        ({"ansible_become": "yes", "ansible_become_method": "doas"}, "doas"),
        ({"ansible_become": False, "ansible_become_method": "su"}, None),
    ],
)
def test_ordinary_user_becomes_another_as_in_ansible(
    variables: dict[str, object], become: str | None
) -> None:
    assert address(**variables).become == become


def test_only_sudo_and_doas_are_ways_to_become_another() -> None:
    assert troubles(ansible_become=True, ansible_become_method="su") == [
        ("ansible_become_method", "I125")
    ]


def test_ssh_names_win_over_short_names() -> None:
    assert address(
        ansible_host="a", ansible_ssh_host="b",
        ansible_port=1, ansible_ssh_port=2,
        ansible_user="c", ansible_ssh_user="d",
        ansible_private_key_file="/e", ansible_ssh_private_key_file="/f",
    ) == Address("b", 2, "d", "/f")  # fmt: skip


def test_home_directory_is_expanded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/anna")

    assert address(ansible_ssh_private_key_file="~/.ssh/id").key_file == "/home/anna/.ssh/id"


def test_port_may_be_quoted() -> None:
    assert address(ansible_port="2222").port == 2222


def test_nothing_written_is_nothing_set() -> None:
    assert address(
        ansible_host=None, ansible_port=None, ansible_user="", rollout_host_keys=None
    ) == (Address("gw"))


@pytest.mark.parametrize("port", [0, 65536, -1, "x", True, 2.5, "99999999999", [22], "²"])
def test_port_outside_its_range_is_refused(port: object) -> None:
    assert troubles(ansible_port=port) == [("ansible_port", "I112")]


@pytest.mark.parametrize("host", ["-oProxyCommand=id", "a b", "a;b", "%h", "a\n", "fe80::1%$(x)"])
def test_dangerous_address_is_refused(host: str) -> None:
    assert troubles(ansible_host=host) == [("ansible_host", "I106")]


@pytest.mark.parametrize("host", ["gw.example.org", "192.0.2.1", "2001:db8::1", "fe80::1%eth0"])
def test_names_and_addresses_pass(host: str) -> None:
    assert address(ansible_host=host).host == host


def test_values_of_the_wrong_kind_are_refused() -> None:
    assert troubles(ansible_user=0, ansible_host=1.1) == [
        ("ansible_host", "I125"),
        ("ansible_user", "I125"),
    ]
    assert troubles(ansible_user="-l root") == [("ansible_user", "I125")]
    assert troubles(ansible_ssh_private_key_file="a\nb") == [
        ("ansible_ssh_private_key_file", "I125")
    ]


@pytest.mark.parametrize("name", ["ansible_host_key_checking", "ansible_ssh_host_key_checking"])
@pytest.mark.parametrize("value", [False, "no", "False", 0])
def test_host_key_checking_cannot_be_turned_off(name: str, value: object) -> None:
    assert troubles(**{name: value}) == [(name, "I116")]
    assert address(**{name: True}).host == "gw"


@pytest.mark.parametrize("kind", ["local", "winrm", "docker", "network_cli"])
def test_other_connections_than_ssh_are_refused(kind: str) -> None:
    assert troubles(ansible_connection=kind) == [("ansible_connection", "I118")]
    assert address(ansible_connection="ssh").host == "gw"


def test_everything_wrong_is_said_at_once() -> None:
    assert len(troubles(ansible_host="-x", ansible_port=0, rollout_host_keys="x")) == 3


def test_one_host_key_may_be_text() -> None:
    assert normalised_host_keys(public_key() + "  comment with blanks") == (public_key(),)
    assert normalised_host_keys([public_key(), public_key()]) == (public_key(),)


@pytest.mark.parametrize(
    "key",
    [
        "", "x", "ssh-ed25519", "ssh-ed25519 !!!", "ssh-dss AAAA", "gw ssh-ed25519 AAAA",
        "ssh-ed25519 AAAA", "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5", 5, None, ["a"], {"a": 1},
        public_key().replace("ssh-ed25519", "ssh-rsa", 1), "@revoked * " + public_key(),
        [public_key(seed) for seed in range(9)],
    ],
)  # fmt: skip
def test_what_is_no_public_key_is_refused(key: object) -> None:
    with pytest.raises(ValueError, match=r"key|kind|base64"):
        normalised_host_keys(key)
