"""A notice as a CloudEvent: what webhooks and commands get.

Source: CloudEvents 1.0, JSON event format, structured mode.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime

from orchestrator.rollout.notices import Notice

CONTENT_TYPE = "application/cloudevents+json; charset=utf-8"
TYPE = "rollout-orchestrator.rollout."  # and the event's name
DATA_SCHEMA = "urn:rollout-orchestrator:schema:hook:v1"


def source_of(controller_id: str) -> str:
    """Which controller tells: one per state store, so that `source` and `id` identify an event."""
    return f"urn:rollout-orchestrator:controller:{controller_id}"


def cloud_event(notice: Notice, source: str) -> bytes:
    """The event in ASCII; the same bytes whenever it is made."""
    return json.dumps(
        {
            "specversion": "1.0",
            "id": notice.id,
            "source": source,
            "type": TYPE + notice.event.value,
            "subject": notice.rollout_id,
            "time": datetime.fromtimestamp(notice.at, UTC).isoformat().replace("+00:00", "Z"),
            "datacontenttype": "application/json",
            "dataschema": DATA_SCHEMA,
            "data": {
                "event": notice.event.value,
                "plan": notice.plan,
                "release": notice.release,
                "rollout": notice.rollout_id,
                "seq": notice.seq,
                "wave": notice.wave,
                "device": notice.device,
                "devices": notice.devices,
                "counts": dict(notice.counts),
                "reasons": dict(notice.reasons),
                "cause": notice.cause,
                "detail": notice.detail,
                "who": notice.who,
            },
        },
        separators=(",", ":"),
    ).encode("ascii")
