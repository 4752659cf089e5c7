"""The story that a rollout with a given journal would tell, for tests of how it is shown."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

from orchestrator.device.model import DeviceId
from orchestrator.device.reason import Reason
from orchestrator.errors import ExitCode
from orchestrator.plan.resolved import ResolvedPlan
from orchestrator.render.at_work import DeviceLine
from orchestrator.render.board import Board
from orchestrator.render.standing import Facts
from orchestrator.rollout.events import JournalEntry
from orchestrator.rollout.runs import Runs
from orchestrator.rollout.states import COUNTED, PAST_RETURN, PROVEN, DeviceState, Halt, Pause
from orchestrator.rollout.story import Deferred, Stop, Story, Trouble, WaveStory

_TROUBLED = COUNTED | {DeviceState.DEFERRED, DeviceState.ROLLING_BACK, DeviceState.UNCERTAIN}
_MOVED = PAST_RETURN | PROVEN
_RUNS = {
    **dict.fromkeys(PROVEN, Runs.NEW),
    DeviceState.UNCHANGED: Runs.ALREADY,
    DeviceState.ROLLED_BACK: Runs.BACK,
    DeviceState.FAILED: Runs.SPARED,
    DeviceState.LOST: Runs.UNKNOWN,
    DeviceState.UNCERTAIN: Runs.UNKNOWN,
}


def facts_of(plan: ResolvedPlan, journal: Sequence[JournalEntry], **told: object) -> Facts:
    """What a rollout with this journal would tell of itself; `told` replaces single things."""
    board = Board(plan, "r-7f3a")
    touched, firsts = set(), {}
    for entry in journal:
        board.take((entry,))
        line = board.devices.get(DeviceId(entry.device))
        if line is not None and line.state in _MOVED | COUNTED:
            touched.add(line.name)
        if line is not None and line.reason:
            firsts.setdefault((line.name, line.reason), entry.at)
    lines = tuple(board.devices.values())
    states = Counter(line.state for line in lines)
    groups: dict[tuple[DeviceState, str, str], list[DeviceLine]] = {}
    for line in lines:
        if line.state in _TROUBLED:
            groups.setdefault((line.state, line.reason, line.detail), []).append(line)
    stops = [entry.data for entry in journal if entry.type in ("halted", "paused")]
    story = Story(
        rollout_id="r-7f3a",
        plan=plan.name,
        state=board.state,
        begun=True,
        wave=board.current or plan.waves[0].name,
        stops=tuple(Stop(_cause(str(s["cause"])), str(s["detail"])) for s in stops),
        waves=tuple(
            WaveStory(w.name, w.state, w.total, w.counts, w.counted, w.allowed or 0, 1, 1, None)
            for w in board.waves.values()
        ),
        troubles=tuple(
            Trouble(
                state,
                Reason(reason),
                detail,
                tuple(DeviceId(line.name) for line in lines),
                min(firsts[line.name, reason] for line in lines),
            )
            for (state, reason, detail), lines in groups.items()
        ),
        devices=board.total,
        succeeded=states[DeviceState.SUCCEEDED],
        unchanged=states[DeviceState.UNCHANGED],
        at_work=len(board.at_work.lines),
        runs=Counter(_runs(line.state, line.reason, line.name in touched) for line in lines),
        back_on=Counter(
            plan.devices[line.name].current or ""
            for line in lines
            if line.state is DeviceState.ROLLED_BACK
        ),
        begun_on=0,
        on_new=board.proven,
        excluded=len(plan.skipped),
        deferred=Deferred(0, states[DeviceState.DEFERRED], None, None),
        waits_for=(),
        held_up=(),
        exit_code=ExitCode.WAITING,
        next_commands=(),
        started_at=board.started_at,
        at=board.now,
    )
    return Facts(plan, "e1" * 32, replace(story, **told), "", board.now)


def _runs(state: DeviceState, reason: str, touched: bool) -> Runs:
    if state is DeviceState.ROLLBACK_FAILED:
        return Runs.UNPROVEN if reason == Reason.UNPROVEN else Runs.UNKNOWN
    return _RUNS.get(state, Runs.CHANGING if touched else Runs.UNTOUCHED)


def _cause(text: str) -> Halt | Pause:
    return Halt(text) if text in set(Halt) else Pause(text)
