"""`rollout artifact delta`."""

from __future__ import annotations

import json
import random
import shutil
from pathlib import Path

import jsonschema
import pytest

from orchestrator import api
from orchestrator.errors import ExitCode
from tests.in_process import completed

OLD = random.Random(1).randbytes(100_000)


@pytest.fixture
def place(tmp_path: Path) -> Path:
    for name, content in (("system-1", OLD), ("system-2", OLD + b"news")):
        (tmp_path / "system.img").write_bytes(content)
        request = api.BuildRequest(
            kind="module", out=tmp_path / f"{name}.mender", name=name, device_types=("box",),
            module="rootfs-image", files=(tmp_path / "system.img",),
        )  # fmt: skip
        api.artifact_build(request)
    return tmp_path


@pytest.mark.skipif(not shutil.which("xdelta3"), reason="xdelta3 is not installed")
def test_it_says_what_devices_get_in_place_of_the_whole(place: Path):
    words = ["artifact", "delta", "system-1.mender", "system-2.mender"]

    done = completed([*words, "--format", "json"], cwd=place, env={"PATH": "/usr/bin:/bin"})
    again = completed(words, cwd=place, env={"PATH": "/usr/bin:/bin"})
    (place / json.loads(done.stdout)["file"]).unlink()
    told = completed(words, cwd=place, env={"PATH": "/usr/bin:/bin"})

    said = json.loads(done.stdout)
    jsonschema.validate(said, json.loads(api.schema_named("delta")))
    assert (said["old"], said["new"], said["payload_file"]) == (
        "system-1",
        "system-2",
        "system.img",
    )
    assert said["patch_bytes"] < 1000 < said["whole_bytes"] == len(OLD) + 4
    assert (again.returncode, "exists already" in again.stderr) == (ExitCode.REFUSED, True)
    assert "in place of 97.7 KiB (0." in told.stdout
    assert told.stdout.endswith(" %) for devices that run system-1\n")
