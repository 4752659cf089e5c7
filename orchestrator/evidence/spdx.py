"""SPDX 2.3 in JSON: packages, and which of them the document describes.

Source: SPDX specification 2.3, clauses 6 (document), 7 (packages), 11 (relationships).
"""

from __future__ import annotations

from orchestrator.evidence.digests import digest
from orchestrator.evidence.node import Node
from orchestrator.evidence.purl import Purl, parse_purl
from orchestrator.evidence.rules import EvidenceRule
from orchestrator.evidence.sbom import Component, Sbom

FORMAT = "SPDX-2.3"
_DOCUMENT = "SPDXRef-DOCUMENT"


def is_spdx(top: Node) -> bool:
    """Whether a file says that it is SPDX."""
    return "spdxVersion" in top.value


def read_spdx(top: Node) -> Sbom | None:
    """The bill of materials; None, with problems, where the file is none."""
    version = top.text("spdxVersion", needed=True)
    if version != FORMAT:
        message = f"{version or 'a file without `spdxVersion`'} is not read here"
        top.report(EvidenceRule.FORMAT, message, "spdxVersion", hint="write SPDX 2.3, as JSON")
        return None
    if top.text("SPDXID", needed=True) != _DOCUMENT:
        top.report(EvidenceRule.FIELD, f"the document is `{_DOCUMENT}`", "SPDXID")
    by_ref: dict[str, Component] = {}
    for node in top.children("packages"):
        part = _component(node)
        if part.ref in by_ref:
            message = f"two packages have the id `{part.ref}`"
            node.report(EvidenceRule.FIELD, message, "SPDXID")
        by_ref[part.ref] = part
    described = _described(top)
    about = [by_ref[ref] for ref in described if ref in by_ref]
    if len(about) != 1:
        message = f"the document describes {len(about)} of its packages, not the one released"
        hint = "one relationship DESCRIBES from the document to the package of the artifact"
        top.report(EvidenceRule.SBOM_SUBJECT, message, hint=hint)
        return None
    parts = tuple(part for part in by_ref.values() if part is not about[0])
    return Sbom(top.document, "SPDX 2.3", about[0], parts, by_ref=by_ref)


def _component(node: Node) -> Component:
    digests = tuple(
        digest(each.text("algorithm"), each.text("checksumValue"))
        for each in node.children("checksums")
    )
    name, ref = node.text("name", needed=True), node.text("SPDXID", needed=True)
    return Component(name, node.text("versionInfo"), _purl(node), ref, node.path, digests)


def _purl(node: Node) -> Purl | None:
    for each in node.children("externalRefs"):
        if each.text("referenceType") != "purl":
            continue
        text = each.text("referenceLocator", needed=True)
        found = parse_purl(text)
        if found is not None:
            return found
        each.report(EvidenceRule.FIELD, f"`{text}` is no package URL", "referenceLocator")
    return None


def _described(top: Node) -> set[str]:
    found = set(top.texts("documentDescribes"))
    for each in top.children("relationships"):
        first, second = each.text("spdxElementId"), each.text("relatedSpdxElement")
        match each.text("relationshipType"):
            case "DESCRIBES" if first == _DOCUMENT:
                found.add(second)
            case "DESCRIBED_BY" if second == _DOCUMENT:
                found.add(first)
    return found
