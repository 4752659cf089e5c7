"""What is shipped to devices: the programs and update modules of the helper, and its version.

Law: the files beside this module are the one truth; whoever places, packs or simulates a helper asks
here.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Mapping
from importlib import resources

HELPER_COMPONENT = "helper"  # the part of a device that a release of the helper is for
PROGRAMS = (
    "helper.sh",
    "executor.sh",
    "trust.sh",
    "checks.sh",
    "report.sh",
    "delta.sh",
    "streams.sh",
)
MODULES = "modules/"
_MODULE_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_-]{0,99}")
_VERSION = re.compile(rb"^VERSION=([0-9.]+)$", re.MULTILINE)


@functools.cache
def helper_files() -> Mapping[str, bytes]:
    """The programs by name, and the update modules as `modules/TYPE`, sorted."""
    package = resources.files("orchestrator.device")
    found = {name: package.joinpath(name).read_bytes() for name in PROGRAMS}
    for entry in package.joinpath("modules").iterdir():
        if entry.is_file() and _MODULE_NAME.fullmatch(entry.name):
            found[f"{MODULES}{entry.name}"] = entry.read_bytes()
    return dict(sorted(found.items()))


@functools.cache
def helper_version() -> str:
    """What the helper calls itself in `hello`."""
    found = _VERSION.search(helper_files()["helper.sh"])
    assert found is not None, "the helper says its version"
    return found[1].decode("ascii")
