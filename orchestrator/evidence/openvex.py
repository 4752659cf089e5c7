"""OpenVEX: statements about products and vulnerabilities.

A product is a package URL (in `@id` or `identifiers.purl`), the artifact by its SHA-256
or its name;
with `subcomponents` the statement is about those of its parts alone. Source: OpenVEX specification
0.0.2 (context `v0.2.0`).
"""

from __future__ import annotations

from collections.abc import Iterator

from orchestrator.evidence.digests import digest
from orchestrator.evidence.node import Node
from orchestrator.evidence.purl import parse_purl
from orchestrator.evidence.rules import EvidenceRule
from orchestrator.evidence.times import moment_of
from orchestrator.evidence.vex import Product, Status, Vex

CONTEXTS = ("https://openvex.dev/ns/v0.2.0", "https://openvex.dev/ns")
_JUSTIFICATIONS = frozenset({
    "component_not_present", "vulnerable_code_not_present", "vulnerable_code_not_in_execute_path",
    "vulnerable_code_cannot_be_controlled_by_adversary", "inline_mitigations_already_exist",
})  # fmt: skip


def is_openvex(top: Node) -> bool:
    """Whether a file says that it is OpenVEX."""
    return "@context" in top.value and "statements" in top.value


def read_openvex(top: Node) -> tuple[Vex, ...]:
    """The statements of a file."""
    if top.text("@context", needed=True) not in CONTEXTS:
        hint = f"its `@context` is `{CONTEXTS[0]}`"
        top.report(EvidenceRule.FORMAT, "this OpenVEX is not read here", "@context", hint=hint)
        return ()
    at = top.text("last_updated") or top.text("timestamp", needed=True)
    return tuple(_vex(each, at) for each in top.children("statements"))


def _vex(node: Node, at: str) -> Vex:
    vulnerability = node.child("vulnerability", needed=True)
    ids: frozenset[str] = frozenset()
    if vulnerability is not None:
        name = vulnerability.text("name", needed=True)
        ids = frozenset(filter(None, (name, *vulnerability.texts("aliases"))))
    text = node.text("status", needed=True)
    label = node.text("justification")
    if label and label not in _JUSTIFICATIONS:
        node.report(EvidenceRule.FIELD, f"`{label}` is no justification", "justification")
    notes = (
        node.text("impact_statement"),
        node.text("action_statement"),
        node.text("status_notes"),
    )
    return Vex(
        ids=ids,
        status=Status(text) if text in set(Status) - {Status.NONE} else Status.NONE,
        justification=label if label in _JUSTIFICATIONS else "",
        words="; ".join(filter(None, notes)),
        products=tuple(_product(each) for each in node.children("products")),
        made_at=moment_of(node.text("last_updated") or node.text("timestamp") or at),
        document=node.document,
        path=node.path,
    )


def _product(node: Node) -> Product:
    name = node.text("@id")
    identifiers = node.child("identifiers")
    text = "" if identifiers is None else identifiers.text("purl")
    purl = parse_purl(text) or parse_purl(name)
    hashes = node.child("hashes")
    return Product(
        purl,
        "" if purl is not None else name,
        digests=()
        if hashes is None
        else tuple(digest(name, hashes.text(name)) for name in hashes.value),
        parts=tuple(_parts(node)),
    )


def _parts(node: Node) -> Iterator[Product]:
    for each in node.children("subcomponents"):
        yield _product(each)
