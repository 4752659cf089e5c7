"""What a bundle proves, read by somebody who believes neither it nor its maker.

Whose signatures count is the reader's to say: the fleet's root as he has it, and the allowed signers of
his configuration. Where he says none, those in the bundle are taken, and each check says so: then the
bundle agrees with itself, and proves no more.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from orchestrator.api.evidence_files import read_bounded, read_policy_file, release_keys
from orchestrator.api.signers import signers
from orchestrator.api.signing import trusted_root
from orchestrator.api.values import Settings
from orchestrator.errors import OrchestratorError, PlanError, TrustError, Where
from orchestrator.render.bundle import BundleCheck, BundleFacts

if TYPE_CHECKING:
    from orchestrator.plan.resolved import ResolvedPlan
    from orchestrator.rollout.journal_proof import Proven
    from orchestrator.trust.allowed import AllowedSigner
    from orchestrator.trust.keys import VerificationKey
    from orchestrator.trust.revoked import Revoked
    from orchestrator.trust.root import Root

_OWN = "by keys that the bundle itself brings"


def _bad(what: str, code: str, words: str) -> BundleCheck:
    return BundleCheck(what, False, words, code)


def bundle_verify(settings: Settings, path: Path, root: Path | None) -> BundleFacts:
    """Judges a bundle.

    Args:
        settings: the reader's configuration; its allowed signers vouch for journals and approvals.
        path: the bundle.
        root: the fleet's trust root as the reader has it; the configuration's if None.

    Raises:
        PlanError: it is no bundle, or not the one that was made.
        TrustError: the reader's own root or lists cannot be read.
    """
    from orchestrator.evidence.bundle import BUNDLE_BYTES_MAX, BundleError, read_bundle

    data = read_bounded(path, BUNDLE_BYTES_MAX)
    try:
        files = read_bundle(data)
        head = json.loads(files["bundle.json"])
        about = f"{head['artifact']}" if "rollout" not in head else f"rollout {head['rollout']}"
        masked = {each["file"]: each for each in head["masked"]}
        missing = _absent(head, files)
    except (BundleError, ValueError, KeyError, TypeError) as error:
        message = f"`{path}` is no bundle of evidence: {error}"
        raise PlanError(message, where=Where(str(path)), code="E161") from error
    reader = _Reader(settings, files, masked, root or settings.trust_root)
    checks = [BundleCheck("files", True, f"all {len(files)} are those of the index")]
    checks += reader.checks(head)
    count = sum(int(each.get("count", 0)) for each in masked.values())
    sha256 = hashlib.sha256(data).hexdigest()
    return BundleFacts(str(path), sha256, about, len(files) + 1, tuple(checks), missing, count)


def _is_of_audit(namespace: str) -> bool:
    from orchestrator.trust.checkpoint import namespace_of

    return namespace.startswith(namespace_of(""))


def _has_ticket(plan: ResolvedPlan | None) -> bool:
    return plan is not None and plan.artifact.ticket is not None


def _absent(head: Mapping[str, object], files: Mapping[str, bytes]) -> tuple[str, ...]:
    """What is missing: as the bundle says it, and what it does not say."""
    wanted = ["release/release.ticket", "release/root.txt", "release/evidence.json"]
    if "rollout" in head:
        wanted += ["plan/plan.json", "results/devices.jsonl", "audit/journal.jsonl"]
        wanted += ["audit/checkpoints"]
    missing = head["missing"]
    told = [str(each) for each in missing] if isinstance(missing, list) else []
    return (*told, *(f"`{name}` is not in it" for name in wanted if name not in files))


class _Reader:
    """Looks at one part after the other; trouble with one hides no other."""

    def __init__(
        self,
        settings: Settings,
        files: Mapping[str, bytes],
        masked: Mapping[str, object],
        root: Path | None,
    ) -> None:
        self._settings = settings
        self._files = files
        self._masked = masked
        self._root_path = root

    def checks(self, head: Mapping[str, object]) -> Iterator[BundleCheck]:
        """What holds and what does not."""
        root, root_words = self._root()
        plan = None
        if "rollout" in head:
            proven = self._journal()
            plan = self._plan()
            yield self._journal_check(proven, head)
            yield self._plan_check(proven, plan)
            yield self._results(proven, plan)
            yield from self._checkpoints(proven)
            yield from self._approvals(plan)
        if "release/release.ticket" in self._files or _has_ticket(plan):
            yield self._ticket(root, root_words, plan)
        if "release/evidence.json" in self._files or (plan is not None and plan.evidence):
            sha256 = plan.artifact.sha256 if plan else str(head.get("artifact_sha256", ""))
            yield self._evidence(root, root_words, plan, sha256)

    def _text(self, name: str) -> str:
        return self._files.get(name, b"").decode("utf-8", "replace")

    # -- journal, plan ------------------------------------------------------------------------------

    def _journal(self) -> Proven | None:
        from orchestrator.rollout.journal_proof import prove

        try:
            return prove(self._text("audit/journal.jsonl").splitlines())
        except ValueError:
            return None

    def _journal_check(self, proven: Proven | None, head: Mapping[str, object]) -> BundleCheck:
        if proven is None:
            return _bad("journal", "E162", "there is none that proves itself")
        if proven.fault or proven.rollout_id != head["rollout"]:
            fault = proven.fault or "it is of another rollout"
            return _bad("journal", "E162", f"{fault}")
        hidden = ""
        if proven.masked_count:
            hidden = f"; of {proven.masked_count} something is masked: their words prove nothing"
        return BundleCheck("journal", True, f"{proven.seq} entries hang on one another{hidden}")

    def _plan(self) -> ResolvedPlan | None:
        from orchestrator.plan.digest import from_json

        try:
            return from_json(self._files.get("plan/plan.json", b""), file="plan/plan.json")
        except PlanError:
            return None

    def _plan_check(self, proven: Proven | None, plan: ResolvedPlan | None) -> BundleCheck:
        data = self._files.get("plan/plan.json", b"")
        if "plan/plan.json" in self._masked:
            return BundleCheck("plan", True, "something in it is masked, so that it proves nothing")
        digest = hashlib.sha256(data).hexdigest()
        if plan is None or proven is None or proven.plan_sha256 != digest:
            return _bad("plan", "E162", "it is not the one that the journal began with")
        return BundleCheck("plan", True, f"sha256:{digest}, which the journal began with")

    def _results(self, proven: Proven | None, plan: ResolvedPlan | None) -> BundleCheck:
        """Each device stands where the journal last saw it."""
        try:
            lines = map(json.loads, self._text("results/devices.jsonl").splitlines())
            told = {str(each["device"]): str(each["state"]) for each in lines}
        except (ValueError, KeyError, TypeError):
            told = {}
        states = {} if proven is None else proven.states
        expected = {device: states.get(device, "pending") for device in told}
        devices = set() if plan is None else set(plan.devices)
        if proven is None or told != expected or not devices | states.keys() <= told.keys():
            return _bad("results", "E162", "they are not what the journal says of the devices")
        return BundleCheck(
            "results", True, f"{len(told)} devices stand where the journal left them"
        )

    # -- people -------------------------------------------------------------------------------------

    def _sealers(self) -> tuple[tuple[AllowedSigner, ...], Revoked, str]:
        """Whose checkpoints count: those that the reader names for them, else the bundle's own."""
        from orchestrator.trust.allowed import read_allowed_signers
        from orchestrator.trust.revoked import Revoked

        if self._settings.allowed_signers is not None:
            listed, revoked = signers(self._settings)
            named = tuple(one for one in listed if any(map(_is_of_audit, one.namespaces)))
            if named:
                return named, revoked, f"by signers of `{self._settings.allowed_signers}`"
        name = "audit/signers"
        return read_allowed_signers(self._files.get(name, b""), name), Revoked(), _OWN

    def _checkpoints(self, proven: Proven | None) -> Iterator[BundleCheck]:
        from orchestrator.trust.checkpoint import Judge

        data = self._files.get("audit/checkpoints")
        if data is None or proven is None:
            yield _bad("checkpoints", "E163", "nothing vouches for the end of this journal")
            return
        try:
            allowed, revoked, words = self._sealers()
            head = json.loads(self._text("audit/journal.jsonl").splitlines()[0])
            controller = str(head["controller"])
            fleets = {name.rpartition("@")[2] for one in allowed for name in one.namespaces}
            judge = Judge(controller, sorted(fleets), allowed, revoked)
            seals, findings = judge.judge(data)
        except (OrchestratorError, ValueError, KeyError, IndexError) as error:
            yield _bad("checkpoints", "E163", f"{error}")
            return
        ends = [seal for seal in seals if seal.head.seq == proven.seq]
        if findings or not ends or any(seal.head.hash != proven.hash for seal in ends):
            why = findings[0].message if findings else "none vouches for the end of this journal"
            yield _bad("checkpoints", "E163", f"{why}")
            return
        yield BundleCheck("checkpoints", True, f"the journal's end is signed {words}")

    def _approvals(self, plan: ResolvedPlan | None) -> Iterator[BundleCheck]:
        """Signed approvals; others are what the journal says of them."""
        names = sorted(name for name in self._files if name.endswith(".statement"))
        if names and self._settings.allowed_signers is None:
            words = f"{len(names)} signed; who may sign is not known here (`allowed_signers`)"
            yield BundleCheck("approvals", True, words)
        elif names:
            allowed, revoked = signers(self._settings)
            words = f"by signers of `{self._settings.allowed_signers}`"
            for name in names:
                try:
                    who = self._approver(name, plan, allowed, revoked)
                except (TrustError, KeyError, ValueError) as error:
                    yield _bad("approvals", "E163", f"`{name}`: {error}")
                else:
                    yield BundleCheck("approvals", True, f"`{name}` is signed by {who}, {words}")

    def _approver(
        self,
        name: str,
        plan: ResolvedPlan | None,
        allowed: tuple[AllowedSigner, ...],
        revoked: Revoked,
    ) -> str:
        from orchestrator.plan.digest import digest, digest_of
        from orchestrator.trust.sshsig import signer_of
        from orchestrator.trust.statement import namespace_of, read_statement

        text = self._files[name]
        statement = read_statement(text)
        # earlier versions had the digest of the bytes approved
        known = {digest_of(self._files.get("plan/plan.json", b"")), plan and digest(plan)}
        if statement.plan_sha256 not in known:
            message = "it approves another plan"
            raise ValueError(message)
        return signer_of(
            text,
            self._files[name.removesuffix("statement") + "sig"],
            namespace_of(statement.fleet),
            allowed=allowed,
            revoked=revoked,
            now=statement.made_at,
        ).principal

    # -- release ------------------------------------------------------------------------------------

    def _root(self) -> tuple[Root | None, str]:
        """The root to judge by: the reader's, else the one in the bundle, which must agree with itself."""
        from orchestrator.trust.judge import check_first_root

        if self._root_path is not None:
            return trusted_root(self._root_path), f"by keys of `{self._root_path}`"
        files = [self._files.get(f"release/{name}") for name in ("root.txt", "root.txt.sig")]
        try:
            text, signatures = files
            if text is None or signatures is None:
                return None, ""
            return check_first_root(text, signatures), _OWN
        except TrustError:
            return None, ""

    def _ticket(self, root: Root | None, words: str, plan: ResolvedPlan | None) -> BundleCheck:
        from orchestrator.trust.judge import check_signed

        names = ("release/release.ticket", "release/release.ticket.sig")
        text, signatures = (self._files.get(name, b"") for name in names)
        planned = None if plan is None else plan.artifact.ticket
        digests = tuple(hashlib.sha256(each).hexdigest() for each in (text, signatures))
        if plan is not None and (
            planned is None or (planned.sha256, planned.signatures_sha256) != digests
        ):
            return _bad("ticket", "E162", "it is not the one of the plan")
        if root is None:
            return _bad("ticket", "E163", "no root to judge its signatures by; name one: `--root`")
        try:
            ticket = check_signed(text, signatures, root)
        except TrustError as error:
            return _bad("ticket", "E163", f"{error.message} ({error.code})")
        return BundleCheck("ticket", True, f"serial {ticket.serial}, signed {words}")

    def _evidence(
        self, root: Root | None, words: str, plan: ResolvedPlan | None, sha256: str
    ) -> BundleCheck:
        """The statement and the papers that it binds."""
        from orchestrator.evidence.dsse import read_envelope
        from orchestrator.evidence.references import read_references
        from orchestrator.evidence.rules import Problem
        from orchestrator.evidence.statement import read_statement
        from orchestrator.trust.attestation import signers_of

        data = self._files.get("release/evidence.json", b"")
        planned = None if plan is None else plan.evidence
        digest = hashlib.sha256(data).hexdigest()
        if planned is not None and planned.statement_sha256 != digest:
            return _bad("evidence", "E162", "it is not the one that the plan was judged by")
        problems: list[Problem] = []
        envelope = read_envelope(data, "evidence.json", problems)
        statement = (
            None if envelope is None else read_statement(envelope.payload, "evidence", problems)
        )
        if envelope is None or statement is None or not statement.is_about(sha256):
            return _bad("evidence", "E162", "it is not about the artifact")
        papers = read_references(statement)
        for each in papers:
            found = hashlib.sha256(self._files.get(f"papers/{each.name}", b"")).hexdigest()
            if found != each.sha256:
                return _bad("evidence", "E162", f"`{each.name}` is not what was signed")
        keys, needed, words = self._release_keys(root, words)
        signed = signers_of(envelope, keys)
        if len(signed) < needed:
            return _bad("evidence", "E163", f"{len(signed)} of {needed} needed keys signed it")
        return BundleCheck("evidence", True, f"{len(papers)} papers, signed {words}")

    def _release_keys(
        self, root: Root | None, words: str
    ) -> tuple[tuple[VerificationKey, ...], int, str]:
        """Whose signatures bind evidence: the root's, else those of the reader's own policy."""
        from orchestrator.trust.root import Role

        if root is not None:
            return root.of(Role.RELEASE), root.threshold(Role.RELEASE), words
        policy = self._settings.evidence_policy
        if policy is None:
            return (), 1, ""
        found = read_policy_file(policy, self._settings.root, self._settings.root)
        return *release_keys(self._settings, found), f"by keys of `{policy}`"
