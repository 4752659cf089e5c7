import pytest

from orchestrator.device.protocol import Reply
from orchestrator.device.reason import Reason
from orchestrator.engine.replies import (
    first_device_error,
    outcome_of,
    outcome_of_error,
    staged_offsets,
    status_of,
)
from orchestrator.errors import DeviceError

STATE = (("boot-id", "b1"), ("state", "probation"), ("txn", "T"), ("manifest", "aa"))


def test_status_needs_state_and_boot_id():
    assert status_of(Reply(0, (("state", "none"),))) is None
    assert status_of(Reply(0, (("boot-id", "b"),))) is None


def test_status_holds_what_the_device_said():
    lines = (*STATE, ("active", "no"), ("commit-nonce", "n"), ("deadline-left", "12"))

    status = status_of(Reply(0, (*lines, ("txn-state", "probation"), ("reverted", "R"))))

    assert status is not None
    assert (status.state, status.txn, status.txn_state) == ("probation", "T", "probation")
    assert (status.active, status.commit_nonce, status.reverted) == ("no", "n", "R")
    assert status.deadline_left_s == 12.0


@pytest.mark.parametrize("text", ["", "soon", "nan", "1e999"])
def test_odd_deadline_is_none(text):
    status = status_of(Reply(0, (*STATE, ("deadline-left", text))))

    assert status is not None
    assert status.deadline_left_s is None


def test_missing_active_is_unknown_and_not_yes():
    status = status_of(Reply(0, STATE))

    assert status is not None
    assert status.active == "unknown"


@pytest.mark.parametrize(
    ("rc", "reason", "outcome"),
    [
        (0, None, Reason.OK),
        (3, None, Reason.IO),
        (65, "denied", Reason.DENIED),
        (65, "new_reason", Reason.DENIED),
        (74, "low_space", Reason.LOW_SPACE),
        (75, None, Reason.BUSY),
        (76, "fenced", Reason.FENCED),
        (77, "stale_nonce", Reason.NONCE),
        (69, "ok", Reason.PROTOCOL),
        (99, None, Reason.PROTOCOL),
    ],
)
def test_outcome_is_the_helpers_reason_or_that_of_its_code(rc, reason, outcome):
    lines = () if reason is None else (("reason", reason), ("detail", "x"))

    assert outcome_of(Reply(rc, lines)).reason is outcome


def test_detail_is_cut():
    assert len(outcome_of(Reply(74, (("reason", "io"), ("detail", "x" * 5000)))).detail) == 1024


def test_unknown_reason_of_an_error_is_a_protocol_violation():
    assert outcome_of_error(DeviceError("x", reason="strange")).reason is Reason.PROTOCOL


def test_have_lines_are_read_and_broken_ones_left_out():
    digest = "a" * 64
    lines = (
        ("have", f"manifest 12 {digest}"),
        ("have", "payload twelve x"),
        ("have", "short 1 abc"),
        ("have", f"long {'9' * 5000} {digest}"),
    )

    assert staged_offsets(Reply(0, lines)) == {"manifest": (12, digest)}


def test_nested_groups_give_their_first_device_error():
    error = DeviceError("x", reason=Reason.TIMEOUT)
    group = ExceptionGroup("outer", [ExceptionGroup("inner", [error])])

    assert first_device_error(group) is error
