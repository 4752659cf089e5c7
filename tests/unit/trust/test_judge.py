"""The table of tickets and roots, and who counts as a signer."""

from dataclasses import replace

import pytest

from orchestrator.errors import TrustError
from orchestrator.testing.root_table import rotation_cases
from orchestrator.testing.ticket_table import ticket_cases
from orchestrator.testing.tickets import Answer, answer_of
from orchestrator.trust.judge import check_first_root, check_rotation, check_ticket
from orchestrator.trust.root import parse_root

TICKETS = {case.name: case for case in ticket_cases()}
ROTATIONS = {case.name: case for case in rotation_cases()}


def judged(check, *given):
    try:
        check(*given)
    except TrustError as error:
        return answer_of(error.code)
    return Answer.ALLOW


def judged_ticket(case):
    root = parse_root(case.root)
    return judged(check_ticket, case.ticket, case.signatures, root, case.device, case.delivery)


@pytest.mark.parametrize("name", TICKETS)
def test_ticket_is_judged_as_the_table_says(name):
    case = TICKETS[name]

    assert judged_ticket(case) is case.answer


@pytest.mark.parametrize("name", ROTATIONS)
def test_root_is_judged_as_the_table_says(name):
    case = ROTATIONS[name]

    assert judged(check_rotation, parse_root(case.root), case.new_root, case.signatures) is (
        case.answer
    )


def test_table_has_the_whole_list_and_every_answer():
    names = [*TICKETS, *ROTATIONS]
    numbers = {name.split()[0] for name in names if name.startswith("T")}
    answers = {case.answer for case in (*TICKETS.values(), *ROTATIONS.values())}

    assert numbers == {f"T{number:02}" for number in range(1, 35)}
    assert answers == set(Answer)
    # The list has 28 attacks and 2 good cases among its first 30.
    good = [name for name in names if name < "T31" and name.startswith("T")]
    allowed = [
        case for case in (*TICKETS.values(), *ROTATIONS.values()) if case.answer is Answer.ALLOW
    ]
    assert [case.name for case in allowed if case.name in good] == [
        "T01 two of three",
        "T24 signed by old and new",
    ]


@pytest.mark.parametrize("change", [*(1 << bit for bit in range(8)), "missing", "twice"])
def test_no_byte_of_a_signed_ticket_can_be_changed(change):
    good = TICKETS["T01 two of three"]
    assert judged_ticket(good) is Answer.ALLOW

    for at, byte in enumerate(good.ticket):
        new = {"missing": b"", "twice": bytes((byte, byte))}.get(
            change, bytes((byte ^ change if isinstance(change, int) else 0,))
        )
        changed = good.ticket[:at] + new + good.ticket[at + 1 :]
        case = replace(good, ticket=changed)
        assert changed == good.ticket or judged_ticket(case) is not Answer.ALLOW, at


def test_no_byte_of_a_signature_can_be_changed():
    good = TICKETS["T01 two of three"]

    for at, byte in enumerate(good.signatures):
        changed = good.signatures[:at] + bytes((byte ^ 1,)) + good.signatures[at + 1 :]
        assert judged_ticket(replace(good, signatures=changed)) is not Answer.ALLOW, at


def test_first_root_agrees_with_itself():
    good = ROTATIONS["N103 each counts in both"]
    few = ROTATIONS["N130 the same key twice"]

    assert check_first_root(good.new_root, good.signatures).version == 4
    assert judged(check_first_root, few.new_root, few.signatures) is Answer.ROOT_OWN_SIGNATURES
