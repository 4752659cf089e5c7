"""The machine gets its next system as the difference to the one that it runs."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.vm.image import why_not
from tests.vm.site import Site

pytestmark = [
    pytest.mark.integration,
    pytest.mark.night,  # two updates with real boots
    pytest.mark.timeout(900),
    pytest.mark.skipif(bool(why_not()), reason=f"no machine boots here: {why_not()}"),
]


def test_next_system_is_made_of_the_one_that_runs(tmp_path: Path) -> None:
    with Site(tmp_path, small=True) as site:
        for name in ("plain", "changed"):
            site.release(name, packed=False)
        site.project.run("artifact", "delta", "plain.mender", "changed.mender")
        site.apply("plain", code=0)
        mark = site.machine.heard()

        site.apply("changed", code=0)

        site.machine.until("patched[^$]*booted changed", after=mark)
        facts = site.facts()
        assert (facts["artifact"], facts["state"], facts["active"]) == (
            "changed",
            "committed",
            "yes",
        )
        assert "patched" not in site.machine.said[:mark]
