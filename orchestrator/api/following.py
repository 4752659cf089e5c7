"""One look at a followed branch: what it offers, whether that is taken, and which plans it changes.

Laws:
1. Nothing of a commit is read before it was found to descend from the last one and, where that is
   required, to be signed. Nothing that decides whom to trust lies where a commit could change it.
2. What is rolled out is what the commit holds: a work tree with changes of its own is not used.
3. The commit is checked out first and recorded then; whoever dies in between does both again.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from orchestrator.api.asking import join
from orchestrator.api.commits import refuse_uncommitted, signer_of
from orchestrator.api.driving import begin
from orchestrator.api.owners import person
from orchestrator.api.plans import prepare
from orchestrator.api.signers import names_authorities
from orchestrator.api.values import PlanRequest, Prepared, Settings
from orchestrator.errors import ExitCode, OrchestratorError, PlanError, TrustError
from orchestrator.gitops.head import Head, judge
from orchestrator.gitops.plans import Trouble, inputs_digest
from orchestrator.gitops.record import Note, Noted, Record
from orchestrator.outward.failure import OutwardError
from orchestrator.rollout.acts import Act, ActKind, ActTold

if TYPE_CHECKING:
    from orchestrator.outward.git import Checkout
    from orchestrator.plan.resolved import Skipped

NAMES_MAX = 3
PLANS_MAX = 1000  # more is a pattern that matches what are no plans
_SHORT = 12
_ACTS = {
    Noted.TAKEN: ActKind.COMMIT_TAKEN,
    Noted.ACCEPTED: ActKind.COMMIT_ACCEPTED,
    Noted.REFUSED: ActKind.COMMIT_REFUSED,
}


@dataclass(frozen=True, slots=True)
class Following:
    """What a controller follows.

    Attributes:
        url: the repository's address; empty where `checkout` is a work tree with an origin.
        checkout: the work tree that is kept at the branch.
        branch: its name.
        plans: which files are plans, as a pattern seen from the work tree.
        interval_s: from one look to the next.
        accept: the commit to be taken although history was written anew; empty for none.
        untrusted: further places where nothing may lie that says whom to trust.
    """

    url: str
    checkout: Path
    branch: str
    plans: str
    interval_s: float
    accept: str = ""
    untrusted: tuple[Path, ...] = ()

    @property
    def project(self) -> Path:
        """Where the project's configuration is looked for: what the pattern has before any star."""
        parts = PurePosixPath(self.plans).parts[:-1]
        fixed = next((n for n, part in enumerate(parts) if set(part) & set("*?[")), len(parts))
        place = self.checkout.joinpath(*parts[:fixed])
        return place if place.is_dir() else self.checkout


@dataclass(frozen=True, slots=True)
class Looked:
    """What a look found: `refusal` says why the offered commit was not taken."""

    record: Record
    offered: str
    refusal: str = ""


def refuse_own_trust(settings: Settings, following: Following) -> None:
    """Refuses a configuration that leaves to the repository whom to trust.

    Raises:
        TrustError: names the file.
    """
    files = (
        settings.allowed_signers, settings.revoked_signers, settings.trust_root,
        settings.evidence_policy, settings.host_ca, settings.user_ca, settings.audit_key,
        *settings.trusted_keys, *filter(names_authorities, settings.known_hosts),
    )  # fmt: skip
    for place in (following.checkout, *following.untrusted):
        for file in files:
            if file is not None and file.resolve().is_relative_to(place.resolve()):
                message = f"`{file}` lies in the repository that is followed, which would choose whom to trust"
                hint = "keep it where only operators write"
                raise TrustError(message, hint=hint, code="T187")


async def look(
    settings: Settings, following: Following, checkout: Checkout, record: Record
) -> Looked:
    """Fetches the branch and takes its commit where that may be.

    Raises:
        OutwardError: it cannot be fetched, or the work tree is not as git has it.
    """
    await checkout.mend()
    offered = await checkout.fetch()
    await _refuse_changed(checkout)
    taken = record.taken
    descends = bool(taken) and await checkout.descends(offered, taken)
    head = judge(taken=taken, offered=offered, descends=descends, accepted=following.accept)
    signer, refusal = record.signer, ""
    if head is Head.REWRITTEN:
        refusal = f"it does not descend from `{taken[:_SHORT]}`: history was written anew"
        refusal += f"; `--accept-rewrite {offered}` takes it nevertheless"
    elif head is not Head.SAME and settings.require_signed_commit:
        try:
            signer = signer_of(settings, checkout.root, offered).signer
        except TrustError as error:
            refusal = error.message
    if refusal:
        if taken and await checkout.has(taken):
            await _bring(checkout, taken)
        return _refused(record, offered, refusal)
    await _bring(checkout, offered)
    if head is Head.SAME:
        back = record.refused != ""
        return Looked(
            _noted(record, Noted.TAKEN, offered, "as before") if back else record, offered
        )
    what = Noted.ACCEPTED if head is Head.ACCEPTED else Noted.TAKEN
    return Looked(
        _noted(replace(record, taken=offered, signer=signer), what, offered, signer), offered
    )


def plan_files(following: Following) -> tuple[str, ...]:
    """The plans of the work tree, seen from it, in order.

    Raises:
        OutwardError: the pattern leads elsewhere, or matches too many.
    """
    root = following.checkout.resolve()
    pattern = PurePosixPath(following.plans)
    if pattern.is_absolute() or ".." in pattern.parts or not pattern.parts:
        message = f"`{following.plans}` is no pattern within a repository"
        raise OutwardError(message)
    found = sorted(
        str(path.relative_to(root))
        for path in root.glob(str(pattern))
        if path.is_file() or path.is_symlink()
    )
    if len(found) > PLANS_MAX:
        message = f"`{following.plans}` matches more than {PLANS_MAX} files"
        raise OutwardError(message)
    return tuple(found)


def refuse_link(root: Path, file: str) -> None:
    """Refuses a plan that is a link out of the work tree, or to nothing there.

    Raises:
        PlanError: it is one.
    """
    place = Path(os.path.realpath(root / file))  # links in a circle raise nothing here
    if not (place.is_file() and place.is_relative_to(root.resolve())):
        message = f"`{file}` is a link that leads to no file of the repository"
        raise PlanError(message, hint="commit the plan itself")


async def inputs_of(settings: Settings, plan: Path) -> str:
    """One digest of what a plan is resolved from; nobody is asked for it.

    Devices that would join the rollout under way make another one.

    Raises:
        OrchestratorError: the plan cannot be resolved.
    """
    prepared = await _prepared(settings, PlanRequest(plan, offline=True))
    found = prepared.resolved
    inventory = " ".join([found.inventory_sha256, *sorted(prepared.joiners)])
    return inputs_digest(found.plan_sha256, inventory, found.artifact.sha256)


async def start(settings: Settings, plan: Path) -> str:
    """Starts the rollout of a plan, or finds the one under way; empty where nothing is to do.

    Raises:
        OrchestratorError: it may not be started, or cannot; or nothing is to do for those devices
            that can take part, and not all of them can.
    """
    prepared = await _prepared(settings, PlanRequest(plan))
    if prepared.continues is None and prepared.preview.has_changes:
        return await begin(settings, prepared)
    if prepared.continues is None:
        _refuse_left_out(prepared.resolved.skipped)
        return ""
    if prepared.joiners:
        refuse_uncommitted(settings, prepared)
        await join(settings, prepared.continues, prepared.joiners)
    return prepared.continues


def _refuse_left_out(skipped: Sequence[Skipped]) -> None:
    """What nobody has looked at is not as the plan wants it."""
    if not skipped:
        return
    told = _names(f"`{one.device}` ({one.reason})" for one in skipped)
    error = PlanError(f"nothing to do for those that can take part; left out: {told}")
    error.exit_code = ExitCode.PARTIAL
    raise error


async def _prepared(settings: Settings, request: PlanRequest) -> Prepared:
    """The plan, prepared in a thread: artifacts of gigabytes are read, while rollouts are driven here."""
    return await asyncio.to_thread(lambda: asyncio.run(prepare(settings, request)))


def acts_of(before: Record, after: Record) -> tuple[Act, ...]:
    """What was newly noted of the branch's commits, for the journal of acts: each once."""
    known = set(before.notes)
    return tuple(
        Act(
            note.at,
            _ACTS[note.what],
            person(),
            what={
                "source": after.source,
                "branch": after.branch,
                "commit": note.commit,
                **({"detail": note.detail} if note.detail else {}),
            },
        )
        for note in after.notes
        if note.what in _ACTS and note not in known
    )


def refusals(
    record: Record, troubles: Mapping[str, Trouble], known: Iterable[ActTold]
) -> tuple[Act, ...]:
    """Plans of the taken commit that were refused, for the journal of acts: those not known there.

    That devices are away, or were left out, is no refusal.
    """
    said = {tuple(one.what.get(key) for key in ("plan", "commit", "detail")) for one in known}
    where = {"source": record.source, "branch": record.branch}
    return tuple(
        Act(
            time.time(), ActKind.PLAN_REFUSED, person(),
            what={**where, "commit": one.commit, "plan": file, "detail": one.error},
        )
        for file, one in troubles.items()
        if one.exit_code == ExitCode.REFUSED and (file, one.commit, one.error) not in said
    )  # fmt: skip


def words(error: OrchestratorError | OutwardError) -> str:
    """An error in one line, with its place and hint; of several findings the first."""
    if isinstance(error, OutwardError):
        return str(error)
    if isinstance(error, PlanError) and error.diagnostics:
        return str(error.diagnostics[0])
    hint = f" ({error.hint})" if error.hint else ""
    return f"{error.message}{hint}"


def _refused(record: Record, offered: str, detail: str) -> Looked:
    refusal = f"commit `{offered[:_SHORT]}` is not taken: {detail}"
    if record.refused == offered:
        return Looked(record, offered, refusal)
    return Looked(_noted(record, Noted.REFUSED, offered, detail), offered, refusal)


def _noted(record: Record, what: Noted, commit: str, detail: str) -> Record:
    return record.noting(Note(time.time(), what, commit, detail))


async def _bring(checkout: Checkout, commit: str) -> None:
    if await checkout.at() != commit:
        await checkout.take(commit)


async def _refuse_changed(checkout: Checkout) -> None:
    if changed := await checkout.changed():
        message = f"the work tree is not as git has it: {_names(f'`{name}`' for name in changed)}"
        raise OutwardError(message)


def _names(names: Iterable[str]) -> str:
    all_names = list(names)
    more = len(all_names) - NAMES_MAX
    shown = ", ".join(all_names[:NAMES_MAX])
    return shown + (f" and {more} more" if more > 0 else "")
