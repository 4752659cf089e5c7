"""docs/how-to/from-mender.md: its commands, on an artifact of Mender's own tool where there is one."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

from tests.pages import Reader, steps

INVENTORY = 'gateways: {hosts: {"gw-[1:3].example.net": }}\n'
NAME = "gateway-1.4.2"


def test_commands_of_the_page_take_the_artifact_as_it_is(
    tmp_path: Path, rollout_program: Path
) -> None:
    reader = Reader(tmp_path, rollout_program)
    (tmp_path / "hosts.yml").write_text(INVENTORY)
    (tmp_path / "rollout.toml").write_text('inventory = ["hosts.yml"]\n')
    (tmp_path / "version").write_text("1.4.2\n")
    reader.type(
        "openssl ecparam -genkey -name prime256v1 -noout -out artifact.pem\n"
        "openssl ec -in artifact.pem -pubout -out artifact-verify-key.pem\n"
        "rollout key generate release.key"
    )
    theirs = ("mender-artifact", "write", "module-image", "-T", "banner", "-f", "version")
    ours = ("rollout", "artifact", "build", "module", "banner", "--file", "version")
    words = theirs if shutil.which("mender-artifact") else ours
    more = ("--key", "artifact.pem", "-n", NAME, "-t", "gateway", "-o", f"{NAME}.mender")
    reader.type(" ".join((*words, *more)))
    before = (tmp_path / f"{NAME}.mender").read_bytes()

    said = [reader.follow(step) for step in steps("how-to/from-mender.md")]
    reader.type(f"mkdir out && tar -xf {NAME}-by-client.mender -C out")
    listed = subprocess.run(
        ["tar", "-xOzf", tmp_path / "out/data/0000.tar.gz"], check=True, capture_output=True
    )

    assert f"artifact     {NAME}" in said[0]
    assert "3 to update" in said[1]
    assert before in listed.stdout
