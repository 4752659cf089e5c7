"""SBOMs, VEX files, OSV records and provenance as suppliers write them, small."""

from __future__ import annotations

import base64
import json
from typing import Any

from orchestrator.evidence.dsse import IN_TOTO, EnvelopeSignature, pae, write_envelope
from orchestrator.evidence.sbom import Subject

SHA256 = "a1" * 32
SUBJECT = Subject("app-2.0", SHA256, ("b2" * 32,))
NOW = 1_764_000_000.0  # 2025-11-24T16:00:00Z
TODAY, YESTERDAY = "2025-11-24T08:00:00Z", "2025-11-23T08:00:00Z"
SERIAL = "3e671687-395b-41f5-a30f-a58921a69b79"
OPENSSL = "pkg:deb/debian/libssl3@3.0.11-1~deb12u2?arch=arm64&distro=debian-12&upstream=openssl"
FLASK = "pkg:pypi/Flask@2.0.1"


def data(document: object) -> bytes:
    return json.dumps(document, indent=1).encode()


def part(name: str, purl: str = "", **more: Any) -> dict[str, Any]:
    version = purl.partition("@")[2].partition("?")[0]
    found = {"type": "library", "name": name, "bom-ref": f"ref-{name}", "version": version}
    return {**found, **({"purl": purl} if purl else {}), **more}


def cyclonedx(*parts: dict[str, Any], **more: Any) -> dict[str, Any]:
    about = {"type": "application", "name": "app", "version": "2.0", "bom-ref": "ref-app"}
    return {
        "bomFormat": "CycloneDX", "specVersion": "1.6", "serialNumber": f"urn:uuid:{SERIAL}",
        "version": 1, "metadata": {"timestamp": YESTERDAY, "component": about},
        "components": list(parts), **more,
    }  # fmt: skip


def spdx(*purls: str, **more: Any) -> dict[str, Any]:
    packages = [{"SPDXID": "SPDXRef-app", "name": "app", "versionInfo": "2.0"}]
    for number, purl in enumerate(purls):
        reference = {
            "referenceCategory": "PACKAGE-MANAGER", "referenceType": "purl",
            "referenceLocator": purl,
        }  # fmt: skip
        packages.append(
            {"SPDXID": f"SPDXRef-{number}", "name": f"p{number}", "externalRefs": [reference]}
        )
    relationship = {
        "spdxElementId": "SPDXRef-DOCUMENT", "relationshipType": "DESCRIBES",
        "relatedSpdxElement": "SPDXRef-app",
    }  # fmt: skip
    return {
        "spdxVersion": "SPDX-2.3", "SPDXID": "SPDXRef-DOCUMENT", "name": "app",
        "packages": packages, "relationships": [relationship], **more,
    }  # fmt: skip


def openvex(*statements: dict[str, Any], at: str = TODAY) -> dict[str, Any]:
    return {
        "@context": "https://openvex.dev/ns/v0.2.0", "@id": "https://example.org/vex/1",
        "author": "ann", "timestamp": at, "version": 1, "statements": list(statements),
    }  # fmt: skip


def said(
    vulnerability: str, *products: object, status: str = "not_affected", **more: Any
) -> dict[str, Any]:
    if status == "not_affected":
        more.setdefault("justification", "vulnerable_code_not_in_execute_path")
    found = [each if isinstance(each, dict) else {"@id": each} for each in products]
    return {"vulnerability": {"name": vulnerability}, "products": found, "status": status, **more}


def osv(
    name: str, ecosystem: str, package: str, *events: tuple[str, str], **more: Any
) -> dict[str, Any]:
    kind = more.pop("type", "ECOSYSTEM")
    affected: dict[str, Any] = {"package": {"ecosystem": ecosystem, "name": package}}
    if events:
        affected["ranges"] = [{"type": kind, "events": [{key: text} for key, text in events]}]
    affected |= {"versions": more.pop("versions")} if "versions" in more else {}
    return {"id": name, "modified": TODAY, "affected": [affected], **more}


def provenance(sha256: str = SHA256, **changes: Any) -> dict[str, Any]:
    source = {
        "uri": "git+https://git.example.org/acme/app@refs/heads/main",
        "digest": {"gitCommit": "c3" * 20},
    }
    given = {"builder": "https://builder.example.org/v1", "sources": [source], **changes}
    return {
        "_type": "https://in-toto.io/Statement/v1",
        "subject": [{"name": "app.mender", "digest": {"sha256": sha256}}],
        "predicateType": "https://slsa.dev/provenance/v1",
        "predicate": {
            "buildDefinition": {
                "buildType": "https://builder.example.org/make", "externalParameters": {},
                "resolvedDependencies": given["sources"],
            },
            "runDetails": {"builder": {"id": given["builder"]}},
        },
    }  # fmt: skip


def provenance_v02(sha256: str = SHA256, **changes: Any) -> dict[str, Any]:
    source = {"uri": "git+https://git.example.org/acme/app", "digest": {"sha1": "c3" * 20}}
    given = {"config": source, "materials": [source], **changes}
    return {
        "_type": "https://in-toto.io/Statement/v0.1",
        "subject": [{"name": "app.mender", "digest": {"sha256": sha256}}],
        "predicateType": "https://slsa.dev/provenance/v0.2",
        "predicate": {
            "builder": {"id": "https://builder.example.org/v1"},
            "buildType": "https://builder.example.org/make",
            "invocation": {"configSource": given["config"]}, "materials": given["materials"],
        },
    }  # fmt: skip


def envelope(statement: object, sign, key_id: str = "") -> bytes:
    """A DSSE envelope; `sign` makes the signature over given bytes."""
    payload = data(statement)
    signature = EnvelopeSignature(key_id, sign(pae(IN_TOTO, payload)))
    return write_envelope(IN_TOTO, payload, [signature])


def raw_envelope(payload: bytes, *signatures: bytes, kind: str = IN_TOTO) -> bytes:
    def text(one: bytes) -> str:
        return base64.b64encode(one).decode()

    return data(
        {
            "payload": text(payload),
            "payloadType": kind,
            "signatures": [{"sig": text(each)} for each in signatures],
        }
    )
