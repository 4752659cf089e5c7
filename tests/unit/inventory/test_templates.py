"""Templates in variables: errors, and what stays untouched; their values are in `test_ansible`."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from orchestrator.errors import PlanError
from orchestrator.inventory import Inventory

Load = Callable[..., Inventory]
KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGtra2tra2tra2tra2tra2tra2tra2tra2tra2tra2tr"


def host(**variables: str) -> str:
    lines = "".join(f"      {name}: {value}\n" for name, value in variables.items())
    return f"web:\n  hosts:\n    web1.lan:\n{lines}    web2.lan: {{site: '{{{{ nothing }}}}'}}\n"


def test_connection_variables_are_rendered(load: Load) -> None:
    text = host(
        ansible_host="'{{ inventory_hostname_short }}.{{ domain }}'",
        domain="example.net",
        ansible_port="'{{ base_port }}'",
        base_port="2222",
        ansible_ssh_common_args="'-J {{ bastion }}'",
        bastion="\"{{ hostvars['web2.lan'].inventory_port | default('jump.lan') }}\"",
        rollout_host_keys="'{{ keys }}'",
        keys=f"['{KEY}']",
        ansible_become="'{{ wanted }}'",
        wanted="true",
    )

    address = load(text).select("web1.lan")[0].address

    assert (address.host, address.port) == ("web1.example.net", 2222)
    assert address.jumps[0].host == "jump.lan"
    assert address.host_keys == (KEY,)
    assert address.become == "sudo"


@pytest.mark.parametrize(
    ("value", "word"),
    [
        ("{{ missing }}", "missing"),
        ("{{ ansible_host }}", "names itself"),
        ("{{ other }}", "names itself"),
        ("{% if x %}a{% endif %}", "{%"),
        ("{{ lookup('env', 'HOME') }}", "call"),
        ("{{ site | b64decode }}", "b64decode"),
        ("{{ hostvars }}", "in quotes"),
        ("{{ hostvars[site] }}", "in quotes"),
        ("{{ hostvars['nobody'].site }}", "no host"),
        ("{{ [].__class__ }}", ""),
        ("{{ site", ""),
    ],
)
def test_template_that_is_not_ours_to_render_is_an_error_of_a_selected_host(
    load: Load, value: str, word: str
) -> None:
    quoted = '"' + value.replace('"', '\\"') + '"'
    inventory = load(host(ansible_host=quoted, other="'{{ ansible_host }}'", site="berlin"))

    with pytest.raises(PlanError) as caught:
        inventory.select("web1.lan")
    assert caught.value.code == "I117"
    assert word in caught.value.message
    assert inventory.select("web2.lan")


def test_variables_that_only_ansible_can_render_are_no_labels_and_reach_no_plan(
    load: Load,
) -> None:
    text = host(motd="\"{{ ansible_facts['os'] }}\"", site="'{{ city }}-1'", city="berlin")

    device = load(text).select("web1.lan")[0]

    assert device.labels == {"site": "berlin-1", "city": "berlin"}
    assert device.variables == {"site": "berlin-1", "city": "berlin"}


def test_labels_that_cannot_be_rendered_are_an_error(load: Load) -> None:
    with pytest.raises(PlanError) as caught:
        load(host(labels="{ring: '{{ missing }}'}")).select("web1.lan")
    assert caught.value.code == "I117"


def test_unsafe_text_is_no_template(load: Load) -> None:
    device = load(host(note="!unsafe '{{ site }}'", site="x")).select("web1.lan")[0]

    assert device.variables["note"] == "{{ site }}"


def test_unsafe_text_inside_of_a_value_is_no_template(load: Load) -> None:
    notes = "[!unsafe '{{ site }}', '{{ site }}', {a: !unsafe '{{ site }}', b: '{{ site }}'}]"
    device = load(host(notes=notes, site="x")).select("web1.lan")[0]

    assert device.variables["notes"] == ["{{ site }}", "x", {"a": "{{ site }}", "b": "x"}]


def test_numbers_of_labels_stay_as_written_and_lists_are_no_labels(load: Load) -> None:
    text = host(version="1.10", copy="'{{ version }}'", ports="[1, 2]", all_ports="'{{ ports }}'")

    device = load(text).select("web1.lan")[0]

    assert device.labels["version"] == "1.10"
    assert "all_ports" not in device.labels
    assert device.variables["all_ports"] == [1, 2]


def test_hosts_of_a_group_share_what_holds_no_template(load: Load) -> None:
    devices = load("web: {hosts: {'w[1:2]': }, vars: {tree: {a: [1]}}}\n").select("web")

    assert devices[0].variables["tree"] is devices[1].variables["tree"]


def test_variables_that_name_many_others_are_rendered_once(load: Load) -> None:
    chain = {f"v{n}": "'" + f"{{{{ v{n + 1} }}}}" * 8 + "'" for n in range(12)}
    device = load(host(**chain, v12="''")).select("web1.lan")[0]

    assert device.variables["v0"] == ""


def test_long_chains_end(load: Load) -> None:
    chain = {f"v{n}": f"'{{{{ v{n + 1} }}}}'" for n in range(20)}

    with pytest.raises(PlanError, match="more than 16"):
        load(host(**chain, v20="x", ansible_host="'{{ v0 }}'")).select("web1.lan")
