import pytest

from orchestrator.device.model import Address
from orchestrator.device.protocol import Request, Verb
from orchestrator.ssh.transport import become_prefix


@pytest.mark.parametrize("method", ["sudo", "doas"])
def test_ordinary_user_becomes_the_account_of_the_helper_and_not_root(method: str) -> None:
    prefix = become_prefix(Address("gw", user="anna", become=method))

    line = prefix + Request(Verb.HELLO, {"nonce": "n"}).line

    assert line == f"{method} -n -u rollout /usr/lib/rollout/launch hello nonce=n"


@pytest.mark.parametrize(
    "address", [Address("gw", user="anna"), Address("gw", user="rollout", become="sudo")]
)
def test_nothing_stands_before_a_request_to_a_forced_command(address: Address) -> None:
    assert become_prefix(address) == ""
