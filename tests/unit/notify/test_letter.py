from dataclasses import replace
from email import message_from_bytes
from email.policy import default

import pytest

from orchestrator.notify.letter import SUBJECT_CHARS_MAX, letter, plain
from orchestrator.testing.notifier_contract import NOTICE


def sent(notice=NOTICE):
    """The letter as it arrives."""
    made = letter(
        notice, sender="rollout@example.org", recipient="ops@example.org", source="urn:x:0123"
    )
    return message_from_bytes(made.as_bytes(), policy=default)


def test_letter_says_what_happened():
    found = sent(replace(NOTICE, plan="gateway", detail="1 failure, 0 allowed"))

    assert found["Subject"] == "[rollout] halted: gateway 7.3 (r-contract)"
    assert found["Message-ID"] == "<r-contract.7@0123.invalid>"
    assert found.get_content_type() == "text/plain"
    assert found.get_content() == (
        "event: halted\ntime: 2027-01-15T08:00:00+00:00\nrollout: r-contract\n"
        "plan: gateway, release 7.3\nwave: canary\ncause: budget\n"
        "detail: 1 failure, 0 allowed\ndevices: 20: 19 pending, 1 rolled back\n"
        "reasons: 1 check failed\n\nrollout status r-contract\n"
    )


@pytest.mark.parametrize("field", ["plan", "release", "wave", "detail", "who", "cause", "device"])
@pytest.mark.parametrize(
    "text", ["a\r\nBcc: all@example.org", "a\nTo: x@y.z\n\nbody", "\x00", "\x1b[2J", "\u202e", "\ud800", "a\u2028b", "\x85"],
)  # fmt: skip
def test_no_text_adds_a_header_or_a_line(field, text):
    plain_one, found = sent(replace(NOTICE, **{field: "x"})), sent(replace(NOTICE, **{field: text}))

    assert found.keys() == plain_one.keys()
    assert found["To"] == "ops@example.org"
    assert len(found.get_content().splitlines()) == len(plain_one.get_content().splitlines())
    assert all(line.isprintable() for line in found.get_content().split("\n"))


def test_subject_is_of_bounded_length():
    assert len(sent(replace(NOTICE, plan="x" * 9999))["Subject"]) <= SUBJECT_CHARS_MAX


def test_letters_of_all_languages_stay_as_they_are():
    assert plain("Gerät är på ☃") == "Gerät är på ☃"
    assert "Gerät" in sent(replace(NOTICE, detail="Gerät fehlt")).get_content()
