"""Why something happened to a device: one closed set of codes, in journals, events and YAML."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum


class Reason(StrEnum):
    """Reason codes; a stable interface (docs/reference/reasons.md)."""

    OK = "ok"
    # connection: the device was not reached or not proven to be itself
    UNREACHABLE = "unreachable"
    CONNECTION_LOST = "connection_lost"
    TIMEOUT = "timeout"
    HOST_KEY = "host_key"  # never contacted further
    AUTHENTICATION = "authentication"
    # protocol: the device answered, but not as agreed
    PROTOCOL = "protocol_violation"
    NOT_ENROLLED = "not_enrolled"
    OLD_HELPER = "old_helper"  # its helper does not know what this program asks
    USAGE = "usage"
    # the helper refused
    DENIED = "denied"  # signature, digest or key; always halts
    INCOMPATIBLE = "incompatible"  # device type or depends
    FENCED = "fenced"  # a newer epoch or another controller was here
    BUSY = "busy"
    INHIBITED = "inhibited"
    WRONG_STATE = "wrong_state"
    LOW_SPACE = "low_space"
    NOTHING_TO_ROLL_BACK = "nothing_to_roll_back"
    # work on the device failed
    IO = "io"
    INTERRUPTED = "interrupted"
    INSTALL = "install_failed"
    ACTIVATE = "activate_failed"
    REBOOT = "reboot_failed"
    CHECK = "check_failed"
    NO_DATA = "no_data"
    READ_BACK = "read_back_mismatch"
    NONCE = "stale_nonce"
    COMMIT = "commit_failed"
    ROLLBACK = "rollback_failed"
    UNPROVEN = "unproven_return"  # it went back, but its checks did not pass there
    REVERTED = "reverted"  # the dead-man on the device went back by itself
    REGRESSED = "regressed"
    LOST = "lost"
    # decisions of the rollout
    CANCELLED = "cancelled"
    HELD = "held"
    UNCHANGED = "unchanged"
    ROLLOUT_HALTED = "rollout_halted"
    WINDOW = "window"  # staged ahead, waits for its maintenance window


class FailureClass(StrEnum):
    """Groups of failures that have the same kind of cure; a stable interface."""

    CONNECT = "connect"  # not reached, or not let in
    TRUST = "trust"  # not who it was, or refused what it was given
    DEVICE = "device"  # the device was not ready for it
    TRANSFER = "transfer"  # the bytes did not arrive, or did not fit
    INSTALL = "install"  # the update module failed, or the reboot
    CHECK = "check"  # it ran, and was not well
    ROLLBACK = "rollback"  # it could not go back, or is not well there
    HALT = "halt"  # nothing was wrong with it: the rollout stopped


CLASS_OF: Mapping[Reason, FailureClass] = {
    reason: group
    for group, reasons in {
        FailureClass.CONNECT: (
            Reason.UNREACHABLE, Reason.CONNECTION_LOST, Reason.TIMEOUT, Reason.AUTHENTICATION,
            Reason.LOST,
        ),
        FailureClass.TRUST: (Reason.HOST_KEY, Reason.DENIED),
        FailureClass.DEVICE: (
            Reason.PROTOCOL, Reason.NOT_ENROLLED, Reason.OLD_HELPER, Reason.USAGE,
            Reason.INCOMPATIBLE, Reason.FENCED, Reason.BUSY, Reason.INHIBITED, Reason.WRONG_STATE,
            Reason.HELD,
        ),
        FailureClass.TRANSFER: (Reason.LOW_SPACE, Reason.IO, Reason.INTERRUPTED),
        FailureClass.INSTALL: (
            Reason.INSTALL, Reason.ACTIVATE, Reason.REBOOT, Reason.COMMIT, Reason.READ_BACK,
            Reason.REVERTED,
        ),
        FailureClass.CHECK: (Reason.CHECK, Reason.NO_DATA, Reason.NONCE, Reason.REGRESSED),
        FailureClass.ROLLBACK: (Reason.ROLLBACK, Reason.UNPROVEN, Reason.NOTHING_TO_ROLL_BACK),
        FailureClass.HALT: (Reason.CANCELLED, Reason.ROLLOUT_HALTED),
    }.items()
    for reason in reasons
}  # fmt: skip

TRUST_REASONS = frozenset({Reason.HOST_KEY, Reason.DENIED})  # never retried, always halt
CONNECT_REASONS = frozenset({Reason.UNREACHABLE, Reason.TIMEOUT, Reason.CONNECTION_LOST})
