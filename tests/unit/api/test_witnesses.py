"""What many devices know, put together."""

from orchestrator.api.witnesses import seals_of
from orchestrator.device.witness import Known
from orchestrator.rollout.audit import Head, Seal

A, B = "a" * 64, "b" * 64


def test_each_head_is_one_whoever_knows_it():
    known = {
        "gw-1": (Known("ctl", "r-2", 4, A), Known("ctl", "r-1", 9, B)),
        "gw-2": (Known("ctl", "r-2", 4, A),),
        "gw-3": (Known("ctl", "r-2", 4, A), Known("ctl", "r-1", 9, A)),
        "gw-4": (),
    }

    assert seals_of(known) == (
        Seal(Head("r-2", 4, A), None, "device `gw-1` with 2 others"),
        Seal(Head("r-1", 9, B), None, "device `gw-1`"),
        Seal(Head("r-1", 9, A), None, "device `gw-3`"),
    )
