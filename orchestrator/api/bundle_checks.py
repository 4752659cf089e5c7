"""What a bundle proves, read by somebody who believes neither it nor its maker.

Whose signatures count is the reader's to say: the fleet's root as he has it, and the allowed signers of
his configuration. Where he says none, those in the bundle are taken, and each check says so: then the
bundle agrees with itself, and proves no more.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from orchestrator.api.bundle_release import OWN, Bundle, ReleaseReader, bad
from orchestrator.api.evidence_files import read_bounded
from orchestrator.api.signers import signers
from orchestrator.api.values import Settings
from orchestrator.errors import OrchestratorError, PlanError, TrustError, Where
from orchestrator.render.bundle import BundleCheck, BundleFacts

if TYPE_CHECKING:
    from orchestrator.plan.resolved import ResolvedPlan
    from orchestrator.rollout.audit import Seal
    from orchestrator.rollout.journal_proof import Proven
    from orchestrator.trust.allowed import AllowedSigner
    from orchestrator.trust.revoked import Revoked

PLAN, POLICY = "plan/plan.json", "policy/evidence.toml"
DEVICES, ROLLOUT = "results/devices.jsonl", "results/rollout.json"
JOURNAL, CHECKPOINTS, SIGNERS = "audit/journal.jsonl", "audit/checkpoints", "audit/signers"
_WANTED = ("release/release.ticket", "release/root.txt", "release/evidence.json")
_WANTED_OF_ROLLOUT = (PLAN, DEVICES, ROLLOUT, JOURNAL, CHECKPOINTS, POLICY)


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
        bundle = Bundle(head, files, {each["file"]: each for each in head["masked"]})
        count = sum(int(each.get("count", 0)) for each in head["masked"])
        told = [str(each) for each in head["missing"]]
    except (BundleError, ValueError, KeyError, TypeError, AttributeError) as error:
        message = f"`{path}` is no bundle of evidence: {error}"
        raise PlanError(message, where=Where(str(path)), code="E161") from error
    reader = _Reader(settings, bundle, root or settings.trust_root)
    checks = tuple(reader.checks())
    missing = tuple(dict.fromkeys((*told, *reader.missing())))
    sha256 = hashlib.sha256(data).hexdigest()
    return BundleFacts(str(path), sha256, about, len(files) + 1, checks, missing, count)


def _is_of_audit(namespace: str) -> bool:
    from orchestrator.trust.checkpoint import namespace_of

    return namespace.startswith(namespace_of(""))


class _Reader:
    """Looks at one part after the other; trouble with one hides no other."""

    def __init__(self, settings: Settings, bundle: Bundle, root: Path | None) -> None:
        self._settings = settings
        self._bundle = bundle
        self._proven = self._journal() if bundle.has_rollout else None
        self._plan = self._read_plan() if bundle.has_rollout else None
        self._release = ReleaseReader(settings, bundle, self._plan, root)

    def checks(self) -> Iterator[BundleCheck]:
        """What holds and what does not."""
        yield self._files_check()
        if self._bundle.has_rollout:
            yield self._journal_check()
            yield self._plan_check()
            yield self._results()
            if POLICY in self._bundle.files:
                yield self._policy()
            yield from self._checkpoints()
            yield from self._approvals()
        yield from self._release.checks()

    def missing(self) -> Iterator[str]:
        """What is not in it though an auditor wants it, whether the bundle says so or not."""
        wanted = (*_WANTED, *(_WANTED_OF_ROLLOUT if self._bundle.has_rollout else ()))
        yield from (f"`{name}` is not in it" for name in wanted if name not in self._bundle.files)
        yield from self._release.missing

    def _files_check(self) -> BundleCheck:
        """No file is there that nothing below looks at: it would be taken for one that was judged."""
        names = {"bundle.json", *self._release.names}
        if self._bundle.has_rollout:
            names |= {*_WANTED_OF_ROLLOUT, SIGNERS, *self._named_answers()}
        odd = sorted(self._bundle.files.keys() - names)
        if odd:
            return bad("files", "E162", f"nothing vouches for `{odd[0]}`")
        count = len(self._bundle.files)
        return BundleCheck("files", True, f"all {count} are those of the index")

    # -- journal, plan ------------------------------------------------------------------------------

    def _journal(self) -> Proven | None:
        from orchestrator.rollout.journal_proof import prove

        try:
            return prove(self._bundle.text(JOURNAL).splitlines())
        except ValueError:
            return None

    def _journal_check(self) -> BundleCheck:
        proven = self._proven
        if proven is None:
            return bad("journal", "E162", "there is none that proves itself")
        if proven.fault or proven.rollout_id != self._bundle.head["rollout"]:
            fault = proven.fault or "it is of another rollout"
            return bad("journal", "E162", f"{fault}")
        hidden = ""
        if proven.masked_count:
            hidden = f"; of {proven.masked_count} something is masked: their words prove nothing"
        return BundleCheck("journal", True, f"{proven.seq} entries hang on one another{hidden}")

    def _read_plan(self) -> ResolvedPlan | None:
        from orchestrator.plan.digest import from_json

        try:
            return from_json(self._bundle.data(PLAN), file=PLAN)
        except PlanError:
            return None

    def _plan_check(self) -> BundleCheck:
        proven, plan, head = self._proven, self._plan, self._bundle.head
        digest = hashlib.sha256(self._bundle.data(PLAN)).hexdigest()
        if plan is None or proven is None or proven.plan_sha256 != digest:
            if PLAN in self._bundle.masked:
                return bad("plan", "E164", "something in it is masked, so that it proves nothing")
            return bad("plan", "E162", "it is not the one that the journal began with")
        artifact = plan.artifact
        named = self._bundle.names_artifact(artifact.name, artifact.sha256)
        if not named or head.get("plan_sha256") != digest:
            return bad("plan", "E162", "`bundle.json` names another plan or artifact")
        return BundleCheck("plan", True, f"sha256:{digest}, which the journal began with")

    def _results(self) -> BundleCheck:
        """Devices, waves and the rollout stand where the journal last saw them."""
        from orchestrator.rollout.bundled import results_fault

        proven, plan = self._proven, self._plan
        if proven is None or plan is None:
            return bad("results", "E162", "there is no journal and plan to hold them against")
        if proven.masked_count:
            words = "entries of the journal are masked, and may have been about any of it"
            return bad("results", "E164", words)
        devices, rollout = self._bundle.text(DEVICES), self._bundle.text(ROLLOUT)
        fault = results_fault(plan, proven.entries, devices, rollout)
        if not fault and json.loads(rollout)["state"] != self._bundle.head.get("state"):
            fault = "`bundle.json` says another state"
        if fault:
            return bad("results", "E162", fault)
        count, state = len(devices.splitlines()), self._bundle.head["state"]
        words = f"the rollout is {state}, and {count} devices stand where the journal left them"
        return BundleCheck("results", True, words)

    def _policy(self) -> BundleCheck:
        planned = None if self._plan is None else self._plan.evidence
        digest = hashlib.sha256(self._bundle.data(POLICY)).hexdigest()
        if planned is None or planned.policy_sha256 != digest:
            return bad("policy", "E162", "it is not the one that the plan was judged by")
        return BundleCheck("policy", True, "it is the one that the plan was judged by")

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
        return read_allowed_signers(self._bundle.data(SIGNERS), SIGNERS), Revoked(), OWN

    def _checkpoints(self) -> Iterator[BundleCheck]:
        from orchestrator.trust.checkpoint import Judge

        data, proven = self._bundle.files.get(CHECKPOINTS), self._proven
        if data is None or proven is None:
            yield bad("checkpoints", "E163", "nothing vouches for the end of this journal")
            return
        try:
            allowed, revoked, words = self._sealers()
            head = json.loads(self._bundle.text(JOURNAL).splitlines()[0])
            controller = str(head["controller"])
            fleets = {name.rpartition("@")[2] for one in allowed for name in one.namespaces}
            judge = Judge(controller, sorted(fleets), allowed, revoked)
            seals, findings = judge.judge(data)
        except (OrchestratorError, ValueError, KeyError, IndexError) as error:
            yield bad("checkpoints", "E163", f"{error}")
            return
        why = findings[0].message if findings else _unfit(proven, seals)
        if why:
            yield bad("checkpoints", "E163", f"{why}")
            return
        yield BundleCheck("checkpoints", True, f"the journal's end is signed {words}")

    def _answers(self) -> dict[str, bytes]:
        """The files of people's answers as the journal has them."""
        from orchestrator.evidence.masking import masked
        from orchestrator.rollout.bundled import answer_files

        entries = () if self._proven is None else self._proven.entries
        try:
            return {
                name: (masked(text)[0] if name.endswith(".json") else text).encode()
                for name, text in answer_files(entries)
            }
        except (ValueError, KeyError, AttributeError):  # words that no journal has
            return {}

    def _named_answers(self) -> list[str]:
        return [name for name in self._bundle.files if name.startswith("approvals/")]

    def _approvals(self) -> Iterator[BundleCheck]:
        """Each answer is the journal's; signed ones are judged by the reader's signers as well."""
        expected = self._answers()
        found = {
            name: data for name, data in self._bundle.files.items() if name.startswith("approvals/")
        }
        if found != expected:
            code = "E164" if self._proven is not None and self._proven.masked_count else "E162"
            yield bad("approvals", code, "they are not what the journal says of people's answers")
            return
        names = sorted(name for name in found if name.endswith(".statement"))
        if names and self._settings.allowed_signers is None:
            words = f"{len(names)} signed; who may sign is not known here (`allowed_signers`)"
            yield BundleCheck("approvals", True, words)
        elif names:
            allowed, revoked = signers(self._settings)
            words = f"by signers of `{self._settings.allowed_signers}`"
            for name in names:
                try:
                    who = self._approver(name, allowed, revoked)
                except (TrustError, KeyError, ValueError) as error:
                    yield bad("approvals", "E163", f"`{name}`: {error}")
                else:
                    yield BundleCheck("approvals", True, f"`{name}` is signed by {who}, {words}")

    def _approver(
        self,
        name: str,
        allowed: tuple[AllowedSigner, ...],
        revoked: Revoked,
    ) -> str:
        from orchestrator.plan.digest import digest, digest_of
        from orchestrator.trust.sshsig import signer_of
        from orchestrator.trust.statement import namespace_of, read_statement

        text, plan = self._bundle.files[name], self._plan
        statement = read_statement(text)
        # earlier versions had the digest of the bytes approved
        known = {digest_of(self._bundle.data(PLAN)), plan and digest(plan)}
        if statement.plan_sha256 not in known:
            message = "it approves another plan"
            raise ValueError(message)
        return signer_of(
            text,
            self._bundle.files[name.removesuffix("statement") + "sig"],
            namespace_of(statement.fleet),
            allowed=allowed,
            revoked=revoked,
            now=statement.made_at,
        ).principal


def _unfit(proven: Proven, seals: Sequence[Seal]) -> str:
    """Why checkpoints do not vouch for all of a journal; empty where they do."""
    for head in (seal.head for seal in seals):
        if head.rollout_id != proven.rollout_id:
            return f"one is about the rollout `{head.rollout_id}`"
        if head.seq > proven.seq:
            return f"one has seen entry {head.seq}, and the journal ends with {proven.seq}"
        if head.seq and not proven.has(head.seq, head.hash):
            return f"entry {head.seq} is not the one that was signed"
    if all(seal.head.seq != proven.seq for seal in seals):
        return "none vouches for the end of this journal"
    return ""
