"""An operator's policy with its keys and snapshots, and a project with an artifact to judge."""

from __future__ import annotations

import json
import time
import zipfile
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from orchestrator import api
from orchestrator.artifact.reader import read_artifact
from orchestrator.trust.keys import load_private_key
from orchestrator.trust.signing import sign_bytes
from tests.unit.api.release_kit import Releases
from tests.unit.evidence.papers import OPENSSL, cyclonedx, data, envelope, osv, part, provenance

POLICY = """\
require = ["sbom", "vulnerabilities", "provenance"]
{keys}
[vulnerabilities]
snapshots = ["osv.zip", "kev.json"]

[provenance]
sources = ["git+https://git.example.org/acme/app"]

[provenance.builders]
"https://builder.example.org/v1" = ["{builder}"]
"""
PLAN = """\
schema: 1
name: site
hosts: all
artifact: ./app.mender
waves: [rest]
start_at: "2099-01-01T00:00:00Z"
gates: [{name: well, check: site, success_when: result.exit == 0}]
"""
RECORD = ("DEBIAN-CVE-2024-0001", "Debian:12", "openssl", ("introduced", "0"), ("fixed", "3.0.10"))


def stamp(ago_s: float = 60.0) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() - ago_s))


@dataclass(frozen=True)
class Bench:
    """`project` has plan and artifact, `own` what only the operator writes."""

    project: Path
    own: Path
    kit: Releases

    @property
    def artifact(self) -> Path:
        return self.project / "app.mender"

    @property
    def sha256(self) -> str:
        return read_artifact(self.artifact).sha256

    @property
    def policy(self) -> Path:
        return self.own / "policy.toml"

    def settings(self, **changes: Any) -> api.Settings:
        found = api.Settings(
            root=self.project, state=str(self.project / ".rollout/state.db"),
            inventory=(str(self.project / "hosts.yml"),), evidence_policy=self.policy,
        )  # fmt: skip
        return replace(found, **changes)

    def write_policy(
        self, text: str = POLICY, keys: str = 'release_keys = ["rel1.key.pub"]'
    ) -> None:
        self.policy.write_text(text.format(keys=keys, builder="builder.key.pub"))

    def snapshot(self, *records: dict[str, Any], ago_s: float = 60.0) -> None:
        found = records or (osv(*RECORD),)
        with zipfile.ZipFile(self.own / "osv.zip", "w") as archive:
            for each in found:
                text = json.dumps({**each, "modified": stamp(ago_s)})
                archive.writestr(f"{each['id']}.json", text)

    def catalogue(self, *ids: str) -> None:
        entries = [{"cveID": each} for each in ids]
        document = {"catalogVersion": "1", "dateReleased": stamp(), "vulnerabilities": entries}
        (self.own / "kev.json").write_text(json.dumps(document))

    def paper(self, name: str, document: object) -> Path:
        path = self.own / name
        path.write_bytes(document if isinstance(document, bytes) else data(document))
        return path

    def sbom(self, *parts: dict[str, Any]) -> Path:
        return self.paper("app.cdx.json", cyclonedx(*(parts or (part("ssl", OPENSSL),))))

    def built(self, *, key: str = "builder", statement: object = None) -> Path:
        private = load_private_key(Path(self.kit.key(key)))
        document = provenance(self.sha256) if statement is None else statement
        return self.paper("app.dsse.json", envelope(document, lambda one: sign_bytes(one, private)))

    def attach(self, *signers: str, **changes: Any) -> None:
        given = dict(changes)
        if "sbom" not in given:
            given["sbom"] = self.sbom()
        if "provenance" not in given:
            given["provenance"] = (self.built(),)
        by = tuple(self.kit.signer(name) for name in signers or ("rel1",))
        api.release_attach(api.AttachRequest(self.artifact, sign_with=by, **given))

    def request(self) -> api.PlanRequest:
        return api.PlanRequest(self.project / "site.yml", offline=True)


def make_bench(where: Path) -> Bench:
    """All that is good; each test spoils something."""
    project, own = where / "project", where / "own"
    own.mkdir()
    project.mkdir()
    kit = Releases(own)
    (project / ".git").mkdir()
    (project / "site.yml").write_text(PLAN)
    (project / "hosts.yml").write_text("webs: {hosts: {web1: {}}}\n")
    kit.artifact().rename(project / "app.mender")
    kit.key("builder")
    kit.key("rel1")
    bench = Bench(project, own, kit)
    bench.write_policy()
    bench.snapshot()
    bench.catalogue("CVE-2024-0001")
    return bench
