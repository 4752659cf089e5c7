"""What ansible-vault has encrypted: opened where it is used, and seen by nobody.

The vaults were made by ansible-vault itself (ansible-core 2.19), with the passwords below.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from orchestrator.errors import PlanError
from orchestrator.inventory import Inventory, load_inventory
from orchestrator.inventory.files import Access
from orchestrator.trust.ansible_vault import Password, Vault

Write = Callable[[dict[str, str]], None]
VAULT = Vault((Password("dev", b"secret"), Password("prod", b"other")))
USER_AND_SITE = """\
$ANSIBLE_VAULT;1.1;AES256
64653236663935663537626139313036663261383336366362376361313665633066313961396362
3332623035613931363361666430356637656231653962320a383038386662383064613063313938
35333936656235656134343435393363336338643632366566366463383066383238356265626231
3161643465376536300a643963666537393665333566376339323432393866386139313363363538
31656634653761376236393434653666653739323464623035313632373539376363303231393437
6633666366646161343863346430393839346462393730306562
"""  # ansible_user: vaulted, site: hidden
WEB1 = """\
$ANSIBLE_VAULT;1.1;AES256
33633833646433616462343762356463663438633964383833633435323735616335353334356435
3764633338333536343061623733613538393033643630390a643763393936383034303734633964
64333561613035333134663661643932313735363932366230363235343861323162316637666461
3064313661373964640a623034353963303731356533623264643637663438333331306335656235
34363736366638613365613663303862383561343831663632306661663330323737656265393161
6461646333383733393065353961353231613366383833663438
"""  # [web] w1 ansible_host=10.0.0.1 site=x
ADDRESS = """\
$ANSIBLE_VAULT;1.2;AES256;prod
63666162306666366639626535386630353665376438613562663263346166623934343562623236
6237643539323366646562373837633862663762623032620a616137316662343135373966313765
61646664376332346333623263646637393862653736653434343239396539376132623361643432
3261386534663038630a303838316238336465616266633730386130343538623437643866343035
6463
"""  # 10.0.0.9


def inline(text: str) -> str:
    return "!vault |\n" + "".join(f"        {line}\n" for line in text.splitlines())


@pytest.fixture
def load(tmp_path: Path, write: Write) -> Callable[..., Inventory]:
    def load_it(files: dict[str, str], vault: Vault = VAULT) -> Inventory:
        write(files)
        return load_inventory(["hosts"], cwd=tmp_path, access=Access(vault=vault))

    return load_it


def test_connection_variables_may_be_encrypted(load) -> None:
    hosts = f"web:\n  hosts:\n    w1:\n      ansible_host: {inline(ADDRESS)}"

    device = load({"hosts": hosts, "group_vars/web.yml": USER_AND_SITE}).select("web")[0]

    assert (device.address.host, device.address.user) == ("10.0.0.9", "vaulted")


def test_encrypted_values_are_no_labels_and_reach_no_plan_and_no_output(load) -> None:
    hosts = f"web:\n  hosts:\n    w1:\n      token: {inline(ADDRESS)}      copy: '{{{{ site }}}}'\n"
    inventory = load({"hosts": hosts, "group_vars/web.yml": USER_AND_SITE})

    device = inventory.select("web")[0]

    assert (device.labels, device.variables) == ({}, {})
    shown = repr(inventory.history("w1")) + repr(inventory.to_ansible_list()) + repr(device.labels)
    assert "hidden" not in shown
    assert "vaulted" not in shown
    assert "10.0.0.9" not in shown


def test_listing_has_the_text_of_inline_vaults_as_ansible_has(load) -> None:
    hosts = f"web:\n  hosts:\n    w1:\n      token: {inline(ADDRESS)}"

    listing = load({"hosts": hosts}).to_ansible_list()

    assert listing["_meta"] == {"hostvars": {"w1": {"token": {"__ansible_vault": ADDRESS}}}}


def test_whole_inventory_may_be_encrypted(load) -> None:
    inventory = load({"hosts": WEB1})

    assert inventory.match("web") == ("w1",)
    device = inventory.select("web")[0]
    assert (device.address.host, device.labels) == ("10.0.0.1", {})


@pytest.mark.parametrize(
    "vault", [Vault(), Vault((Password("", b"wrong"),)), Vault((Password("prod", b"secret "),))]
)
def test_file_that_does_not_open_is_refused_at_once(load, vault: Vault) -> None:
    with pytest.raises(PlanError) as caught:
        load({"hosts": WEB1}, vault)
    assert caught.value.code == "I126"


def test_file_that_is_damaged_wants_no_password(load) -> None:
    with pytest.raises(PlanError) as caught:
        load({"hosts": WEB1[:-40]}, Vault((Password("", b"secret"),)))

    (found,) = caught.value.diagnostics
    assert (found.code, found.hint) == (
        "I126", "restore the file, or encrypt it again; no password opens it",
    )  # fmt: skip


def test_inline_value_is_opened_only_where_it_is_used(load) -> None:
    hosts = (
        f"web:\n  hosts:\n    w1:\n      ansible_host: {inline(ADDRESS)}"
        f"    w2:\n      token: {inline(ADDRESS)}"
    )
    inventory = load({"hosts": hosts}, Vault())

    assert inventory.select("w2")
    with pytest.raises(PlanError) as caught:
        inventory.select("w1")
    assert caught.value.code == "I117"
    assert "ansible-vault" in caught.value.message


def test_passwords_by_name_are_secret_without_encryption(load) -> None:
    inventory = load(
        {"hosts": "web: {hosts: {w1: {ansible_password: hunter2, a: '{{ansible_password}}'}}}\n"}
    )

    assert inventory.select("w1")[0].variables == {}
    assert "hunter2" not in repr(inventory.history("w1"))


@pytest.mark.parametrize(
    "name",
    [
        "api_token", "db_password", "DB_PASSWORD", "dbPass", "client_secret", "wifi_psk", "token",
        "aws_secret_access_key", "apikey", "license-key.private_key", "credentials",
    ],
)  # fmt: skip
def test_a_variable_that_is_called_a_secret_is_no_label_and_in_no_plan(load, name: str) -> None:
    inventory = load({"hosts": f"web: {{hosts: {{w1: {{{name}: hunter2, site: bern}}}}}}\n"})

    device = inventory.select("w1")[0]
    assert device.labels == device.variables == {"site": "bern"}
    assert "hunter2" not in repr(inventory.history("w1"))


@pytest.mark.parametrize("name", ["token_file", "password_policy", "bypass", "key", "secretary"])
def test_a_name_that_only_begins_like_a_secret_is_a_label(load, name: str) -> None:
    inventory = load({"hosts": f"web: {{hosts: {{w1: {{{name}: x}}}}}}\n"})

    assert inventory.select("w1")[0].labels == {name: "x"}


def test_a_secret_within_a_mapping_makes_it_secret_but_for_labels(load) -> None:
    text = "web: {hosts: {w1: {db: {user: ann, password: hunter2}, labels: {token: blue}}}}\n"
    inventory = load({"hosts": text})

    assert inventory.select("w1")[0].labels == {"token": "blue"}
    assert "hunter2" not in repr(inventory.history("w1"))


def test_digest_covers_the_encrypted_bytes(load) -> None:
    first = load({"hosts": WEB1}).digest
    again = load({"hosts": WEB1}).digest
    other = load({"hosts": "[web]\nw1 ansible_host=10.0.0.1 site=x\n"}).digest

    assert first == again != other
