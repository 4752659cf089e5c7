"""What a reply to `log` comes to."""

import pytest

from orchestrator.api.device_logs import ModuleLog, log_of
from orchestrator.device.protocol import Reply
from orchestrator.device.reason import Reason


def test_parts_are_put_together_as_they_were() -> None:
    reply = Reply(0, (("log", "one\ntw"), ("log", "o\n")))

    assert log_of(reply) == ModuleLog("one\ntwo\n")


@pytest.mark.parametrize(
    ("rc", "reason", "found"),
    [
        (64, "usage", Reason.OLD_HELPER),
        (77, "inhibited", Reason.INHIBITED),
        (78, "wrong_state", Reason.WRONG_STATE),
        (0, "", Reason.OK),
    ],
)
def test_refusal_says_why_and_an_old_helper_is_named(rc, reason, found) -> None:
    lines = (("reason", reason), ("detail", "words")) if reason else ()

    assert log_of(Reply(rc, lines)).reason is found
