"""docs/how-to/evidence.md: its commands are run as they stand, and say what the page shows."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

from orchestrator import api
from orchestrator.artifact.reader import read_artifact
from orchestrator.trust.keys import load_private_key
from orchestrator.trust.signing import sign_bytes
from tests.unit.api.evidence_kit import PLAN, Bench
from tests.unit.api.release_kit import Releases
from tests.unit.evidence.papers import cyclonedx, data, envelope, osv, part, provenance

REPOSITORY = Path(__file__).parents[2]
PAGE = (REPOSITORY / "docs/how-to/evidence.md").read_text(encoding="utf-8")
_SH = re.compile(r"^```sh\n(.*?)^```\n", re.MULTILINE | re.DOTALL)
OPENSSL = "pkg:deb/debian/libssl3@3.0.11-1~deb12u2?distro=debian-12&upstream=openssl"
RECORD = osv(
    "DEBIAN-CVE-2024-5535", "Debian:12", "openssl", ("introduced", "0"), aliases=["CVE-2024-5535"]
)


def project(root: Path) -> None:
    """What the page says is there: an artifact with its plan, keys, papers of its build, snapshots."""
    for name in ("release", "build", "builder"):
        api.key_generate(root / f"{name}.key")
    (root / "tree").mkdir()
    (root / "tree/run").write_text("#!/bin/sh\n")
    artifact = root / "app-2.3.1.mender"
    api.artifact_build(
        api.BuildRequest(
            kind="directory", out=artifact, name="app-2.3.1", device_types=("rpi4",),
            source=root / "tree", dest="/opt/app", sign_key=root / "build.key",
        )
    )  # fmt: skip
    (root / "plan.yml").write_text(PLAN.replace("app.mender", artifact.name))
    (root / "hosts.yml").write_text("webs: {hosts: {web1: {}}}\n")
    (root / "rollout.toml").write_text('inventory = ["hosts.yml"]\n')
    sbom = cyclonedx(part("ssl", OPENSSL), part("conf", "pkg:generic/acme/conf@1"))
    sbom["metadata"]["component"]["version"] = "2.3.1"
    (root / "app.cdx.json").write_bytes(data(sbom))
    builder = load_private_key(root / "builder.key")
    built = envelope(
        provenance(read_artifact(artifact).sha256), lambda one: sign_bytes(one, builder)
    )
    (root / "app.dsse.json").write_bytes(built)
    bench = Bench(root, root, Releases(root))
    bench.snapshot(RECORD)
    (root / "osv.zip").rename(root / "osv-debian.zip")
    bench.catalogue("CVE-2021-44228")
    (root / "kev.json").rename(root / "known-exploited.json")


def test_page_leads_from_a_policy_to_a_plan_that_satisfies_it(
    tmp_path: Path, rollout_program: Path
) -> None:
    root = tmp_path / "project"
    root.mkdir()
    project(root)
    kept = {name: value for name, value in os.environ.items() if not name.startswith("ROLLOUT_")}
    environment = {
        **kept, "NO_COLOR": "1", "HOME": str(tmp_path), "COLUMNS": "200",
        "PATH": f"{rollout_program}:{kept['PATH']}", "LC_ALL": "C.UTF-8",
    }  # fmt: skip
    blocks = _SH.findall(PAGE)
    refused, good = re.findall(r"^```\n(.*?)^```", _SH.sub("", PAGE), re.MULTILINE | re.DOTALL)

    done = subprocess.run(
        ["sh", "-euc", "\necho ==\n".join(blocks)], cwd=root, env=environment, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=100, check=False,
    )  # fmt: skip

    assert done.returncode == 0, done.stdout
    said = done.stdout.split("==\n")
    assert refused in said[2]
    assert "Evidence" not in said[2]
    for line in good.splitlines():
        assert _undated(line) in _undated(said[3])
    assert (root / "app.plan").exists()


def _undated(text: str) -> str:
    return " ".join(re.sub(r"known on .*? UTC", "known", text).split())
