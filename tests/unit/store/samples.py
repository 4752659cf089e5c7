"""Values that the tests of the store share."""

import json
from pathlib import Path

from orchestrator.engine.ports import Changes
from orchestrator.rollout.events import JournalEntry

REPOSITORY = Path(__file__).parents[3]  # subprocesses run here and so find the package
PLAN = json.dumps(
    {
        "name": "web",
        "plan_sha256": "9" * 64,
        "inventory_sha256": "1" * 64,
        "artifact": {"sha256": "a" * 64},
    }
).encode()


def entry(seq, kind="device_state", **more):
    return JournalEntry(seq, 1000.0 + seq, kind, **more)


def changes(*entries, state="running", devices=None, **more):
    return Changes({"state": state, **more}, devices or {}, entries)
