"""What hostile devices do: D01 to D35, each with what has to come of it.

A device that breaks the grammar does so in its delivery, before anything on it changed; one that
lies does so where the lie would gain something.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import asyncssh

from orchestrator.device.reason import Reason
from orchestrator.rollout.states import DeviceState
from orchestrator.testing.release import Lie
from tests.integration import hostile_links as links
from tests.integration import hostile_replies as replies
from tests.integration.served import Way


@dataclass(frozen=True)
class Case:
    """A way, and how the device ends; `quick`: its deadlines are short, and nothing is tried again."""

    way: Way
    state: DeviceState
    reason: Reason
    quick: bool = False


def fails(reason: Reason, way: Way, *, quick: bool = False) -> Case:
    """The device fails before anything on it changed."""
    return Case(way, DeviceState.FAILED, reason, quick)


def passes(way: Way) -> Case:
    """The device is updated all the same."""
    return Case(way, DeviceState.SUCCEEDED, Reason.OK)


def speaks(text: str) -> tuple[Case, ...]:
    """Text that acts on a terminal, in both ways."""
    return (
        fails(Reason.PROTOCOL, replies.raw(text.encode())),
        fails(Reason.INSTALL, replies.worded(text)),
    )


LOST_TRUST = (DeviceState.LOST, Reason.HOST_KEY)
CASES: Mapping[str, tuple[Case, ...]] = {
    "D01-clear-screen": speaks("\x1b[2J\x1b[H"),
    "D02-window-title": speaks("\x1b]0;owned\x07"),
    "D03-clipboard": speaks("\x1b]52;c;cm0gLXJmIH4=\x07"),
    "D04-overwritten-line": speaks("failed\rdone   100 %"),
    "D05-bidi": speaks("\u202egnp.exe\u2066\x9b2J"),
    "D06-markup": (fails(Reason.INSTALL, replies.worded("[bold red]all is well[/] {{7*7}} %s")),),
    "D07-no-utf8": (
        fails(Reason.PROTOCOL, replies.raw(b"\xff\xfe")),
        fails(Reason.INSTALL, replies.encoded(b"%ff%fe%c3")),
    ),
    "D08-endless-stdout": (fails(Reason.PROTOCOL, replies.delivers(replies.endless_stdout)),),
    "D09-endless-stderr": (fails(Reason.PROTOCOL, replies.delivers(replies.endless_stderr)),),
    "D10-drip": (fails(Reason.TIMEOUT, replies.delivers(replies.drip), quick=True),),
    "D11-never-closes": (
        fails(Reason.INSTALL, replies.delivers(replies.ends_without_closing), quick=True),
        fails(Reason.TIMEOUT, replies.delivers(replies.half_without_closing), quick=True),
    ),
    "D12-no-end": (fails(Reason.PROTOCOL, replies.delivers(replies.no_end)),),
    "D13-wrong-end": (fails(Reason.PROTOCOL, replies.delivers(replies.wrong_end)),),
    "D14-talks-on": (fails(Reason.PROTOCOL, replies.delivers(replies.talks_on)),),
    "D15-said-twice": (
        Case(Way(twist=replies.says_twice), DeviceState.ROLLED_BACK, Reason.READ_BACK),
    ),
    "D16-long-value": (fails(Reason.PROTOCOL, replies.delivers(replies.long_value)),),
    "D17-odd-numbers": (
        passes(Way(twist=replies.odd_numbers)),
        fails(Reason.FENCED, replies.fenced_by("\N{SUPERSCRIPT TWO}")),
        fails(Reason.FENCED, replies.fenced_by(replies.DIGITS)),
    ),
    "D18-another-device": (
        Case(Way(twist=replies.of_another), DeviceState.ROLLED_BACK, Reason.READ_BACK),
    ),
    "D19-stale-nonce": (Case(Way(lie=Lie.NONCE), DeviceState.ROLLED_BACK, Reason.PROTOCOL),),
    "D20-other-content": (Case(Way(corrupt=True), DeviceState.ROLLED_BACK, Reason.READ_BACK),),
    "D21-no-boot": (Case(Way(twist=replies.never_boots), DeviceState.ROLLED_BACK, Reason.REBOOT),),
    "D22-state-jump": (fails(Reason.INTERRUPTED, replies.delivers(replies.claims_commit)),),
    "D23-resume-beyond": (fails(Reason.IO, replies.resumes_at(10**9)),),
    "D24-wrong-prefix": (fails(Reason.IO, replies.resumes_at(10)),),
    "D25-always-busy": (fails(Reason.BUSY, replies.delivers(replies.busy)),),
    "D26-other-host-key": (
        Case(Way(links.activates_late, replies.DELIVERY, server=links.ChangesKey), *LOST_TRUST),
    ),
    "D27-banner": (
        fails(Reason.CONNECTION_LOST, Way(stream=links.many_lines)),
        passes(Way(server=links.Banner)),
    ),
    "D28-partial-success": (
        fails(
            Reason.AUTHENTICATION,
            Way(
                greet=links.always_partial,
                options={"authorized_client_keys": asyncssh.import_authorized_keys("")},
            ),
        ),
    ),
    "D29-last-words": (
        fails(Reason.CONNECTION_LOST, replies.delivers(links.hangs_up)),
        fails(Reason.CONNECTION_LOST, Way(server=links.HangsUpAtOnce)),
    ),
    "D30-no-window": (
        fails(
            Reason.TIMEOUT,
            Way(links.takes_nothing, replies.DELIVERY, greet=links.confirms(window=0)),
            quick=True,
        ),
    ),
    "D31-no-packet": (fails(Reason.CONNECTION_LOST, Way(greet=links.confirms(packet=0))),),
    "D32-rekey-storm": (
        fails(
            Reason.TIMEOUT,
            Way(links.keys_anew, replies.DELIVERY, options={"rekey_bytes": 1}),
            quick=True,
        ),
    ),
    "D33-global-requests": (
        passes(Way(server=links.ManyRequests)),
        Case(
            Way(links.activates_late, replies.DELIVERY, server=links.ManyRequestsThenOther),
            *LOST_TRUST,
        ),
    ),
    "D34-opens-channels": (passes(replies.delivers(links.reaches_back)),),
    "D35-files": (passes(Way(options={"sftp_factory": links._serves_files})),),
}
