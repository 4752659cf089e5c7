"""An entry of the journal as it is, in one line: for whoever wants all of them."""

from __future__ import annotations

from collections.abc import Mapping

from orchestrator.render.text import escape
from orchestrator.render.words import reason_words, state_words
from orchestrator.rollout.events import JournalEntry

DATA_CELLS_MAX = 200  # a signature is longer; `rollout events` as JSON has it whole


def entry_words(entry: JournalEntry) -> str:
    """What the entry says, without its time and whom it is about."""
    data = dict(entry.data)
    if entry.type == "device_read_back":
        return f"read back at the end of the soak{_signed(data)}"
    if entry.type != "device_state":
        rest = " ".join(f"{key}={value}" for key, value in data.items())
        return f"{state_words(entry.type)} {escape(rest, limit=DATA_CELLS_MAX)}".rstrip()
    said = f"{state_words(str(data.get('from', '')))} -> {state_words(str(data.get('to', '')))}"
    if "reason" in data:
        said += f": {reason_words(str(data['reason']), str(data.get('detail', '')))}"
    return said + _signed(data)


def _signed(data: Mapping[str, object]) -> str:
    if "signed" not in data:
        return ""
    return (
        f"; report signed by {escape(str(data['key']))}" if data["signed"] else "; report unsigned"
    )
