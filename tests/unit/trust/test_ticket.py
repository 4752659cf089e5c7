"""Tickets survive being written, and no other text stands for one."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.errors import TrustError
from orchestrator.testing.ticket_table import TICKET, ticket_cases
from orchestrator.testing.tickets import Answer
from orchestrator.trust.ticket import Opening, Ticket, parse_ticket, write_ticket

NUMBERS = st.integers(0, 10**15 - 1)
NAMES = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9._+\-]{0,62}", fullmatch=True)
LONG_NAMES = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9._+\-]{0,127}", fullmatch=True)


@st.composite
def tickets(draw) -> Ticket:
    issued_s, expires_s = sorted(draw(st.lists(NUMBERS, min_size=2, max_size=2, unique=True)))
    security_version = draw(NUMBERS)
    percents = sorted(draw(st.sets(st.integers(1, 100), max_size=16)))
    times = sorted(draw(st.lists(NUMBERS, min_size=len(percents), max_size=len(percents))))
    return Ticket(
        fleet=draw(NAMES),
        serial=draw(NUMBERS),
        issued_s=issued_s,
        expires_s=expires_s,
        security_version=security_version,
        min_security_version=draw(st.none() | st.integers(0, security_version)),
        device_types=tuple(sorted(draw(st.sets(LONG_NAMES, min_size=1, max_size=16)))),
        artifact=draw(LONG_NAMES),
        manifest_sha256=draw(st.from_regex(r"[0-9a-f]{64}", fullmatch=True)),
        openings=tuple(Opening(*pair) for pair in zip(percents, times, strict=True)),
    )


@given(tickets())
def test_ticket_survives_its_text(ticket):
    assert parse_ticket(write_ticket(ticket)) == ticket


@given(tickets(), st.integers(0, 99), NUMBERS)
def test_what_is_open_stays_open(ticket, bucket, at_s):
    if ticket.is_open(bucket, at_s):
        assert ticket.is_open(bucket, at_s + 1)
        assert bucket == 0 or ticket.is_open(bucket - 1, at_s)


@given(st.binary(max_size=400))
def test_arbitrary_bytes_are_no_ticket(data):
    with pytest.raises(TrustError):
        parse_ticket(data)


def test_the_text_that_is_written_is_the_one_that_was_read():
    good = {case.ticket for case in ticket_cases() if case.answer is not Answer.SYNTAX}

    for text in good:
        assert write_ticket(parse_ticket(text)) == text


@pytest.mark.parametrize(
    "change",
    [
        {"fleet": "two words"},
        {"fleet": "zwölf"},
        {"fleet": "x\nserial 1"},
        {"serial": -1},
        {"expires_s": 0},
        {"device_types": ()},
        {"device_types": ("b", "a")},
        {"device_types": ("a b",)},
        {"artifact": "../x"},
        {"min_security_version": 8},
        {"openings": (Opening(25, 5), Opening(5, 6))},
        {"manifest_sha256": "A" * 64},
    ],
)
def test_values_without_a_place_in_a_ticket_are_not_written(change):
    with pytest.raises(TrustError):
        write_ticket(replace(parse_ticket(TICKET), **change))


def test_floor_after_a_release_is_its_own_unless_it_says_less():
    ticket = parse_ticket(TICKET)

    assert ticket.next_floor == 7
    assert replace(ticket, min_security_version=3).next_floor == 3
