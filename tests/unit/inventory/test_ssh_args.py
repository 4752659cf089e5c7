from __future__ import annotations

import pytest

from orchestrator.device.model import Hop
from orchestrator.inventory.ssh_args import SshArgsError, parse_hop, parse_jumps

GATEWAY = (Hop("gw.lan", 2200, "anna"),)


@pytest.mark.parametrize(
    "args",
    [
        "-J anna@gw.lan:2200",
        "-Janna@gw.lan:2200",
        "-o ProxyJump=anna@gw.lan:2200",
        "-oProxyJump=anna@gw.lan:2200",
        "-o 'ProxyJump anna@gw.lan:2200'",
        "-o proxyjump=anna@gw.lan:2200 -o ControlMaster=auto -o ControlPersist=60s",
        '-o ProxyCommand="ssh -W %h:%p -q -p 2200 anna@gw.lan"',
        '-o ProxyCommand="ssh -p 2200 -l anna gw.lan -W %h:%p"',
        "-J ssh://anna@gw.lan:2200",
        "-J anna@gw.lan:2200 -o ProxyJump=anna@gw.lan:2200",
    ],
)
def test_the_ways_to_name_a_jump_host(args: str) -> None:
    assert parse_jumps(args) == GATEWAY


def test_several_jumps_keep_their_order() -> None:
    assert parse_jumps("-J a,b@[2001:db8::1]:22,c:2") == (
        Hop("a"), Hop("2001:db8::1", 22, "b"), Hop("c", 2),
    )  # fmt: skip


def test_jump_host_may_have_a_key_of_its_own() -> None:
    assert parse_jumps("-o ProxyCommand='ssh -W %h:%p -i ~/.ssh/gw.pem -q anna@gw'") == (
        Hop("gw", 22, "anna", "~/.ssh/gw.pem"),
    )


@pytest.mark.parametrize("args", ["", "-o ProxyJump=none", "-o ControlPath=/tmp/x", "-C"])
def test_no_jump(args: str) -> None:
    assert parse_jumps(args) == ()


@pytest.mark.parametrize(
    "args",
    [
        "-o StrictHostKeyChecking=no",
        "-o StrictHostKeyChecking=accept-new",
        "-oStrictHostKeyChecking=off",
        "-o UserKnownHostsFile=/dev/null",
        "-o GlobalKnownHostsFile=/dev/null -J a",
        "-o 'stricthostkeychecking no'",
    ],
)
def test_checking_of_host_keys_stays_on(args: str) -> None:
    with pytest.raises(SshArgsError) as caught:
        parse_jumps(args)

    assert caught.value.code == "I116"
    assert "rollout_host_keys" in caught.value.hint


@pytest.mark.parametrize(
    "args",
    [
        "-p 22", "-i key", "-v", "host", "-o", "-J", "-o ProxyJump", "-o ForwardAgent=yes",
        "-o ProxyCommand='nc %h %p'", "-o ProxyCommand='ssh -W %h:%p gw -i'",
        "-o ProxyCommand='ssh -W %h:%p -i %d/key gw'",
        "-o ProxyCommand='ssh gw'", "-o ProxyCommand='ssh -W %h:%p a b'", "-o 'x", "-J a -J b",
        "-J -oProxyCommand=id", "-J a@-b", "-J a:0", "-J a:99999", "-J " + "a," * 9 + "a",
        "-o ProxyCommand='ssh -W %h:%p'", "-o LocalCommand=id", "-F /etc/evil",
        "-o ProxyCommand='ssh -W %h:%p \"gw'",
    ],
)  # fmt: skip
def test_what_is_not_understood_is_refused(args: str) -> None:
    with pytest.raises(SshArgsError):
        parse_jumps(args)


@pytest.mark.parametrize("text", ["", "a b", "@a", "a@", "[a]", "a:b", "%h", "a@b@c:1:2"])
def test_what_is_no_jump_host_is_refused(text: str) -> None:
    with pytest.raises(SshArgsError):
        parse_hop(text)
