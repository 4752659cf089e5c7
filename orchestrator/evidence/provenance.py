"""Provenance of SLSA, v1 and v0.2: who built an artifact, out of which sources.

Laws:
1. The subject is the artifact, by its SHA-256.
2. The builder's id is one that the policy trusts, and the signature is by a key that the policy
   gives to that very builder.
3. Every source under version control (`git+...`) is one that the policy names, and says the digest
   of its commit; there is at least one. A policy's source with `@REF` wants that ref, one without
   takes any.

Source: SLSA provenance v1 and v0.2; "Verifying artifacts", steps 1 and 2.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from orchestrator.evidence.node import Node
from orchestrator.evidence.rules import EvidenceRule
from orchestrator.evidence.statement import Statement

V1, V02 = "https://slsa.dev/provenance/v1", "https://slsa.dev/provenance/v0.2"
_COMMIT = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
_GIT = ("git+", "git:")
_DIGESTS = ("gitCommit", "sha1", "sha256")


@dataclass(frozen=True, slots=True)
class Source:
    """A source: `uri` as it stands there, and its commit."""

    uri: str
    commit: str
    node: Node

    def is_one_of(self, allowed: Sequence[str]) -> bool:
        """Whether the policy names it, with its ref or without."""
        return self.uri in allowed or _without_ref(self.uri) in allowed


@dataclass(frozen=True, slots=True)
class Provenance:
    """Who built it, out of what."""

    builder: str
    sources: tuple[Source, ...]


def builder_of(statement: Statement) -> str:
    """The builder's id; empty, with a problem, where the statement is no provenance."""
    match statement.predicate_type:
        case "https://slsa.dev/provenance/v1":
            node = statement.predicate.child("runDetails", needed=True)
        case "https://slsa.dev/provenance/v0.2":
            node = statement.predicate
        case other:
            message = f"`{other}` is no provenance that is read here"
            hint = f"`{V1}` or `{V02}`"
            rule = EvidenceRule.PROVENANCE_FORM
            statement.top.report(rule, message, "predicateType", hint=hint)
            return ""
    builder = None if node is None else node.child("builder", needed=True)
    return "" if builder is None else builder.text("id", needed=True)


def check_provenance(statement: Statement, sha256: str, allowed: Sequence[str]) -> Provenance:
    """What it says; what does not fit becomes a problem of its document.

    Args:
        statement: signed by a key of its builder.
        sha256: the artifact's.
        allowed: the policy's sources; empty where it asks for none.
    """
    if not statement.is_about(sha256):
        message = "the provenance is about another artifact"
        statement.top.report(EvidenceRule.PROVENANCE_SUBJECT, message, "subject")
    sources = tuple(_sources(statement))
    if allowed and not sources:
        message = "the provenance names no source under version control"
        statement.predicate.report(EvidenceRule.SOURCE, message)
    for each in sources:
        if allowed and not each.is_one_of(allowed):
            hint = "the policy says from which sources a release may be built"
            each.node.report(EvidenceRule.SOURCE, f"built from `{each.uri}`", "uri", hint=hint)
        if not _COMMIT.fullmatch(each.commit):
            message = f"`{each.uri}` without the digest of its commit"
            each.node.report(EvidenceRule.SOURCE, message)
    return Provenance(builder_of(statement), sources)


def _sources(statement: Statement) -> Iterator[Source]:
    for node in _dependencies(statement):
        uri = node.text("uri")
        if uri.startswith(_GIT):
            digest = node.child("digest")
            texts = [] if digest is None else [digest.text(name) for name in _DIGESTS]
            yield Source(uri, next(filter(None, texts), ""), node)


def _dependencies(statement: Statement) -> Iterator[Node]:
    if statement.predicate_type == V1:
        definition = statement.predicate.child("buildDefinition", needed=True)
        if definition is not None:
            yield from definition.children("resolvedDependencies")
        return
    invocation = statement.predicate.child("invocation")
    config = None if invocation is None else invocation.child("configSource")
    if config is not None and config.value.get("uri"):
        yield config
    yield from statement.predicate.children("materials")


def _without_ref(uri: str) -> str:
    """A URI without `@REF` after its path; an `@` before the host stays."""
    scheme, slashes, rest = uri.partition("://")
    host, slash, path = rest.partition("/")
    return f"{scheme}{slashes}{host}{slash}{path.partition('@')[0]}"
