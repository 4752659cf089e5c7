"""The update module `rauc` with the RAUC that is installed here, on a bus and with slots of the test."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.device.executor_kit import KILLED
from tests.device.installed_rauc_kit import Installed, why_not
from tests.device.kit import Shell
from tests.device.module_kit import Bench, Subject

pytestmark = [pytest.mark.root, pytest.mark.skipif(bool(why_not()), reason=why_not() or "can run")]


@pytest.fixture
def installed(request: pytest.FixtureRequest) -> Iterator[Installed]:
    with tempfile.TemporaryDirectory(prefix="rauc-") as place:  # a socket's path has to be short
        made = Installed(Path(place), by_uuid=getattr(request, "param", False))
        try:
            yield made
        finally:
            made.stop()


@pytest.fixture
def bench(tmp_path: Path, one_shell: Shell, installed: Installed) -> Bench:
    def prepare(root: Path) -> None:
        (root / "etc/rauc").mkdir(parents=True)
        (root / "etc/rauc/system.conf").write_text("[system]\n")
        installed.put("root", str(root))

    subject = Subject(
        "rauc",
        lambda name: {"system.raucb": installed.bundle(name)},
        lambda root: installed.running,
        breaks=lambda payload: payload,
        prepare=prepare,
        programs={"rauc": installed.read("client"), "sleep": installed.read("sleep")},
        boots=lambda root: installed.boot(),
        reboots=True,
    )
    return Bench(tmp_path / "device", one_shell, subject)


@pytest.mark.parametrize("installed", [True], indirect=True, ids=["by-uuid"])
def test_bundles_are_installed_committed_and_taken_back(bench: Bench, installed: Installed):
    first, second = bench.release("r1"), bench.release("r2")
    bench.do(first, "install", "activate", "commit")
    assert (bench.running, first.answer("ReadBack")) == ("r1", "active")
    held = (installed.place / "B").read_bytes()

    bench.do(second, "install", "activate", "activate", "commit")
    assert (bench.running, second.answer("ReadBack")) == ("r2", "active")
    bench.do(second, "back", "back")

    assert (bench.running, second.answer("ReadBack")) == ("r1", "inactive")
    assert (installed.read("primary"), installed.read("state.A")) == ("B", "bad")
    assert (installed.place / "B").read_bytes() == held


def test_bundles_that_rauc_would_refuse_touch_no_slot(bench: Bench, installed: Installed):
    installed.keys("other.pem", "other.key")
    good = installed.bundle("r1")
    bundles = {
        installed.bundle("r1", by="other.pem other.key"): "RAUC does not accept the bundle",
        good[:1000] + b"X" + good[1001:]: "RAUC does not accept the bundle",
        installed.bundle("r1", compatible="other"): "the bundle is for other",
    }
    before = [(installed.place / file).read_bytes() for file in ("A", "B", "state.B", "primary")]

    for bundle, why in bundles.items():
        release = bench.release("r1")
        release.payload({"system.raucb": bundle})
        rc, said = release.run("install")
        assert (rc, why in said) == (1, True), said

    after = [(installed.place / file).read_bytes() for file in ("A", "B", "state.B", "primary")]
    assert after == before


@pytest.mark.night  # beside other tests RAUC may give up before the moment that is waited for
def test_a_service_that_goes_on_without_its_client_is_waited_for(
    bench: Bench, installed: Installed
):
    release = bench.release("r1")
    bench.do(release, "install")
    os.mkfifo(installed.place / "hold")

    assert release.run("activate")[0] == KILLED
    assert (installed.place / "hold").exists()  # it still works
    bench.do(release, "back")

    assert (bench.running, installed.read("primary"), installed.read("state.B")) == ("", "A", "bad")
    assert (installed.place / "B").read_bytes().startswith(b"r1\n")  # it wrote to its end
