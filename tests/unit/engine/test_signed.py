"""When a proof is asked for with a signature."""

from dataclasses import dataclass

import pytest

from orchestrator.engine.signed import signing

HOST_KEY = "ssh-ed25519 AAAA"


@dataclass(frozen=True)
class Reports:
    required: bool

    def judge(self, device, said, host_key):
        raise AssertionError("nothing is judged here")


@pytest.mark.parametrize(
    ("required", "signs", "host_key", "asked"),
    [
        (False, "", HOST_KEY, {}),
        (False, "ecdsa", HOST_KEY, {"report": "ecdsa"}),
        (True, "ecdsa", HOST_KEY, {"report": "ecdsa"}),
        (True, "", HOST_KEY, {"report": "ed25519"}),
        (True, "", "ssh-rsa AAAA", {}),
    ],
)
def test_who_cannot_sign_is_asked_only_where_it_has_to(required, signs, host_key, asked):
    assert signing(Reports(required), signs, host_key) == asked
    assert signing(None, signs, host_key) == {}
