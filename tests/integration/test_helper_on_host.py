"""A new helper on a real Debian host, whose account has no rights but one step to the core."""

from __future__ import annotations

from pathlib import Path

import pytest

from orchestrator.device.protocol import Request, Verb
from orchestrator.device.shipped import helper_version
from tests.device.helper_kit import helper
from tests.device.kit import Release, Shell
from tests.integration.desk import Desk, desk
from tests.integration.lab_kit import changing
from tests.integration.real_host import why_not

pytestmark = [
    pytest.mark.integration,
    pytest.mark.root,
    pytest.mark.skipif(bool(why_not()), reason=f"no host of its own: {why_not()}"),
]
HELLO = Request(Verb.HELLO, {"nonce": "n", "component": "helper"})


def called(version: str) -> Release:
    release = helper(f"h-{version}", version, Shell("sh", ("sh",), ""))
    release.device_types = ("edge",)
    return release


async def committed(at: Desk, number: int, version: str) -> None:
    frames = called(version).frames(at.signing)
    delivered = await at.deliver(number, frames, component="helper")
    trial = (await at.ask(HELLO)).fields
    nonce = trial["commit-nonce"]
    done = await at.ask(changing(Verb.COMMIT, number, component="helper", nonce=nonce))
    assert (delivered.rc, done.rc) == (0, 0), (delivered, done)
    assert (trial["helper"], trial["active"]) == (version, "yes")


async def test_helper_without_rights_is_exchanged_and_comes_back_when_power_is_lost(
    tmp_path: Path,
) -> None:
    async with desk(tmp_path) as at:
        await at.admin.enrol(at.wanted())
        await committed(at, 1, "9.0.0")
        await at.deliver(2, called("9.1.0").frames(at.signing), component="helper")
        trial = (await at.ask(HELLO)).fields

        await at.host.power_cut()
        await at.host.boot()
        after = (await at.ask(HELLO)).fields
        enrolled_again = await at.admin.plan_enrol(at.wanted())

        assert trial["helper"] == "9.1.0"
        assert (after["helper"], after["state"], after["active"]) == ("9.0.0", "rolled-back", "yes")
        assert not enrolled_again.differs


@pytest.mark.night  # a second host only for what an enrolment takes away
async def test_enrolling_with_another_helper_puts_that_in_the_place_of_a_delivered_one(
    tmp_path: Path,
) -> None:
    async with desk(tmp_path) as at:
        await at.admin.enrol(at.wanted())
        placed = at.host.path("/usr/lib/rollout/helper.sh")
        now = placed.read_text()
        older = now.replace(f"\nVERSION={helper_version()}\n", "\nVERSION=1.4.99\n")
        placed.write_text(older)
        await committed(at, 1, "9.0.0")

        planned = await at.admin.plan_enrol(at.wanted())
        await at.admin.enrol(at.wanted())

        told = [str(change) for change in planned.changes]
        assert "- file /var/lib/rollout/helper/current" in told
        assert (await at.ask(HELLO)).fields["helper"] == helper_version()
