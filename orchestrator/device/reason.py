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
    NO_TICKET = "no_ticket"  # the device has a trust root, the release no ticket
    TICKET_SYNTAX = "ticket_syntax"
    TICKET_FLEET = "ticket_fleet"
    TICKET_SIGNATURES = "ticket_signatures"  # fewer release keys than the root wants
    TICKET_DEVICE_TYPE = "ticket_device_type"
    TICKET_EXPIRED = "ticket_expired"
    TICKET_SECURITY = "ticket_security"  # below the device's security floor
    TICKET_SERIAL = "ticket_serial"  # a newer ticket was here
    TICKET_MANIFEST = "ticket_manifest"
    TICKET_ARTIFACT = "ticket_artifact"
    NOT_OPEN_YET = "not_open_yet"  # its turn by the ticket's `open` lines has not come
    NEVER_OPEN = "never_open"  # no `open` line of the ticket ever lets it in
    NO_ROOT = "no_root"  # a first root is placed at enrolment only
    ROOT_SYNTAX = "root_syntax"  # of the new root, or of the device's own
    ROOT_FLEET = "root_fleet"
    ROOT_VERSION = "root_version"
    ROOT_SIGNATURES = "root_signatures"  # of the root before it
    ROOT_OWN_SIGNATURES = "root_own_signatures"
    REPORT = "report_signature"  # what it says it runs is not signed by its host's key
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
    TAKEN_BACK = "taken_back"  # a person took the rollout back
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
        FailureClass.TRUST: (
            Reason.HOST_KEY, Reason.DENIED, Reason.NO_TICKET, Reason.TICKET_SYNTAX,
            Reason.TICKET_FLEET, Reason.TICKET_SIGNATURES, Reason.TICKET_DEVICE_TYPE,
            Reason.TICKET_EXPIRED, Reason.TICKET_SECURITY, Reason.TICKET_SERIAL,
            Reason.TICKET_MANIFEST, Reason.TICKET_ARTIFACT, Reason.NO_ROOT, Reason.ROOT_SYNTAX,
            Reason.ROOT_FLEET, Reason.ROOT_VERSION, Reason.ROOT_SIGNATURES,
            Reason.ROOT_OWN_SIGNATURES, Reason.REPORT,
        ),
        FailureClass.DEVICE: (
            Reason.PROTOCOL, Reason.NOT_ENROLLED, Reason.OLD_HELPER, Reason.USAGE,
            Reason.INCOMPATIBLE, Reason.FENCED, Reason.BUSY, Reason.INHIBITED, Reason.WRONG_STATE,
            Reason.HELD, Reason.NOT_OPEN_YET, Reason.NEVER_OPEN,
        ),
        FailureClass.TRANSFER: (Reason.LOW_SPACE, Reason.IO, Reason.INTERRUPTED),
        FailureClass.INSTALL: (
            Reason.INSTALL, Reason.ACTIVATE, Reason.REBOOT, Reason.COMMIT, Reason.READ_BACK,
            Reason.REVERTED,
        ),
        FailureClass.CHECK: (Reason.CHECK, Reason.NO_DATA, Reason.NONCE, Reason.REGRESSED),
        FailureClass.ROLLBACK: (Reason.ROLLBACK, Reason.UNPROVEN, Reason.NOTHING_TO_ROLL_BACK),
        FailureClass.HALT: (Reason.CANCELLED, Reason.ROLLOUT_HALTED, Reason.TAKEN_BACK),
    }.items()
    for reason in reasons
}  # fmt: skip

TRUST_REASONS = frozenset(  # never retried, always halt
    reason for reason, group in CLASS_OF.items() if group is FailureClass.TRUST
)
CONNECT_REASONS = frozenset({Reason.UNREACHABLE, Reason.TIMEOUT, Reason.CONNECTION_LOST})
