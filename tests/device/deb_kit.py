"""Debian packages of the tests, and a root that dpkg can work in."""

from __future__ import annotations

import functools
import os
import shutil
import subprocess
import tempfile
from collections.abc import Mapping
from pathlib import Path


@functools.cache
def package(
    version: str,
    name: str = "of-test",
    depends: str = "",
    conf: str = "default",
    postinst: str = "",
    instead: str = "",
    architecture: str = "all",
) -> bytes:
    """One with a configuration file, a file that tells its version, and maybe a maintainer script."""
    files = {
        "DEBIAN/control": f"Package: {name}\nVersion: {version}\nArchitecture: {architecture}\nMaintainer: a\n"
        + (f"Depends: {depends}\n" if depends else "")
        + (f"Conflicts: {instead}\nReplaces: {instead}\n" if instead else "")
        + ("" if architecture == "all" else "Multi-Arch: same\n")
        + "Description: b\n",
        "DEBIAN/conffiles": f"/etc/{name}.conf\n",
        f"etc/{name}.conf": f"{conf}\n",
        f"opt/{name}/version": version,
    }
    if postinst:
        files["DEBIAN/postinst"] = f"#!/bin/sh\n{postinst}\n"
    with tempfile.TemporaryDirectory() as place:
        content, out = Path(place) / "content", Path(place) / "out.deb"
        put(content, files)
        for script in content.glob("DEBIAN/postinst"):
            script.chmod(0o755)
        build = ["dpkg-deb", "--root-owner-group", "--build", content, out]
        subprocess.run(build, check=True, capture_output=True)
        return out.read_bytes()


def prepare(root: Path) -> None:
    """Makes it a system with dpkg, on which nothing is installed."""
    put(root, {"var/lib/dpkg/status": "", "var/lib/dpkg/info/format": "1\n", "opt/other/file": ""})
    (root / "var/lib/dpkg/updates").mkdir()


def give_shell(root: Path) -> bool:
    """A shell for maintainer scripts, which run in the root; false where there is none to give."""
    busybox = shutil.which("busybox")
    if not busybox or os.geteuid() != 0:
        return False
    (root / "bin").mkdir(exist_ok=True)
    shutil.copy(busybox, root / "bin/sh")
    return True


def put(place: Path, files: Mapping[str, str]) -> None:
    for name, text in files.items():
        file = place / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)


def known(root: Path) -> dict[str, str]:
    """What dpkg knows: names, and their state and version."""
    argv = ["dpkg-query", f"--admindir={root}/var/lib/dpkg", "-W"]
    argv += ["-f", "${Package} ${db:Status-Want} ${db:Status-Status} ${Version}\n"]
    done = subprocess.run(argv, capture_output=True, check=False, text=True)
    return dict(line.split(" ", 1) for line in done.stdout.splitlines())
