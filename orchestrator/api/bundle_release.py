"""What a bundle proves of a release: its root, its ticket, and the evidence with its papers."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from orchestrator.api.evidence_files import read_bounded, read_policy_file, release_keys
from orchestrator.api.signing import trusted_root
from orchestrator.api.values import Settings
from orchestrator.errors import TrustError
from orchestrator.render.bundle import BundleCheck

if TYPE_CHECKING:
    from orchestrator.evidence.references import Reference
    from orchestrator.plan.resolved import ResolvedPlan
    from orchestrator.trust.keys import VerificationKey
    from orchestrator.trust.root import Root

OWN = "by keys that the bundle itself brings"
TICKET, ROOT, EVIDENCE = "release/release.ticket", "release/root.txt", "release/evidence.json"
ROOT_BYTES_MAX = 1024 * 1024


def bad(what: str, code: str, words: str) -> BundleCheck:
    """Something that does not hold."""
    return BundleCheck(what, False, words, code)


@dataclass(frozen=True, slots=True)
class Bundle:
    """The files of a bundle without its index, and what `bundle.json` says.

    Attributes:
        head: the document of `bundle.json`.
        files: all of them by name.
        masked: what `bundle.json` says to be masked, by name.
    """

    head: Mapping[str, object]
    files: Mapping[str, bytes]
    masked: Mapping[str, object]

    @property
    def has_rollout(self) -> bool:
        """Whether it says to be about a rollout, and not about a release alone."""
        return "rollout" in self.head

    def data(self, name: str) -> bytes:
        """The bytes of a file; nothing where there is none."""
        return self.files.get(name, b"")

    def text(self, name: str) -> str:
        """A file as text."""
        return self.data(name).decode("utf-8", "replace")

    def names_artifact(self, name: str, sha256: str) -> bool:
        """Whether it says to be about this artifact."""
        return (self.head.get("artifact"), self.head.get("artifact_sha256")) == (name, sha256)


class ReleaseReader:
    """Judges what a bundle has of a release; `plan` is that of its rollout, where it is about one.

    Raises:
        TrustError: the reader's own root cannot be read.
    """

    def __init__(
        self, settings: Settings, bundle: Bundle, plan: ResolvedPlan | None, root: Path | None
    ) -> None:
        self._settings = settings
        self._bundle = bundle
        self._plan = plan
        self._root_path = root
        self._root, self._words = self._find_root()
        self._papers = self._find_papers()

    @property
    def _has_evidence(self) -> bool:
        """Whether there is some to judge, or should be."""
        planned = self._plan is not None and self._plan.evidence is not None
        return planned or EVIDENCE in self._bundle.files

    @property
    def names(self) -> Iterator[str]:
        """The files that are judged here; all papers, where what binds them will be refused."""
        for name in (TICKET, ROOT):
            yield from (name, f"{name}.sig")
        yield from (EVIDENCE, *(f"papers/{each.name}" for each in self._papers))
        if self._has_evidence and not self._papers:
            yield from (name for name in self._bundle.files if name.startswith("papers/"))

    @property
    def missing(self) -> Iterator[str]:
        """What an auditor wants and the evidence does not bind."""
        kinds = {str(each.kind) for each in self._papers}
        wanted = ("sbom", "provenance") if EVIDENCE in self._bundle.files else ()
        yield from (f"{kind}: none is bound" for kind in wanted if kind not in kinds)

    def checks(self) -> Iterator[BundleCheck]:
        """What holds and what does not."""
        plan, files = self._plan, self._bundle.files
        if ROOT in files and (check := self._root_check()):
            yield check
        if TICKET in files or (plan is not None and plan.artifact.ticket is not None):
            yield self._ticket()
        if self._has_evidence:
            yield self._evidence()

    # -- root and ticket ----------------------------------------------------------------------------

    def _find_root(self) -> tuple[Root | None, str]:
        """The root to judge by: the reader's, else the one in the bundle, which must agree with itself."""
        from orchestrator.trust.judge import check_first_root

        if self._root_path is not None:
            return trusted_root(self._root_path), f"by keys of `{self._root_path}`"
        try:
            return check_first_root(self._bundle.data(ROOT), self._bundle.data(f"{ROOT}.sig")), OWN
        except TrustError:
            return None, ""

    def _root_check(self) -> BundleCheck | None:
        """Said only where it is wrong: what it is good for, ticket and evidence say."""
        if self._root_path is None:
            return None if self._root else bad("root", "E163", "it is not signed by its own keys")
        if self._bundle.data(ROOT) == read_bounded(self._root_path, ROOT_BYTES_MAX):
            return None
        return bad("root", "E163", f"the trust root in it is not `{self._root_path}`")

    def _ticket(self) -> BundleCheck:
        from orchestrator.trust.judge import check_signed

        text, signatures = self._bundle.data(TICKET), self._bundle.data(f"{TICKET}.sig")
        planned = None if self._plan is None else self._plan.artifact.ticket
        digests = tuple(hashlib.sha256(each).hexdigest() for each in (text, signatures))
        if self._plan is not None and (
            planned is None or (planned.sha256, planned.signatures_sha256) != digests
        ):
            return bad("ticket", "E162", "it is not the one of the plan")
        if self._root is None:
            return bad("ticket", "E163", "no root to judge its signatures by; name one: `--root`")
        try:
            ticket = check_signed(text, signatures, self._root)
        except TrustError as error:
            return bad("ticket", "E163", f"{error.message} ({error.code})")
        if self._plan is None and ticket.artifact != self._bundle.head.get("artifact"):
            return bad("ticket", "E162", f"it is for `{ticket.artifact}`")
        return BundleCheck("ticket", True, f"serial {ticket.serial}, signed {self._words}")

    # -- evidence -----------------------------------------------------------------------------------

    def _find_papers(self) -> tuple[Reference, ...]:
        """What the statement binds, whoever signed it; nothing where it is not whole."""
        from orchestrator.evidence.dsse import IN_TOTO, read_envelope
        from orchestrator.evidence.references import read_references
        from orchestrator.evidence.rules import Problem
        from orchestrator.evidence.statement import read_statement

        problems: list[Problem] = []
        envelope = read_envelope(self._bundle.data(EVIDENCE), "evidence.json", problems)
        if envelope is None or envelope.payload_type != IN_TOTO:
            return ()
        statement = read_statement(envelope.payload, "evidence", problems)
        found = () if statement is None else read_references(statement)
        return () if problems else found

    def _evidence(self) -> BundleCheck:
        """The statement and the papers that it binds."""
        from orchestrator.evidence.dsse import read_envelope
        from orchestrator.evidence.statement import read_statement
        from orchestrator.trust.attestation import signers_of

        data, plan = self._bundle.data(EVIDENCE), self._plan
        planned = None if plan is None else plan.evidence
        digest = hashlib.sha256(data).hexdigest()
        if planned is not None and planned.statement_sha256 != digest:
            return bad("evidence", "E162", "it is not the one that the plan was judged by")
        envelope = read_envelope(data, "evidence.json", [])
        statement = None if envelope is None else read_statement(envelope.payload, "evidence", [])
        if envelope is None or statement is None or not self._papers:
            return bad("evidence", "E162", "it is no statement that binds papers")
        if not any(self._is_artifact(*subject) for subject in statement.subjects):
            return bad("evidence", "E162", "it is not about the artifact")
        for each in self._papers:
            found = hashlib.sha256(self._bundle.data(f"papers/{each.name}")).hexdigest()
            if found != each.sha256:
                return bad("evidence", "E162", f"`{each.name}` is not what was signed")
        keys, needed, words = self._release_keys()
        signed = signers_of(envelope, keys)
        if len(signed) < needed:
            return bad("evidence", "E163", f"{len(signed)} of {needed} needed keys signed it")
        return BundleCheck("evidence", True, f"{len(self._papers)} papers, signed {words}")

    def _is_artifact(self, name: str, sha256: str) -> bool:
        if self._plan is not None:
            return sha256 == self._plan.artifact.sha256
        return self._bundle.names_artifact(name, sha256)

    def _release_keys(self) -> tuple[tuple[VerificationKey, ...], int, str]:
        """Whose signatures bind evidence: the root's, else those of the reader's own policy."""
        from orchestrator.trust.root import Role

        if self._root is not None:
            root = self._root
            return root.of(Role.RELEASE), root.threshold(Role.RELEASE), self._words
        policy = self._settings.evidence_policy
        if policy is None:
            return (), 1, ""
        found = read_policy_file(policy, self._settings.root, self._settings.root)
        return *release_keys(self._settings, found), f"by keys of `{policy}`"
