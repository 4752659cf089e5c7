"""The last words of `apply`: what is so now, why, what was not touched, and what to do next."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from orchestrator.device.model import DeviceId
from orchestrator.device.reason import Reason
from orchestrator.errors import ExitCode
from orchestrator.render.board import Board, DeviceLine, WaveLine
from orchestrator.render.lines import progress_words
from orchestrator.render.names import fold_line
from orchestrator.render.text import Look, Style, Symbol, cells, escape, number, pad, plural, wrap
from orchestrator.render.words import (
    WAVE_SIGNS,
    reason_words,
    span,
    state_words,
    wave_words,
)
from orchestrator.rollout.states import (
    COUNTED,
    TERMINAL_ROLLOUT,
    DeviceState,
    RolloutState,
    WaveState,
)

CAUSES_MAX = 5
_PURPOSES: Mapping[str, str] = {
    "device check": "look at one of them",
    "resume": "go on",
    "retry": "try the failed devices again",
    "rollback": "take the updated devices back",
    "abort": "end it here",
    "approve": "approve what it waits for",
    "promote": "end the wait of this wave",
    "halt": "stop it",
    "pause": "start no further device",
    "status": "the whole picture",
    "events": "everything that happened, in order",
}
_NOT_STARTED = frozenset({WaveState.PENDING, WaveState.SKIPPED_EMPTY})
_UNKNOWN = frozenset({DeviceState.LOST, DeviceState.ROLLBACK_FAILED, DeviceState.UNCERTAIN})
NAMES_CELLS_MAX = 60
_EXIT_WORDS: Mapping[int, str] = {
    ExitCode.DONE: "done",
    ExitCode.PARTIAL: "done, with exceptions within tolerance",
    ExitCode.HALTED: "halted",
    ExitCode.ROLLED_BACK: "halted and rolled back: no device of the rollout runs the new version",
    ExitCode.NEEDS_HUMAN: "needs a human: a rollback failed or a device's state is unknown",
    ExitCode.WAITING: "waiting",
    ExitCode.INTERRUPTED: "interrupted; the rollout is saved",
    ExitCode.TERMINATED: "terminated; the rollout is saved",
}
_HEADS: Mapping[RolloutState, tuple[str, Style, Symbol]] = {
    RolloutState.SUCCEEDED: ("SUCCEEDED", Style.GOOD, Symbol.DONE),
    RolloutState.SUCCEEDED_WITH_EXCEPTIONS: (
        "SUCCEEDED WITH EXCEPTIONS",
        Style.WARN,
        Symbol.WARNING,
    ),
    RolloutState.HALTED: ("HALTED", Style.BAD, Symbol.FAILED),
    RolloutState.ROLLED_BACK: ("ROLLED BACK", Style.BAD, Symbol.FAILED),
    RolloutState.FAILED: ("FAILED", Style.BAD, Symbol.FAILED),
    RolloutState.ABORTED: ("ABORTED", Style.WARN, Symbol.WARNING),
    RolloutState.PAUSED: ("PAUSED", Style.WARN, Symbol.WARNING),
    RolloutState.CATCHING_UP: ("CATCHING UP", Style.ACCENT, Symbol.RUNNING),
    RolloutState.RUNNING: ("RUNNING", Style.ACCENT, Symbol.RUNNING),
}

_ALL_WAVES = frozenset({RolloutState.SUCCEEDED, RolloutState.CATCHING_UP})


@dataclass(frozen=True, slots=True)
class Cause:
    """Devices with the same trouble. `detail` is untrusted, of the first of them.

    `first_s` counts from the start of the rollout; `None` where the journal was not read.
    """

    reason: str
    detail: str
    devices: tuple[str, ...]
    first_s: float | None


def summary(board: Board, exit_code: int, look: Look) -> list[str]:
    """Lines of the final summary, for a terminal or a log."""
    lines = head(board, look)
    if exit_code:
        words = f"exit code {exit_code}: {_EXIT_WORDS.get(exit_code, 'see the journal')}"
        lines += wrap(words, look.width, first="  ", indent="    ")
    return [*lines, *picture(board, look)]


def picture(board: Board, look: Look, *, here: str = "") -> list[str]:
    """Waves, causes, what was not touched, and what may be done now.

    `here` is the command that shows this, which is not recommended again.
    """
    lines = _waves(board, look)
    causes = grouped_causes(board)
    if causes:
        lines += ["", *_causes(causes, look)]
    lines += ["", *_untouched(board, look), *_left_out(board, look), *_next(board, look, here)]
    return lines


def grouped_causes(board: Board) -> list[Cause]:
    """Trouble grouped by reason and words, the most frequent first."""
    groups: dict[tuple[str, str], list[DeviceLine]] = {}
    for line in board.trouble.values():
        groups.setdefault((line.reason, line.detail), []).append(line)
    causes = [
        Cause(
            reason,
            detail,
            tuple(line.name for line in lines),
            _first_s(lines, board.started_at),
        )
        for (reason, detail), lines in groups.items()
    ]
    return sorted(causes, key=lambda cause: (-len(cause.devices), cause.first_s or 0.0))


def _first_s(lines: Sequence[DeviceLine], started_at: float) -> float | None:
    known = [at for line in lines if (at := line.troubled_at or line.since)]
    return max(0.0, min(known) - started_at) if known else None


def head(board: Board, look: Look) -> list[str]:
    """What the rollout is now, in capitals, and what stopped it."""
    word, style, symbol = _HEADS.get(
        board.state, (state_words(board.state).upper(), Style.WARN, Symbol.WARNING)
    )
    if board.state is RolloutState.ROLLED_BACK and board.causes:
        word = "HALTED AND ROLLED BACK"
    if board.state is RolloutState.RUNNING and not board.attended:
        word, style, symbol = "INTERRUPTED", Style.WARN, Symbol.WARNING
    where = ""
    if board.current and board.state not in _ALL_WAVES:
        where = f" in {wave_words(board.current)}"
    title = f"{look.sign(symbol)} {word}"
    artifact = escape(board.plan.artifact.name, limit=60)
    rest = f" {artifact} ({board.rollout_id}){where} after {span(board.elapsed_s)}"
    lines = [look.paint(title, style) + rest]
    if cells(title + rest) > look.width:
        lines = [look.paint(title, style), *wrap(rest.strip(), look.width, first="  ", indent="  ")]
    for cause, detail in board.causes.items():
        why = ": ".join(part for part in (state_words(cause), escape(detail)) if part)
        lines += wrap(why, look.width, first="  ", indent="    ")
    return lines


def _waves(board: Board, look: Look) -> list[str]:
    waves = list(board.waves.values())
    idle = _idle(waves, board.current)
    started = [wave for wave in waves if wave not in idle]
    width = max((cells(escape(wave.name)) for wave in started), default=0)
    lines = [_wave(wave, width, look) for wave in started]
    if idle:
        names = ", ".join(escape(wave.name) for wave in idle)
        count = sum(wave.total for wave in idle)
        text = f"{names}: never started ({plural(count, 'device')})"
        lines += wrap(text, look.width, first=f"  {look.sign(Symbol.WAITING)} ", indent="    ")
    return lines


def _idle(waves: Sequence[WaveLine], current: str) -> list[WaveLine]:
    """Waves that never started; a cancelled one did, unless it comes after the present one."""
    place = next((i for i, wave in enumerate(waves) if wave.name == current), -1)
    return [
        wave
        for i, wave in enumerate(waves)
        if wave.state in _NOT_STARTED or (wave.state is WaveState.CANCELLED and i > place)
    ]


def _wave(wave: WaveLine, width: int, look: Look) -> str:
    symbol, style = WAVE_SIGNS[wave.state]
    name = pad(escape(wave.name), width)
    return f"  {look.paint(look.sign(symbol), style)} {name}  {progress_words(wave)}"


def _causes(causes: Sequence[Cause], look: Look) -> list[str]:
    lines = [look.paint(f"Why ({plural(len(causes), 'cause')})", Style.BOLD)]
    for cause in causes[:CAUSES_MAX]:
        names = fold_line(cause.devices, min(NAMES_CELLS_MAX, look.width - 10), look)
        count = f"{number(len(cause.devices))}{look.sign(Symbol.TIMES)}"
        text = f"{count} {names}: {reason_words(cause.reason, cause.detail)}"
        seen = "" if cause.first_s is None else f" (first after {span(cause.first_s)})"
        lines += wrap(text + seen, look.width, first="  ", indent="     ")
    if len(causes) > CAUSES_MAX:
        lines.append(f"  {look.sign(Symbol.ELLIPSIS)} {len(causes) - CAUSES_MAX} more")
    return lines


def _untouched(board: Board, look: Look) -> list[str]:
    if board.state is RolloutState.SUCCEEDED:
        run = board.proven + board.unchanged
        text = f"{number(run)} of {plural(board.total, 'device')} run the new version."
        return [look.paint(text, Style.GOOD)]
    parts = [f"{_were(board.untouched)} never touched"] if board.untouched else []
    for name, count in _returned(board).items():
        parts.append(f"{_are(count)} back on {name}")
    unproven = sum(line.reason == Reason.UNPROVEN for line in board.trouble.values())
    if unproven:
        parts.append(f"{_are(unproven)} back, but not proven well there")
    unknown = sum(line.state in _UNKNOWN for line in board.trouble.values()) - unproven
    if unknown:
        parts.append(f"{_are(unknown)} in an unknown state")
    noun, it = "device", "the new version"
    if board.unchanged:  # nothing was done to them, and they run it all the same
        parts.append(f"{plural(board.unchanged, 'device')} ran the new version already")
        noun, it = "other device", "it"
    new = plural(board.on_new, noun) if board.on_new else f"no {noun}"
    parts.append(f"{new} {'runs' if board.on_new <= 1 else 'run'} {it}")
    return wrap("; ".join(parts) + ".", look.width)


def _left_out(board: Board, look: Look) -> list[str]:
    """Devices that the plan chose and the preview left out: a success that is none for them."""
    found: dict[str, list[str]] = {}
    for skipped in board.plan.skipped:
        found.setdefault(skipped.reason, []).append(skipped.device)
    lines: list[str] = []
    for reason, names in found.items():
        shown = fold_line(names, min(NAMES_CELLS_MAX, look.width - 10), look)
        text = f"{_were(len(names))} left out of the plan ({reason_words(reason)}): {shown}"
        lines += wrap(text, look.width)
    return lines


def _were(count: int) -> str:
    return f"{plural(count, 'device')} {'was' if count == 1 else 'were'}"


def _are(count: int) -> str:
    return f"{plural(count, 'device')} {'is' if count == 1 else 'are'}"


def _returned(board: Board) -> Counter[str]:
    """Artifacts that rolled back devices run again, as the plan knew them."""
    found: Counter[str] = Counter()
    for line in board.trouble.values():
        if line.state is DeviceState.ROLLED_BACK:
            current = board.plan.devices[DeviceId(line.name)].current
            found[escape(current, limit=60) if current else "what ran before"] += 1
    return found


def _next(board: Board, look: Look, here: str) -> list[str]:
    run = board.rollout_id
    told = board.next_commands if board.attended else ()
    commands = list(told) or _fallback(board)
    device = next((name for name, line in board.trouble.items() if line.state in COUNTED), None)
    if device is not None:
        commands.insert(0, f"rollout device check {_shell(device)}")
    looks = (f"rollout status {run}", f"rollout events {run}")  # they come last, in this order
    commands = [command for command in commands if command not in looks]
    if here != "status":
        commands.append(f"rollout status {run}")
    commands.append(f"rollout events {run} --format text")
    width = max(len(command) for command in commands)
    lines = [look.paint("Next", Style.BOLD)]
    for command in commands:
        why = next((words for verb, words in _PURPOSES.items() if f" {verb} " in command), "")
        line = f"  {pad(command, width)}  "
        fits = why and cells(line + why) <= look.width
        lines.append(line + look.paint(why, Style.DIM) if fits else line.rstrip())
    return lines


def _fallback(board: Board) -> list[str]:
    run = board.rollout_id
    match board.state:
        case RolloutState.HALTED:
            return [f"rollout resume {run} --accept-failures", f"rollout rollback {run}"]
        case state if state in TERMINAL_ROLLOUT:
            return []
        case _:
            return [f"rollout resume {run}"]


def _shell(name: str) -> str:
    """A device's name as a word for a shell; quoted where it holds anything unusual."""
    plain = name.replace("-", "").replace(".", "").replace("_", "")
    if plain.isascii() and plain.isalnum() and not name.startswith("-"):
        return name
    return "'" + escape(name).replace("'", "'\\''") + "'"
