import subprocess
from pathlib import Path

import asyncssh
import pytest
import yaml

from orchestrator.device.model import Address
from orchestrator.errors import OrchestratorError
from orchestrator.lab.layout import (
    LabOptions,
    TreeMaker,
    launcher,
    make_controller_key,
    new_boot_id,
    specs,
    write_inventory,
)


def test_devices_are_spread_over_sites_and_hardware(tmp_path: Path) -> None:
    found = specs(tmp_path, 24)

    assert [spec.id for spec in found[:2]] == ["lab-01", "lab-02"]
    assert {spec.site for spec in found} == {"bern", "lyon", "porto", "turku"}
    assert {spec.hardware for spec in found} == {"rev-a", "rev-b", "rev-c"}


def test_names_sort_as_numbers_in_large_labs(tmp_path: Path) -> None:
    names = [spec.id for spec in specs(tmp_path, 200)]

    assert names == sorted(names)


@pytest.mark.parametrize("count", [0, -1, 1001])
def test_number_of_devices_is_bounded(count: int) -> None:
    with pytest.raises(OrchestratorError, match="1 to 1000 devices"):
        LabOptions(devices=count)


def test_inventory_has_pins_labels_and_groups(tmp_path: Path) -> None:
    address = Address("127.0.0.1", 20_000, "no", "/dir with blank/key", ("ssh-ed25519 AAAA",))

    path = write_inventory(tmp_path, [(specs(tmp_path, 1)[0], address)])
    content = yaml.safe_load(path.read_text())

    host = content["lab"]["hosts"]["lab-01"]
    assert content["lab"]["vars"]["ansible_user"] == "no"
    assert content["lab"]["vars"]["ansible_ssh_private_key_file"] == "/dir with blank/key"
    assert host["ansible_port"] == 20_000
    assert host["labels"] == {"site": "bern", "hardware": "rev-a"}
    assert host["rollout_host_keys"] == ["ssh-ed25519 AAAA"]
    assert list(content["site_bern"]["hosts"]) == ["lab-01"]


def test_tree_has_what_a_device_has(tmp_path: Path) -> None:
    key = tmp_path / "release"
    key.write_bytes(b"a key")
    (spec,) = specs(tmp_path, 1)

    host_key = TreeMaker(LabOptions(signing_keys=(key,))).make(spec)

    root = spec.root
    assert (root / "etc/rollout/device_type").read_text() == "lab\n"
    assert (root / "etc/rollout/keys/release.pem").read_bytes() == b"a key"
    assert (root / "usr/lib/rollout/modules/directory").stat().st_mode & 0o111
    assert (root / "etc/rollout/health.d/app").stat().st_mode & 0o111
    read = asyncssh.read_private_key(spec.host_key_file)
    assert read.export_public_key() == host_key.export_public_key()


def test_boot_ids_differ_and_look_like_the_kernels(tmp_path: Path) -> None:
    path = tmp_path / "proc/sys/kernel/random/boot_id"
    path.parent.mkdir(parents=True)
    seen = set()
    for _ in range(3):
        new_boot_id(tmp_path)
        seen.add(path.read_text())

    assert len(seen) == 3
    assert all([len(part) for part in text.strip().split("-")] == [8, 4, 4, 4, 12] for text in seen)


def test_controller_key_is_readable_by_its_owner_alone(tmp_path: Path) -> None:
    make_controller_key(tmp_path)

    assert (tmp_path / "controller").stat().st_mode & 0o777 == 0o600


def test_launcher_passes_the_request_and_nothing_else(tmp_path: Path) -> None:
    root = tmp_path / "a 'root'"
    (root / "usr/lib/rollout").mkdir(parents=True)
    (root / "usr/lib/rollout/helper.sh").write_text("printf '%s\\n' \"$@\"; env")
    launch = tmp_path / "launch"
    launch.write_text(launcher(root))

    done = subprocess.run(
        ["/bin/sh", str(launch)],
        env={"SSH_ORIGINAL_COMMAND": "hello nonce=a", "LD_PRELOAD_X": "evil"},
        capture_output=True,
        text=True,
        check=True,
    )

    lines = done.stdout.splitlines()
    assert lines[:2] == ["--root", str(root)]
    assert "SSH_ORIGINAL_COMMAND=hello nonce=a" in lines
    assert not any("evil" in line for line in lines)
