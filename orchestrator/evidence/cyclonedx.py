"""CycloneDX 1.5 and 1.6 in JSON: the bill of materials, and statements about vulnerabilities.

Components in components, services' data and the like: only `components` count, at any depth;
`type: file` is no package and is left out. Source: CycloneDX 1.6 JSON reference.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from orchestrator.evidence.digests import digest
from orchestrator.evidence.node import Node
from orchestrator.evidence.purl import parse_purl
from orchestrator.evidence.rules import EvidenceRule
from orchestrator.evidence.sbom import Component, Sbom
from orchestrator.evidence.times import moment_of
from orchestrator.evidence.vex import Product, Status, Vex

FORMATS = ("1.5", "1.6")
_BOM_LINK = "urn:cdx:"
_STATES = {
    "not_affected": Status.NOT_AFFECTED,
    "false_positive": Status.NOT_AFFECTED,
    "resolved": Status.FIXED,
    "resolved_with_pedigree": Status.FIXED,
    "exploitable": Status.AFFECTED,
    "in_triage": Status.UNDER_INVESTIGATION,
}
_JUSTIFICATIONS = frozenset({
    "code_not_present", "code_not_reachable", "requires_configuration", "requires_dependency",
    "requires_environment", "protected_by_compiler", "protected_at_runtime",
    "protected_at_perimeter", "protected_by_mitigating_control",
})  # fmt: skip


def is_cyclonedx(top: Node) -> bool:
    """Whether a file says that it is CycloneDX."""
    return "bomFormat" in top.value


def read_cyclonedx(top: Node) -> Sbom | None:
    """The bill of materials; None, with problems, where the file is none."""
    if not _check_format(top):
        return None
    metadata = top.child("metadata", needed=True)
    about = None if metadata is None else metadata.child("component", needed=True)
    if about is None:
        return None
    subject = _component(about)
    nodes = [*about.children("components"), *top.children("components")]
    components = tuple(_parts(nodes))
    by_ref: dict[str, Component] = {}
    for part in (subject, *components):
        if part.ref in by_ref:
            message = f"two components have the reference `{part.ref}`"
            top.report(EvidenceRule.FIELD, message, *part.path)
        if part.ref:
            by_ref[part.ref] = part
    form = f"CycloneDX {top.text('specVersion')}"
    return Sbom(top.document, form, subject, components, _serial(top), by_ref)


def read_cyclonedx_vex(top: Node, sbom: Sbom | None) -> tuple[Vex, ...]:
    """What a file says about vulnerabilities of the parts of an SBOM, or of its own.

    `affects` names parts of the file itself, or by BOM-Link those of the SBOM.
    """
    metadata = top.child("metadata")
    at = "" if metadata is None else metadata.text("timestamp")
    if sbom is not None and sbom.document is top.document:
        known = sbom.by_ref
    elif _check_format(top):
        known = {**_own(top, metadata), **({} if sbom is None else _linked(sbom))}
    else:
        return ()
    return tuple(_vex(each, known, at) for each in top.children("vulnerabilities"))


def _own(top: Node, metadata: Node | None) -> Mapping[str, Component]:
    about = None if metadata is None else metadata.child("component")
    parts = list(_parts(list(top.children("components"))))
    parts += [] if about is None else [_component(about)]
    return {part.ref: part for part in parts if part.ref}


def _check_format(top: Node) -> bool:
    version = top.text("specVersion", needed=True)
    if top.text("bomFormat") == "CycloneDX" and version in FORMATS:
        return True
    message = f"CycloneDX {version or '(no version)'} is not read here"
    hint = f"write version {' or '.join(FORMATS)}, as JSON"
    top.report(EvidenceRule.FORMAT, message, "specVersion", hint=hint)
    return False


def _parts(nodes: list[Node]) -> Iterator[Component]:
    """The components, and those in them, without recursion."""
    waiting = nodes[::-1]
    while waiting:
        node = waiting.pop()
        waiting += list(node.children("components"))[::-1]
        if node.text("type") != "file":
            yield _component(node)


def _component(node: Node) -> Component:
    text = node.text("purl")
    purl = parse_purl(text) if text else None
    if text and purl is None:
        node.report(EvidenceRule.FIELD, f"`{text}` is no package URL", "purl")
    hashes = tuple(
        digest(each.text("alg"), each.text("content")) for each in node.children("hashes")
    )
    name = node.text("name", needed=True)
    return Component(name, node.text("version"), purl, node.text("bom-ref"), node.path, hashes)


def _serial(top: Node) -> str:
    """How others link to this document: `urn:cdx:UUID/VERSION`."""
    serial, version = top.text("serialNumber"), top.value.get("version", 1)
    if not serial.startswith("urn:uuid:"):
        return ""
    return f"{_BOM_LINK}{serial.removeprefix('urn:uuid:')}/{version}"


def _linked(sbom: Sbom) -> Mapping[str, Component]:
    if not sbom.serial:
        return {}
    return {f"{sbom.serial}#{ref}": part for ref, part in sbom.by_ref.items()}


def _vex(node: Node, known: Mapping[str, Component], at: str) -> Vex:
    analysis = node.child("analysis")
    status, why, words = Status.NONE, "", ""
    if analysis is not None:
        state = analysis.text("state")
        status = _STATES.get(state, Status.NONE)
        label = analysis.text("justification")
        if state == "false_positive":
            why = label or "false_positive"
        else:
            why = label if label in _JUSTIFICATIONS else ""
        words = analysis.text("detail")
        at = analysis.text("lastUpdated") or analysis.text("firstIssued") or at
    references = (each.text("id") for each in node.children("references"))
    return Vex(
        ids=frozenset(filter(None, (node.text("id", needed=True), *references))),
        status=status,
        justification=why,
        words=words,
        products=tuple(_products(node, known)),
        made_at=moment_of(at),
        document=node.document,
        path=node.path,
    )


def _products(node: Node, known: Mapping[str, Component]) -> Iterator[Product]:
    for each in node.children("affects"):
        ref = each.text("ref", needed=True)
        part = known.get(ref)
        if part is None:
            message = f"`{ref}` is no part of the SBOM or of this file"
            hint = "name it by its `bom-ref`, or `urn:cdx:SERIAL/VERSION#REF` for one of the SBOM"
            each.report(EvidenceRule.VEX_VOID, message, "ref", hint=hint)
            continue
        versions = [one.text("version") for one in each.children("versions")]
        if not versions or part.version in versions:
            yield Product(part.purl, part.name, part.version, part.digests)
