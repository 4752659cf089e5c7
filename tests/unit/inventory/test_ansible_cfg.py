"""`ansible.cfg`: where it is found, what of it counts, and what it may not say."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from orchestrator.device.model import Device, Hop
from orchestrator.errors import PlanError, Severity
from orchestrator.inventory import Inventory, load_inventory
from orchestrator.inventory.ansible_cfg import Defaults, find_defaults
from orchestrator.inventory.files import Access

Write = Callable[[dict[str, str]], None]
Find = Callable[..., Defaults]
Devices = Callable[[str, str], Device]
HOSTS = "gw: {hosts: {a: {}}}\n"


@pytest.fixture
def find(tmp_path: Path) -> Find:
    """Looks for the file as an operator whose home is `home` and whose machine has `etc.cfg`."""

    def find_it(**environment: str) -> Defaults:
        project = tmp_path / "project"
        project.mkdir(exist_ok=True)
        return find_defaults(
            environment, cwd=project, home=tmp_path / "home", system=tmp_path / "etc.cfg"
        )

    return find_it


@pytest.fixture
def inventory(tmp_path: Path, write: Write) -> Callable[[str, str], Inventory]:
    """An inventory beside an `ansible.cfg`."""

    def load(configuration: str, hosts: str = HOSTS) -> Inventory:
        write({"ansible.cfg": configuration, "hosts.yml": hosts})
        defaults = find_defaults({}, cwd=tmp_path, home=tmp_path / "h", system=tmp_path / "none")
        return load_inventory(["hosts.yml"], cwd=tmp_path, access=Access(defaults=defaults))

    return load


def user(name: str) -> str:
    return f"[defaults]\nremote_user = {name}\n"


def test_first_file_that_ansible_would_find_counts_alone(
    find: Find, write: Write, tmp_path: Path
) -> None:
    def found() -> str:
        entry = find(**environment).variables["ansible_user"]
        return str(entry.value.text)  # type: ignore[union-attr]  # a scalar

    environment: dict[str, str] = {}
    assert find() == Defaults(place=tmp_path / "project/ansible.cfg")
    write({"etc.cfg": user("etc") + "remote_port = 2\n"})
    assert found() == "etc"
    write({"home/.ansible.cfg": user("home")})
    assert found() == "home"
    write({"project/ansible.cfg": user("project")})
    assert found() == "project"
    write({"other/ansible.cfg": user("other")})
    for name in ("../other/ansible.cfg", str(tmp_path / "other")):
        environment["ANSIBLE_CONFIG"] = name
        assert found() == "other"
    assert list(find(**environment).variables) == ["ansible_user"]


def test_project_s_file_that_anybody_may_write_is_left_out_with_a_warning(
    find: Find, write: Write, tmp_path: Path
) -> None:
    write({"project/ansible.cfg": user("evil"), "home/.ansible.cfg": user("home")})
    (tmp_path / "project").chmod(0o777)

    found = find()

    assert found.path == tmp_path / "home/.ansible.cfg"
    assert [(one.code, one.severity) for one in found.warnings] == [("I130", Severity.WARNING)]


@pytest.mark.parametrize("opened", ["other", "other/ansible.cfg"])
def test_named_file_that_anybody_may_write_is_an_error(
    find: Find, write: Write, tmp_path: Path, opened: str
) -> None:
    write({"other/ansible.cfg": user("evil")})
    (tmp_path / opened).chmod(0o777)

    with pytest.raises(PlanError, match="anybody may write") as caught:
        find(ANSIBLE_CONFIG=str(tmp_path / "other/ansible.cfg"))

    assert caught.value.code == "I129"


def test_link_into_a_directory_that_anybody_may_write_is_not_followed(
    find: Find, write: Write, tmp_path: Path
) -> None:
    write({"open/x.cfg": user("evil"), "project/hosts": ""})
    (tmp_path / "open").chmod(0o777)
    (tmp_path / "project/ansible.cfg").symlink_to(tmp_path / "open/x.cfg")

    assert find().variables == {}


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("remote_user = a\n", "ansible.cfg:1:1"),
        ("[defaults]\nremote_user = a\nremote_user = b\n", "ansible.cfg:3:1"),
        ("[defaults]\nremote_user\n", "ansible.cfg:2:1"),
        ("[defaults]\nprivate_key_file = $HOME/key\n", "ansible.cfg:2:1"),
        ("[defaults]\nforks = 1\ninventory = ${X}/hosts\n", "ansible.cfg:3:1"),
    ],
)
def test_file_that_cannot_be_used_is_an_error_with_its_place(
    find: Find, write: Write, text: str, place: str
) -> None:
    write({"project/ansible.cfg": text})

    with pytest.raises(PlanError) as caught:
        find()

    assert (caught.value.code, str(caught.value.where)) == ("I129", place)
    assert caught.value.hint


def test_named_file_has_to_be_there(find: Find) -> None:
    with pytest.raises(PlanError, match="there is no such file"):
        find(ANSIBLE_CONFIG="/nonexistent/ansible.cfg")


def test_home_that_is_no_directory_has_no_file(find: Find, write: Write, tmp_path: Path) -> None:
    write({"home": "", "etc.cfg": user("etc")})

    assert find().path == tmp_path / "etc.cfg"


def test_no_file_at_all_may_be_named(find: Find, write: Write) -> None:
    write({"project/ansible.cfg": user("project"), "home/.ansible.cfg": user("home")})

    assert find(ANSIBLE_CONFIG="/dev/null").variables == {}


def test_file_that_is_no_text_is_an_error(find: Find, write: Write, tmp_path: Path) -> None:
    write({"project/ansible.cfg": ""})
    (tmp_path / "project/ansible.cfg").write_bytes(b"[defaults]\n\xff")

    with pytest.raises(PlanError, match="not UTF-8"):
        find()


def test_inventories_are_found_beside_the_file_and_variables_win(
    find: Find, write: Write, tmp_path: Path
) -> None:
    write({"home/.ansible.cfg": "[defaults]\ninventory = prod/hosts, ~/x,/srv/y\n"})

    home = str(Path("~/x").expanduser())
    assert find().inventory == (str(tmp_path / "home/prod/hosts"), home, "/srv/y")
    named = find(ANSIBLE_INVENTORY="lab, b").inventory
    assert named == (str(tmp_path / "project/lab"), str(tmp_path / "project/b"))


def test_options_stand_below_every_variable(
    inventory: Callable[..., Inventory], tmp_path: Path
) -> None:
    loaded = inventory(
        "[defaults]\nremote_user = ota\nremote_port = 2200\nprivate_key_file = keys/id\n"
        "[ssh_connection]\nssh_args = -C -o ControlMaster=auto\nssh_common_args = -J jump@gw\n",
        "g: {hosts: {a: {}, b: {ansible_port: 22, ansible_ssh_common_args: -J none}}, vars: {}}\n"
        "all: {vars: {ansible_user: root}}\n",
    )
    first, second = (device.address for device in loaded.select("a,b"))

    assert (first.user, first.port, first.jumps) == ("root", 2200, (Hop("gw", 22, "jump"),))
    assert (second.port, second.jumps) == (22, ())
    assert first.key_file == second.key_file == str(tmp_path / "keys/id")
    assert loaded.variables("a") == {"ansible_user": "root"}, "they are no variables of hosts"


def test_explanation_names_file_and_line(inventory: Callable[..., Inventory]) -> None:
    hosts = "all: {hosts: {a: }, vars: {ansible_user: root}}\n"

    written = inventory(user("ota"), hosts).history("a")["ansible_user"]

    assert [(one.step, str(one.where), one.value) for one in written] == [
        ("ansible.cfg", "ansible.cfg:2:1", "ota"),
        ("group all", "hosts.yml:1:28", "root"),
    ]


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("[defaults]\nhost_key_checking = False\n", "I116"),
        ("[ssh_connection]\nhost_key_checking = no\n", "I116"),
        ("[ssh_connection]\nssh_args = -o UserKnownHostsFile=/dev/null\n", "I116"),
        ("[ssh_connection]\nssh_extra_args = -o ForwardAgent=yes\n", "I115"),
        ("[defaults]\nremote_port = 70000\n", "I112"),
        ("[defaults]\nremote_user = -l root\n", "I125"),
    ],
)
def test_what_it_may_not_say_is_refused_at_its_line(
    inventory: Callable[..., Inventory], text: str, code: str
) -> None:
    with pytest.raises(PlanError) as caught:
        inventory(text).select("all")

    assert (caught.value.code, str(caught.value.where)) == (code, "ansible.cfg:2:1")


def test_checking_that_stays_on_is_fine(inventory: Callable[..., Inventory]) -> None:
    assert inventory("[defaults]\nhost_key_checking = True\n").select("a")


def test_it_is_a_file_of_the_inventory(inventory: Callable[..., Inventory], tmp_path: Path) -> None:
    without = inventory("[defaults]\nforks = 50\n")
    with_user = inventory(user("ota"))

    assert without.files.read == (tmp_path / "hosts.yml",)
    assert with_user.files.read == (tmp_path / "ansible.cfg", tmp_path / "hosts.yml")
    assert tmp_path / "ansible.cfg" in without.files.places
    assert without.digest != with_user.digest
    assert without.digest == load_inventory(["hosts.yml"], cwd=tmp_path).digest
