"""Devices under each shell that a real one may have."""

from __future__ import annotations

import shutil
import zlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.device.helper_kit import Updated
from tests.device.kit import Device, Key, Shell, busybox_path
from tests.device.tickets import People, Root, Signer, build_key

SHELLS = ("dash", "busybox", "bash")
SYSTEM_PATH = "/usr/sbin:/usr/bin:/sbin:/bin"


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Each case runs under one shell in `make test`, always the same, and under all at night."""
    for item in items:
        shell = getattr(item, "callspec", None) and item.callspec.params.get("shell")  # type: ignore[attr-defined]
        if shell in SHELLS:
            case = item.nodeid.replace(shell, "")
            if SHELLS[zlib.crc32(case.encode()) % len(SHELLS)] != shell:
                item.add_marker(pytest.mark.night)


@pytest.fixture(scope="session")
def key() -> Key:
    return Key("ec")


@pytest.fixture(scope="session")
def busybox(tmp_path_factory: pytest.TempPathFactory) -> str:
    return busybox_path(tmp_path_factory.mktemp("busybox") / "bin")


@pytest.fixture(params=SHELLS)
def shell(request: pytest.FixtureRequest) -> Shell:
    name = request.param
    if shutil.which(name) is None:
        pytest.skip(f"{name} is not installed")
    if name == "busybox":
        return Shell(name, ("busybox", "ash"), request.getfixturevalue("busybox"))
    return Shell(name, (name,), SYSTEM_PATH)


@pytest.fixture
def one_shell() -> Shell:
    """For what does not depend on the shell."""
    return Shell("sh", ("sh",), SYSTEM_PATH)


def _device(tmp_path: Path, shell: Shell, key: Key) -> Iterator[Device]:
    device = Device(tmp_path / "device", shell, key)
    yield device
    device.close()


@pytest.fixture
def device(tmp_path: Path, shell: Shell, key: Key) -> Iterator[Device]:
    yield from _device(tmp_path, shell, key)


@pytest.fixture
def one(tmp_path: Path, one_shell: Shell, key: Key) -> Iterator[Device]:
    yield from _device(tmp_path, one_shell, key)


@pytest.fixture(scope="session")
def people() -> People:
    signers = [Signer() for _ in range(7)]
    return People(tuple(signers[:3]), tuple(signers[3:6]), signers[6])


@pytest.fixture
def root(people: People, key: Key) -> Root:
    return Root(people.root, people.release, (build_key(key),))


@pytest.fixture
def rooted(device: Device, root: Root) -> Device:
    root.place(device)
    return device


@pytest.fixture
def one_rooted(one: Device, root: Root) -> Device:
    root.place(one)
    return one


@pytest.fixture
def updated(tmp_path: Path, shell: Shell, key: Key) -> Iterator[Updated]:
    device = Updated(tmp_path / "device", shell, key)
    yield device
    device.close()


@pytest.fixture
def once(tmp_path: Path, one_shell: Shell, key: Key) -> Iterator[Updated]:
    device = Updated(tmp_path / "device", one_shell, key)
    yield device
    device.close()
