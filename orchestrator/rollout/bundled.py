"""What a bundle of evidence says of a rollout beside its journal, and whether the journal says it too.

Laws:
1. The maker writes and the reader judges here, so that both have one form.
2. What the journal has of a device or of the rollout is held against it to the letter. That a wave
   passed, or the rollout ended, is believed of nobody but the journal.
3. What a device ran before, how long it took and whether it may run the new version stand in no
   journal: that is the maker's word, and is not judged.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence

from orchestrator.plan.resolved import ResolvedPlan
from orchestrator.rollout.chain import Written
from orchestrator.rollout.ledger import Ledger
from orchestrator.rollout.states import TERMINAL_ROLLOUT, DeviceState, RolloutState, WaveState

_ANSWERS = ("given", "denied")


def device_lines(led: Ledger) -> str:
    """What became of each device, by name."""
    rows = (
        {
            "device": device,
            "wave": led.waves[record.wave].name,
            "state": str(record.state),
            "reason": str(record.reason),
            "detail": record.detail,
            "since": record.since,
            "attempt": record.attempt,
            "ran_before": record.previous,
            "took_s": record.took_s,
            "may_run_new": record.moved,
        }
        for device, record in sorted(led.devices.items())
    )
    return "\n".join(json.dumps(row, sort_keys=True) for row in rows) + "\n"


def rollout_text(led: Ledger) -> str:
    """What became of the rollout and of each wave."""
    waves = [
        {
            "wave": wave.name,
            "state": str(wave.state),
            "devices": {str(state): count for state, count in wave.counts.items() if count},
        }
        for wave in led.waves
    ]
    document = {"rollout": led.rollout_id, "state": str(led.state), "waves": waves}
    return json.dumps(document, indent=2) + "\n"


def answer_files(entries: Iterable[Written]) -> Iterator[tuple[str, str]]:
    """Each answer of a person as files, by name; a signed one with its statement and signature."""
    for written in entries:
        data = json.loads(written.data) if written.type == "approval" else {}
        if data.get("what") not in _ANSWERS:
            continue
        name = f"approvals/{written.seq:06}"
        document = {**data, "seq": written.seq, "at": written.at, "wave": written.wave}
        yield f"{name}.json", json.dumps(document, indent=2, sort_keys=True) + "\n"
        if data.get("statement"):
            yield f"{name}.statement", str(data["statement"])
            yield f"{name}.sig", str(data["signature"])


def results_fault(
    plan: ResolvedPlan, entries: Sequence[Written], devices_text: str, rollout: str
) -> str:
    """The first thing in which results differ from a journal and its plan; empty for none.

    Args:
        plan: the one that the journal began with.
        entries: the journal, whole.
        devices_text: as `device_lines` writes it.
        rollout: as `rollout_text` writes it.
    """
    try:
        rows = [json.loads(line) for line in devices_text.splitlines()]
        document = json.loads(rollout)
        return next(_faults(plan, _Told(plan, entries), rows, document), "")
    except (ValueError, KeyError, TypeError, AttributeError):
        return "they cannot be read"


class _Told:
    """What a journal says in the end."""

    def __init__(self, plan: ResolvedPlan, entries: Iterable[Written]) -> None:
        pending = {"state": str(DeviceState.PENDING), "reason": "ok", "detail": "", "attempt": 0}
        self.devices: dict[str, Mapping[str, object]] = dict.fromkeys(plan.devices, pending)
        self.waves: dict[str, str] = {}
        self.ended = ""
        for entry in entries:
            data = json.loads(entry.data)
            match entry.type:
                case "devices_joined":
                    self.devices |= dict.fromkeys(data["devices"], pending)
                case "device_state":
                    self.devices[entry.device] = {
                        "state": data["to"],
                        "reason": data.get("reason", "ok"),
                        "detail": data.get("detail", ""),
                        "attempt": data["attempt"],
                        "since": entry.at,
                        "wave": entry.wave,
                    }
                case "wave_done":
                    self.waves[entry.wave] = data["state"]
                case "rollback_started":
                    self.ended = ""
                case "rollout_done":
                    self.ended = data["state"]


def _faults(
    plan: ResolvedPlan,
    told: _Told,
    rows: Sequence[Mapping[str, object]],
    document: Mapping[str, object],
) -> Iterator[str]:
    if sorted(str(row["device"]) for row in rows) != sorted(told.devices):
        yield "they are not about each device of the rollout once"
    for row in rows:
        for key, value in told.devices[str(row["device"])].items():
            if row[key] != value:
                yield f"`{row['device']}`: {key} is not what the journal says"
    state = RolloutState(str(document["state"]))
    if (state in TERMINAL_ROLLOUT or told.ended) and state != told.ended:
        yield f"the rollout is `{state}`, which the journal does not say"
    waves = document["waves"]
    names = [one.name for one in plan.waves]
    if not isinstance(waves, list) or [one["wave"] for one in waves] != names:
        yield "they are not about the waves of the plan"
    else:
        yield from _faults_of_waves(told, rows, waves)


def _faults_of_waves(
    told: _Told,
    rows: Sequence[Mapping[str, object]],
    waves: Sequence[Mapping[str, object]],
) -> Iterator[str]:
    for one in waves:
        name, state = str(one["wave"]), WaveState(str(one["state"]))
        if one["devices"] != Counter(str(row["state"]) for row in rows if row["wave"] == name):
            yield f"wave `{name}`: its counts are not those of its devices"
        if state is WaveState.PASSED and told.waves.get(name) != state:
            yield f"wave `{name}` passed, which the journal does not say"
