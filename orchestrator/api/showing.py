"""Plans that were made before: a saved one, and the stored one of a rollout. No device is asked."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from orchestrator.api.plans import prepared_of
from orchestrator.api.project import read_file
from orchestrator.api.stored import digest_of_stored, load_stored, unreadable
from orchestrator.api.stores import no_rollouts, open_state, rollout_id_of, state_exists
from orchestrator.api.values import Prepared, Settings
from orchestrator.errors import PlanError, Where


@dataclass(frozen=True, slots=True)
class PlanShown:
    """A plan as it was made: of a file, or (`rollout_id`) of a rollout.

    `joined_count` devices joined the rollout since; they are no part of what was previewed.
    """

    prepared: Prepared
    rollout_id: str = ""
    joined_count: int = 0


async def plan_shown(settings: Settings, what: str | None) -> PlanShown:
    """The plan of a saved file, or else of a rollout; however old, and whatever changed since.

    Args:
        settings: the operator's configuration.
        what: a file of `preview --out`, the id of a rollout or its beginning; None for the newest
            rollout. A file wins.

    Raises:
        PlanError: the file is no saved plan, or was edited.
        StoreError: there is no such rollout, or another version wrote it.
    """
    if what is not None and (file := _named_file(what)) is not None:
        return _of_file(settings, file)
    if not state_exists(settings):
        raise no_rollouts()
    async with open_state(settings) as store:
        stored = await load_stored(store, await rollout_id_of(store, what))
    from orchestrator.plan.digest import from_json

    try:
        resolved = from_json(stored.plan_json, file=stored.rollout_id)
    except PlanError as error:
        raise unreadable(stored, error.message) from error
    prepared = prepared_of(settings, resolved, saved=False)
    joined = sum("joiner" in row for row in stored.devices.values())
    known_as = replace(prepared, plan_json=stored.plan_json, digest=digest_of_stored(stored))
    return PlanShown(known_as, stored.rollout_id, joined)


def _named_file(what: str) -> Path | None:
    file = Path(what)
    if file.is_file():
        return file
    if file.suffix == ".plan":
        message = f"there is no file `{what}`"
        raise PlanError(message, hint="rollouts are shown by their id: `rollout status --all`")
    return None


def _of_file(settings: Settings, file: Path) -> PlanShown:
    from orchestrator.plan.envelope import from_saved, is_saved

    data = read_file(file)
    if not is_saved(data):
        message = f"`{file}` is no saved plan"
        hint = "make it again with `--out`"
        if file.suffix != ".plan":
            hint = (
                f"`rollout preview {file}` shows what it would do now, and with `--out` saves that"
            )
        raise PlanError(message, hint=hint, where=Where(str(file)), code="P301")
    return PlanShown(prepared_of(settings, from_saved(data, file=str(file)), saved=True))
