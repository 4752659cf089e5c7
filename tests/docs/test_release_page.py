"""docs/how-to/release.md: its commands are run as they stand, by people who type passphrases."""

from __future__ import annotations

import os
import re
from pathlib import Path

from orchestrator import api
from tests.terminal import on_terminal

PAGE = (Path(__file__).parents[2] / "docs/how-to/release.md").read_text(encoding="utf-8")
SECRET = "correct horse"


def test_release_is_made_and_signed_as_the_page_says(tmp_path: Path, rollout_program: Path) -> None:
    (tmp_path / "build").mkdir()
    (tmp_path / "build/run").write_text("#!/bin/sh\n")
    kept = {name: value for name, value in os.environ.items() if not name.startswith("ROLLOUT_")}
    kept.pop("CI", None)
    environment = {
        **kept, "NO_COLOR": "1", "HOME": str(tmp_path),
        "PATH": f"{rollout_program}:{kept['PATH']}",
    }  # fmt: skip
    blocks = re.findall(r"^```sh\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
    answers = {
        f"passphrase of {name}.key{more}: ": SECRET
        for name in ("ann-root", "bob-root", "ann", "bob")
        for more in ("", ", once more")
    }

    def run(block: str) -> str:
        seen = on_terminal(("sh", "-euc", block), answers, cwd=tmp_path, env=environment)
        assert seen.code == 0, seen.text
        assert SECRET not in seen.text
        return seen.text

    said = [run(block) for block in blocks[:-1]]
    key_id = api.key_show(tmp_path / "bob.key.pub").fingerprint
    assert "3f9a61c2" in blocks[-1]
    rotated = run(blocks[-1].replace("3f9a61c2", key_id[:8]))

    assert "serial 1" in said[2]
    assert "verified     signatures, device type, expiry, artifact" in said[3]
    assert "2 of 2 needed, a build key:" in said[4]
    assert "good with ssh-keygen in place of openssl" in said[4]
    assert "1 of 2 needed, a build key:" in said[5]
    assert "not with usign or signify in place of openssl" in said[5]
    assert "verified     as devices judge it that hold version 1" in rotated
    assert len((tmp_path / "app-2.3.1.ticket.sig").read_text().splitlines()) == 6
