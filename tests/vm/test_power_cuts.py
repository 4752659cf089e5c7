"""The power is cut at 20 moments of an update, and comes again at once: the machine always comes back.

The moments are drawn, one in each twentieth of the time that such an update takes, from the seed that
is printed. `apply` goes on meanwhile, and what it says at its end has to be what the machine says.
"""

from __future__ import annotations

import os
import random
import time
from pathlib import Path

import pytest

from tests.conftest import FIGURE, FRESH_FROM
from tests.vm.image import why_not
from tests.vm.site import NAME, Site

CUTS_COUNT = 20
SYSTEMS = ("even", "odd")
UNDONE = ("rolled-back", "staging")  # the latter: cut off while it was sent, and never begun
END_S_MAX = 900.0  # a device that stays away is given up within lost_after
pytestmark = [
    pytest.mark.integration,
    pytest.mark.night,  # 20 updates of a minute and more
    pytest.mark.timeout(CUTS_COUNT * 600),
    pytest.mark.skipif(bool(why_not()), reason=f"no machine boots here: {why_not()}"),
]


def test_machine_comes_back_from_a_power_cut_at_any_moment(tmp_path: Path) -> None:
    with Site(tmp_path, small=True) as site:
        cut_again_and_again(site)


def cut_again_and_again(site: Site) -> None:
    seed = int(os.environ[FRESH_FROM])
    drawn = random.Random(seed)
    for name in SYSTEMS:
        site.release(name)
    took_s = update(site, "even")
    runs, kept = "even", 0

    for number in range(CUTS_COUNT):
        other = SYSTEMS[runs == "even"]
        moment_s = (number + drawn.random()) / CUTS_COUNT * took_s
        code = cut(site, other, moment_s)
        facts = site.facts()
        told = f"seed {seed}, cut {number} after {moment_s:.1f} s: apply ended with {code}, {facts}"
        assert facts["active"] == "yes", told
        assert (code, facts["artifact"]) in ((0, other), (5, runs)), told
        assert facts["state"] in (UNDONE if code else ("committed",)), told
        runs = facts["artifact"]
        if code:
            kept += 1
            site.project.run("device", "unhold", NAME, "--reason", "its power was cut")

    print(
        f"{FIGURE}{CUTS_COUNT} power cuts within {took_s:.0f} s of an update: {kept} ended with the"
        f" system before, the others with the new one (again with --fresh-from {seed})"
    )


def update(site: Site, name: str) -> float:
    """Rolls it out; gives how long that took from the start of `apply` to its end."""
    started_at = time.monotonic()
    with site.applying(name) as engine:
        _, said = engine.communicate(timeout=END_S_MAX)
    assert engine.returncode == 0, said
    return time.monotonic() - started_at


def cut(site: Site, name: str, moment_s: float) -> int:
    """Cuts the power so long after the start of `apply`; gives the exit code of that in the end."""
    with site.applying(name) as engine:
        site.machine.run_for(moment_s)
        site.machine.power_cut()
        mark = site.machine.heard()
        site.machine.power_on()
        site.machine.until("booted (even|odd)", after=mark)
        engine.communicate(timeout=END_S_MAX)
    return engine.returncode
