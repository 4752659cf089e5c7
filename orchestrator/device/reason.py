"""Why something happened to a device: one closed set of codes, in journals, events and YAML."""

from __future__ import annotations

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


TRUST_REASONS = frozenset({Reason.HOST_KEY, Reason.DENIED})  # never retried, always halt
CONNECT_REASONS = frozenset({Reason.UNREACHABLE, Reason.TIMEOUT, Reason.CONNECTION_LOST})
