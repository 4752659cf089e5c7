"""An audit as text: who could not be asked is never lost."""

from orchestrator.render.audit import UNASKED_MAX, FleetFacts, audit_document, audit_text, short_of
from orchestrator.render.text import Look
from orchestrator.rollout.audit import Audit, Fault, Finding

WIDE = Look(120)
HOLDS = Audit(rollout_count=1, entry_count=9, witness_count=2, unsealed_count=1)


def test_devices_that_could_not_be_asked_are_counted_where_they_are_many():
    unasked = tuple((f"gw-{number}", "unreachable", "no route") for number in range(25))

    lines = audit_text(HOLDS, "checkpoints", (), FleetFacts(30, 3, unasked), look=WIDE).splitlines()

    assert lines[1] == (
        "5 of 30 devices answered, 2 heads of theirs found again; 3 of them have nothing of these journals"
    )
    assert lines[2].startswith("  not asked: gw-0: ")
    assert lines[2 + UNASKED_MAX] == "  not asked: 5 more"
    assert (
        len(audit_document(HOLDS, "c", (), FleetFacts(30, 3, unasked))["devices"]["not_asked"])
        == 25
    )


def test_journals_that_no_device_knows_are_not_vouched_for():
    """A store that was made anew under another id: to every device it is a stranger's."""
    strange = Audit(rollout_count=1, entry_count=9)
    fresh = Audit()

    assert audit_text(strange, "c", (), FleetFacts(4, 4, ()), look=WIDE).startswith(
        "the journals hold, but no device knows anything of them: 1 rollout"
    )
    assert short_of(strange, FleetFacts(4, 4, ()))
    assert not short_of(strange, None)
    assert not short_of(fresh, FleetFacts(4, 4, ()))
    assert not short_of(HOLDS, FleetFacts(4, 3, ()))


def test_finding_is_not_softened_by_devices_that_were_not_asked():
    finding = Finding(Fault.CUT, "its end was cut off", "r-1", 4)
    audit = Audit(rollout_count=1, entry_count=3, findings=(finding,))

    text = audit_text(audit, "c", (), FleetFacts(1, 0, (("gw", "timeout", "\x1b[2J"),)), look=WIDE)

    assert text.startswith("the journals do not hold: 1 finding")
    assert "\x1b" not in text
