"""Vaults of ansible-vault: forms that are refused, and which password is tried."""

from __future__ import annotations

import pytest

from orchestrator.trust.ansible_vault import Password, Vault, VaultError

CLOSED = b"""\
$ANSIBLE_VAULT;1.1;AES256
33633833646433616462343762356463663438633964383833633435323735616335353334356435
3764633338333536343061623733613538393033643630390a643763393936383034303734633964
64333561613035333134663661643932313735363932366230363235343861323162316637666461
3064313661373964640a623034353963303731356533623264643637663438333331306335656235
34363736366638613365613663303862383561343831663632306661663330323737656265393161
6461646333383733393065353961353231613366383833663438
"""
TEXT = b"[web]\nw1 ansible_host=10.0.0.1 site=x\n"
SECRET = Password("", b"secret")


def test_any_password_that_fits_opens_it() -> None:
    assert Vault((Password("x", b"no"), SECRET)).open(CLOSED) == TEXT


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"$ANSIBLE_VAULT;1.1;AES256\n",
        b"$ANSIBLE_VAULT;1.0;AES\n" + CLOSED.partition(b"\n")[2],
        CLOSED.replace(b"1.1", b"1.9"),
        CLOSED.replace(b"AES256", b"AES512"),
        CLOSED[:-2],
        CLOSED[:-81],
        CLOSED.replace(b"33", b"zz", 1),
        CLOSED[:60] + bytes([CLOSED[60] ^ 1]) + CLOSED[61:],
        CLOSED[:-4] + b"00\n",
    ],
)
def test_changed_vault_does_not_open(data: bytes) -> None:
    with pytest.raises(VaultError):
        Vault((SECRET,)).open(data)


def test_nothing_secret_is_in_what_is_shown_of_a_vault() -> None:
    assert "secret" not in repr(Vault((SECRET,)))
