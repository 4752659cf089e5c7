"""A machine with a real kernel, GRUB and two slots: what comes up stays, what does not is left by itself.

The loader's script is the one that docs/reference/modules.md gives. At night only: the processor is
emulated, so that a boot costs ten seconds of a core, and an update up to a minute.
"""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Iterator

import pytest

from tests.vm.image import why_not
from tests.vm.site import Site

pytestmark = [
    pytest.mark.integration,
    pytest.mark.night,
    pytest.mark.timeout(1200),
    pytest.mark.xdist_group("machine"),  # which all of these share
    pytest.mark.skipif(bool(why_not()), reason=f"no machine boots here: {why_not()}"),
]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with Site(tmp_path_factory.mktemp("machine")) as found:
        yield found


def updated(site: Site, name: str) -> None:
    site.release(name)
    site.apply(name, code=0)
    facts = site.facts()
    assert (facts["artifact"], facts["state"], facts["active"]) == (name, "committed", "yes")


def test_good_system_is_committed_and_stays(site: Site) -> None:
    updated(site, "good")
    mark = site.machine.heard()

    site.machine.power_cut()
    site.machine.power_on()

    site.machine.until("booted good", after=mark)
    facts = site.facts()
    assert (facts["artifact"], facts["state"], facts["active"]) == ("good", "committed", "yes")


def test_system_whose_check_fails_is_left_by_its_plan(site: Site) -> None:
    updated(site, "before-ill")
    site.release("ill", health="ill")
    mark = site.machine.heard()

    site.apply("ill", code=5)

    site.machine.until("booted ill[^$]*booted before-ill", after=mark)
    facts = site.facts()
    assert (facts["artifact"], facts["state"]) == ("before-ill", "rolled-back")
    assert facts["active"] == "yes"


def test_system_that_nobody_confirms_is_left_by_itself(site: Site) -> None:
    updated(site, "before-alone")
    site.release("alone", health="ill")
    mark = site.machine.heard()

    with site.applying("alone") as engine:
        assert engine.stdout is not None
        for line in engine.stdout:
            if json.loads(line).get("data", {}).get("to") == "verifying":
                break
        os.killpg(engine.pid, signal.SIGKILL)

    site.machine.until("booted alone[^$]*booted before-alone", after=mark, limit_s=900)
    facts = site.facts()
    assert facts["reverted"] == facts["txn"]
    assert (facts["artifact"], facts["state"]) == ("before-alone", "rolled-back")
    assert facts["active"] == "yes"
    told = site.apply("alone", code=7)  # a person is to look at it
    assert "device `vm1` went back by itself" in told
    site.project.run("abort", code=4)


@pytest.mark.parametrize(
    ("without", "sign"),
    [("sbin/init", "Kernel panic"), ("boot/vmlinuz", "error: file `/boot/vmlinuz' not found")],
)
def test_system_that_does_not_come_up_is_left_by_the_boot_loader(
    site: Site, without: str, sign: str
) -> None:
    name = without.replace("/", "-")
    updated(site, f"before-{name}")
    site.release(f"no-{name}", without=without)
    mark = site.machine.heard()

    site.apply(f"no-{name}", code=5)

    site.machine.until(f"{sign}[^$]*booted before-{name}", after=mark)
    assert f"booted no-{name}" not in site.machine.said
    facts = site.facts()
    assert (facts["artifact"], facts["state"]) == (f"before-{name}", "rolled-back")
    assert facts["active"] == "yes"
