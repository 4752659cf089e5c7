import pytest

from orchestrator.testing.faults import Fault, FaultKind, FaultSource, parse_faults
from orchestrator.testing.scenario import draw


def test_text_of_faults_is_read_back():
    for seed in range(50):
        planned = draw(seed).planned

        assert parse_faults(" ".join(map(str, planned))) == planned


@pytest.mark.parametrize(
    ("fault", "text"),
    [
        (Fault(FaultKind.CRASH, 37), "crash@37"),
        (Fault(FaultKind.LOSE_REPLY, 2, "dev-0003"), "lose_reply:dev-0003@2"),
        (Fault(FaultKind.CLOCK_JUMP, 12.5, span=-60), "clock_jump@12.5-60"),
        (Fault(FaultKind.OFFLINE, 0, "dev-0001", 300), "offline:dev-0001@0+300"),
    ],
)
def test_fault_has_a_short_text(fault, text):
    assert str(fault) == text
    assert parse_faults(text) == (fault,)


@pytest.mark.parametrize("text", ["crash", "crash@", "crash@x", "melt@3", "crash:@3", "crash@3+"])
def test_text_that_is_no_fault_is_refused(text):
    with pytest.raises(ValueError, match=r"fault|FaultKind"):
        parse_faults(text)


def test_leaving_a_fault_out_moves_no_other():
    drawn = FaultSource(4)
    hits = [drawn.strikes(FaultKind.STALL, 0.2, "a") for _ in range(200)]

    listed = FaultSource(4, drawn.struck[1:])
    again = [listed.strikes(FaultKind.STALL, 0.2, "a") for _ in range(200)]

    first = hits.index(True)
    assert sum(hits) > 10
    assert again == [*hits[:first], False, *hits[first + 1 :]]


def test_places_draw_for_themselves():
    source = FaultSource(4)
    a = [source.strikes(FaultKind.STALL, 0.5, "a") for _ in range(64)]
    b = [source.strikes(FaultKind.STALL, 0.5, "b") for _ in range(64)]

    assert a != b
    assert not any(source.strikes(FaultKind.REPEAT, 0.0, "a") for _ in range(64))
