"""What is shipped is what lies in the package, and is told once."""

from __future__ import annotations

from pathlib import Path

import orchestrator.device
from orchestrator.device.protocol import helper_fits
from orchestrator.device.shipped import MODULES, PROGRAMS, helper_files, helper_version

PACKAGE = Path(orchestrator.device.__file__).parent


def test_every_program_and_module_of_the_package_is_shipped() -> None:
    programs = {path.name for path in PACKAGE.glob("*.sh")}
    modules = {f"{MODULES}{path.name}" for path in (PACKAGE / "modules").iterdir()}

    assert set(PROGRAMS) == programs
    assert set(helper_files()) == programs | modules


def test_version_is_the_one_that_the_helper_says_and_fits_the_controller() -> None:
    assert f"\nVERSION={helper_version()}\n".encode() in helper_files()["helper.sh"]
    assert helper_fits(helper_version())
