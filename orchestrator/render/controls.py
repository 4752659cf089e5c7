"""What keys do in a live view, and the lines that say so; the keys themselves are read elsewhere.

Laws:
1. A key that stops anything for good asks first, and only `y` is a yes.
2. A key does what a command does: what comes of it is judged, journalled and told by that.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import Enum, auto

from orchestrator.render.board import Board
from orchestrator.render.text import Look, Style, cells, clip, wrap
from orchestrator.rollout.states import RolloutState

ESCAPE = "\x1b"


class Panel(Enum):
    """What stands in the middle of the view instead of gates, devices and causes."""

    NONE = auto()
    LOGS = auto()
    HELP = auto()


class Deed(Enum):
    """What is to be done."""

    PAUSE = auto()
    RESUME = auto()
    HALT = auto()
    LEAVE = auto()


@dataclass(frozen=True, slots=True)
class Controls:
    """What was pressed so far.

    Attributes:
        panel: what is shown.
        question: waits for a yes.
        notice: what came of the last key.
        drives: the rollout is driven here, so that leaving stops it.
    """

    panel: Panel = Panel.NONE
    question: Deed | None = None
    notice: str = ""
    drives: bool = False


def pressed(controls: Controls, key: str, state: RolloutState) -> tuple[Controls, Deed | None]:
    """The controls after a key, and what is to be done now."""
    key, quiet = key.lower(), replace(controls, notice="")
    if controls.question is not None:
        return _answered(replace(quiet, question=None), controls.question, key)
    if key in _PANELS:
        return _toggled(quiet, _PANELS[key]), None
    if key == ESCAPE:
        return replace(quiet, panel=Panel.NONE), None
    deed = _deed(key, state)
    if deed is Deed.HALT or (deed is Deed.LEAVE and controls.drives):
        return replace(quiet, question=deed), None
    return (controls, None) if deed is None else (quiet, deed)


def _answered(calm: Controls, question: Deed, key: str) -> tuple[Controls, Deed | None]:
    return (calm, question) if key == "y" else (replace(calm, notice="left as it is"), None)


def _deed(key: str, state: RolloutState) -> Deed | None:
    if key == "p":
        return Deed.RESUME if state is RolloutState.PAUSED else Deed.PAUSE
    return {"h": Deed.HALT, "q": Deed.LEAVE}.get(key)


def _toggled(controls: Controls, panel: Panel) -> Controls:
    return replace(controls, panel=Panel.NONE if controls.panel is panel else panel)


_PANELS = {"l": Panel.LOGS, "?": Panel.HELP}
_QUESTIONS = {
    Deed.HALT: "halt {run}? nothing new is started, devices past the point of no return finish",
    Deed.LEAVE: "stop driving {run}? devices in flight finish, and the rollout is saved",
}


def controls_lines(controls: Controls, board: Board, look: Look) -> list[str]:
    """The line of keys, or the question in its place; above it what came of the last key."""
    lines = []
    if controls.notice:
        lines.append(clip(f" {controls.notice}", look.width, look))
    if controls.question is not None:
        asked = _QUESTIONS[controls.question].format(run=board.rollout_id)
        text = f" {clip(asked, look.width - 12, look)}  [y/N]"
        return [*lines, look.paint(text, Style.WARN)]
    verb = "resume" if board.state is RolloutState.PAUSED else "pause"
    keys = (f"p {verb}", "h halt", "l logs", "q leave", "? help")
    rows = (f" {gap.join(keys)}" for gap in ("   ", "  ", " "))
    text = next((line for line in rows if cells(line) <= look.width), " ".join(keys))
    return [*lines, look.paint(clip(text, look.width, look), Style.DIM)]


def help_lines(board: Board, look: Look) -> list[str]:
    """What each key does, and the commands that do the same."""
    run = board.rollout_id
    told = {
        "p": f"pause, or go on: as `rollout pause {run}` and `rollout resume {run}`",
        "h": f"halt, after a question: as `rollout halt {run}`",
        "l": "last events of slow and failed devices; again: away",
        "q": "leave this view: as Ctrl-C",
        "?": "these lines; again: away",
    }
    lines = [look.paint(" keys", Style.DIM)]
    for key, text in told.items():
        lines += wrap(text, look.width, first=f"   {key}  ", indent="      ")
    return lines
