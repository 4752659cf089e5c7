"""What an approver signs: a short text that says of what fleet, plan, devices and wave.

    rollout-approval 1
    fleet acme-prod
    plan-sha256 64 hexadecimal digits
    targets-sha256 64 hexadecimal digits
    wave "broad"
    made 1763812800

Who breaks the glass signs the same with another first line, and a last one that says why:

    rollout-break-glass 1
    ...
    reason "the fleet is under attack"

Laws:
1. The first line says what the text is; the namespace of the signature says it again. No signature
   made for anything else counts as an approval.
2. There is one way to write a statement: what parses is written back as the same bytes.
3. `wave` is the wave's name as JSON in ASCII, or `start` without quotes for the whole rollout.

Source: design "rollout-rules", approvals; "device-and-trust" B.1.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass

from orchestrator.errors import TrustError
from orchestrator.trust.errors import TrustRule, refuse

BYTES_MAX = 4096
START = ""  # the wave of a statement about the whole rollout
_FORM = re.compile(
    rb"rollout-approval 1\nfleet ([A-Za-z0-9][A-Za-z0-9._+-]{0,62})\n"
    rb"plan-sha256 ([0-9a-f]{64})\ntargets-sha256 ([0-9a-f]{64})\n"
    rb"wave (start|\"[ -~]+\")\nmade (0|[1-9][0-9]{0,14})\n"
)
_HEAD, _GLASS_HEAD = "rollout-approval 1\n", "rollout-break-glass 1\n"
_REASON = re.compile(rb"reason (\"[ -~]+\")\n\Z")


@dataclass(frozen=True, slots=True)
class Statement:
    """An approval in words.

    Attributes:
        fleet: the fleet, by its configured name.
        plan_sha256: digest of the resolved plan.
        targets_sha256: digest of which devices stand in which wave.
        wave: which wave may begin; `START` for the rollout itself.
        made_at: when it was made, in whole seconds UTC.
        reason: why the glass is broken; empty for an approval.
    """

    fleet: str
    plan_sha256: str
    targets_sha256: str
    wave: str
    made_at: int
    reason: str = ""

    def text(self) -> str:
        """The bytes that are signed, as text."""
        wave = json.dumps(self.wave) if self.wave else "start"
        reason = f"reason {json.dumps(self.reason)}\n" if self.reason else ""
        return (
            f"{_GLASS_HEAD if reason else _HEAD}"
            f"fleet {self.fleet}\nplan-sha256 {self.plan_sha256}\n"
            f"targets-sha256 {self.targets_sha256}\nwave {wave}\nmade {self.made_at}\n{reason}"
        )


def namespace_of(fleet: str) -> str:
    """The namespace in which approvals of a fleet are signed."""
    return f"rollout-plan@{fleet}"


def read_statement(data: bytes) -> Statement:
    """A statement from its bytes.

    Raises:
        TrustError: it is not one, or not written as one.
    """
    last = _REASON.search(data) if len(data) <= BYTES_MAX else None
    body = data if last is None else data[: last.start()]
    if last is not None and body.startswith(_GLASS_HEAD.encode()):
        body = body.replace(_GLASS_HEAD.encode(), _HEAD.encode(), 1)
    match = _FORM.fullmatch(body) if len(data) <= BYTES_MAX else None
    if match is None:
        raise _no_statement()
    fleet, plan, targets, wave, made = (part.decode("ascii") for part in match.groups())
    try:
        name = START if wave == "start" else json.loads(wave)
        reason = "" if last is None else json.loads(last[1])
    except ValueError as error:
        raise _no_statement() from error
    statement = Statement(fleet, plan, targets, name, int(made), reason)
    if statement.text().encode() != data:
        raise _no_statement()
    return statement


def _no_statement() -> TrustError:
    hint = "`rollout approve ROLLOUT --print` writes the text to sign; hand it over unchanged"
    return refuse(TrustRule.STATEMENT, "this is no approval", hint=hint)
