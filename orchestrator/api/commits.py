"""Rollouts from signed commits alone, where the operator's configuration says so.

Laws:
1. What is rolled out is what the signed commit holds: plan, inventory sources, group_vars,
   host_vars and the project's `rollout.toml` are compared with its trees byte by byte. Index,
   attributes, filters and ignore lists of the repository have no say.
2. Who may sign is never read from the repository that holds the plans.
3. A rollout that was stored is vouched for anew before it begins: whoever can write into the
   store can write any commit's name there.
4. Only starts are refused. What is under way goes on, and stopping and going back need no commit.
"""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from orchestrator.api.project import load_inventory
from orchestrator.api.roles import Role, has_role, without_role
from orchestrator.api.signers import refuse_inside, signers
from orchestrator.api.values import Prepared, Settings, Source
from orchestrator.errors import TrustError, system_reason

if TYPE_CHECKING:
    from orchestrator.inventory.model import Inventory
    from orchestrator.plan.resolved import PlannedCommit, ResolvedPlan
    from orchestrator.trust.commit import Commit, Files
    from orchestrator.trust.git import Repository

PROJECT_FILE = "rollout.toml"
NAMES_MAX = 5
_HINT = "commit what is to be rolled out, signed: `git -c gpg.format=ssh commit -S`"


def commit_of(settings: Settings, plan: Path, inventory: Inventory) -> PlannedCommit:
    """The commit that is checked out, whose files these are and that an allowed signer signed.

    Raises:
        TrustError: says which of that is not so.
    """
    from orchestrator.trust.commit import Files
    from orchestrator.trust.errors import TrustRule, refuse

    repository = _repository(settings, plan)
    commit = _commit(repository, _head(repository))
    files = Files(commit, repository.read)
    real = plan.resolve()
    if files.entry(_below(repository.root, real)) is None:
        message = f"`{plan}` is not in commit `{_short(commit)}`"
        raise refuse(TrustRule.NOT_COMMITTED, message, hint=_HINT)
    wrong = dict(_differing(files, repository.root, _that_matter(settings, plan, inventory)))
    wrong |= dict(_missing(files, repository.root, inventory))
    if wrong:
        shown = ", ".join(f"`{name}` {why}" for name, why in list(wrong.items())[:NAMES_MAX])
        more = f" and {len(wrong) - NAMES_MAX} more" if len(wrong) > NAMES_MAX else ""
        message = f"the files are not those of commit `{_short(commit)}`: {shown}{more}"
        raise refuse(TrustRule.NOT_CLEAN, message, hint=_HINT)
    return _signed(settings, commit)


def refuse_uncommitted(settings: Settings, prepared: Prepared) -> None:
    """Refuses to start what no signed commit holds, where that is required.

    Raises:
        TrustError: says what is wrong.
    """
    from orchestrator.trust.commit import short
    from orchestrator.trust.errors import TrustRule, refuse

    if not settings.require_signed_commit:
        return
    if prepared.uncommitted is not None:
        raise prepared.uncommitted
    if not prepared.saved:
        return
    resolved = prepared.resolved
    inventory = load_inventory(settings, Source(inventory=resolved.inventory))
    found = commit_of(settings, settings.root / resolved.plan_file, inventory)
    if resolved.commit is None or resolved.commit.id != found.id:
        was = "no signed commit"
        if resolved.commit is not None:
            was = f"commit `{short(resolved.commit.id)}`"
        message = f"the saved plan was made from {was}, and here is commit `{short(found.id)}`"
        hint = "look at it again: `rollout preview PLAN --out FILE`"
        raise refuse(TrustRule.NOT_COMMITTED, message, hint=hint)


def refuse_unvouched(settings: Settings, plan: ResolvedPlan) -> None:
    """Refuses to begin a stored rollout whose commit does not count here and now.

    The commit need not be checked out any more, but the repository has to hold it.

    Raises:
        TrustError: says what is wrong.
    """
    from orchestrator.trust.commit import Files
    from orchestrator.trust.errors import TrustRule, refuse

    if not settings.require_signed_commit:
        return
    if plan.commit is None:
        message = "the rollout was started from no signed commit"
        hint = "abort it, and apply its plan from one"
        raise refuse(TrustRule.NOT_COMMITTED, message, hint=hint)
    path = settings.root / plan.plan_file
    repository = _repository(settings, path)
    commit = _commit(repository, plan.commit.id)
    entry = Files(commit, repository.read).entry(_below(repository.root, path.resolve()))
    data = b"" if entry is None else repository.read("blob", entry.name)
    if hashlib.sha256(data).hexdigest() != plan.plan_sha256:
        message = f"commit `{_short(commit)}` does not hold the plan of the rollout"
        raise refuse(TrustRule.NOT_COMMITTED, message, hint="abort it, and apply its plan anew")
    _signed(settings, commit)


def signer_of(settings: Settings, root: Path, name: str) -> PlannedCommit:
    """Who signed a commit of the repository in `root`, which need not be checked out.

    Raises:
        TrustError: nobody did who may, or the repository could choose who may.
    """
    repository = _repository(settings, root / PROJECT_FILE)
    return _signed(settings, _commit(repository, name))


def _repository(settings: Settings, plan: Path) -> Repository:
    from orchestrator.trust.git import find_repository

    refuse_inside(settings, plan)
    return find_repository(plan)


def _head(repository: Repository) -> str:
    from orchestrator.trust.errors import TrustRule, refuse

    try:
        return repository.head()
    except TrustError as error:
        if error.code != TrustRule.GIT_OBJECT:
            raise
        message = f"`{repository.root}` has no commit that is checked out"
        raise refuse(TrustRule.NOT_COMMITTED, message, hint=_HINT) from error


def _commit(repository: Repository, name: str) -> Commit:
    from orchestrator.trust.commit import read_commit

    return read_commit(name, repository.read("commit", name))


def _signed(settings: Settings, commit: Commit) -> PlannedCommit:
    from orchestrator.plan.resolved import PlannedCommit
    from orchestrator.trust.commit import signer_of_commit

    allowed, revoked = signers(settings)
    signer = signer_of_commit(commit, allowed=allowed, revoked=revoked, now=time.time())
    if not has_role(settings, signer.principal, Role.AUTHOR):
        error = without_role(signer.principal, Role.AUTHOR)
        message = f"commit `{_short(commit)}`: {error.message}"
        raise TrustError(message, hint=error.hint, code=error.code)
    return PlannedCommit(commit.name, signer.principal, signer.fingerprint)


# -- files ------------------------------------------------------------------------------------------


def _that_matter(settings: Settings, plan: Path, inventory: Inventory) -> Iterator[Path]:
    yield plan
    if (settings.root / PROJECT_FILE).exists():
        yield settings.root / PROJECT_FILE
    yield from inventory.files.read


def _differing(files: Files, root: Path, paths: Iterator[Path]) -> Iterator[tuple[str, str]]:
    """What does not stand in the commit as it lies here: name and what is wrong."""
    seen: set[Path] = set()
    for path in paths:
        for place in (*_links(path), path.resolve()):
            if place in seen:
                continue
            seen.add(place)
            if why := _wrong(files, root, place):
                yield _shown(root, place), why


def _links(path: Path) -> Iterator[Path]:
    """Each link on the way to a file: where it leads is the commit's to say as well."""
    for step in (*reversed(path.parents), path):
        if step.is_symlink():
            place = step.parent.resolve() / step.name
            yield place
            yield from _links(place.parent / place.readlink())


def _wrong(files: Files, root: Path, place: Path) -> str:
    from orchestrator.trust.commit import LINK
    from orchestrator.trust.git import object_name

    link = place.is_symlink()
    if not place.is_relative_to(root):
        return "" if link else "lies outside the repository"
    entry = files.entry(_below(root, place))
    if entry is None:
        return "is not committed"
    try:
        # pathlib would write a link in another form than git has it
        data = os.fsencode(os.readlink(place)) if link else place.read_bytes()  # noqa: PTH115
    except OSError as error:
        return f"cannot be read: {system_reason(error)}"
    same = (entry.mode == LINK) is link and object_name("blob", data, len(entry.name)) == entry.name
    return "" if same else "was changed"


def _missing(files: Files, root: Path, inventory: Inventory) -> Iterator[tuple[str, str]]:
    """Files of the commit that the inventory would have, were they not removed here."""
    for place in inventory.files.places:
        real = place.resolve()
        if not real.is_relative_to(root):
            continue
        for found in files.below(_below(root, real)):
            here = root / found
            if not (here.is_file() or here.is_symlink()):
                yield _shown(root, here), "was removed"


def _below(root: Path, place: Path) -> PurePosixPath:
    """A path as the commit writes it; one outside the repository stands in no commit."""
    return PurePosixPath(place.relative_to(root) if place.is_relative_to(root) else place)


def _shown(root: Path, place: Path) -> str:
    text = str(_below(root, place))
    return text if text.isprintable() else ascii(text)[1:-1]


def _short(commit: Commit) -> str:
    from orchestrator.trust.commit import short

    return short(commit.name)
