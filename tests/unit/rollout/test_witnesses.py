"""Heads that devices know against a journal: cut off, written anew, and devices that lie."""

from orchestrator.rollout import chain
from orchestrator.rollout.audit import Auditor, Fault, Head, Kept, Seal
from orchestrator.rollout.chain import Written

PLAN = "0" * 64
COUNT = 9
ORIGIN = chain.origin(chain.beginning("ctl"), 1, "r-1", PLAN)


def journal(count=COUNT, *, changed=0):
    """Entries with their hashes; from entry `changed` on another story, chained just as well."""
    previous, made = ORIGIN, []
    for seq in range(1, count + 1):
        data = '{"to":"lost"}' if seq == changed else '{"to":"committed"}'
        written = Written(seq, 1.0 * seq, "device_state", "", "dev", data, 1)
        previous = chain.link(previous, written)
        made.append((written, previous))
    return made


def told(seq, by="device `gw-1`", *, of=None, rollout_id="r-1"):
    """What a device was told when that entry was the last."""
    return Seal(Head(rollout_id, seq, of or journal()[seq - 1][1]), None, by)


def audited(entries, *seals):
    auditor = Auditor("ctl", seals)
    auditor.take(Kept("r-1", 1, ORIGIN, PLAN, len(entries)), entries)
    return auditor.end(0)


def found(entries, *seals):
    return [(one.fault, one.seq, one.message) for one in audited(entries, *seals).findings]


def test_heads_that_are_there_vouch_for_what_is_before_them():
    audit = audited(journal(), told(4), told(7, "device `gw-2`"))

    assert audit.findings == ()
    assert (audit.seal_count, audit.witness_count, audit.unsealed_count) == (0, 2, COUNT - 7)
    assert audit.last_sealed_at is None


def test_cut_off_end_is_named_with_who_knows_of_it():
    seals = (told(5), told(7, "device `gw-2` with 3 others"), told(9, "device `gw-3`"))

    assert found(journal(6), *seals) == [
        (
            Fault.CUT,
            7,
            "the journal ends at 6, and device `gw-3` (and 1 more) knows of 9: its end was cut off",
        )
    ]


def test_journal_that_was_written_anew_is_named():
    seals = (told(3), told(6, "device `gw-2`"), told(8, "device `gw-3`"))

    assert found(journal(changed=5), *seals) == [
        (
            Fault.REWRITTEN,
            6,
            (
                "something in 4 to 6 was written anew, with hashes that fit: "
                "device `gw-2` (and 1 more) knew another one"
            ),
        )
    ]


def test_device_that_lies_is_named_beside_who_knows_better():
    lie = told(2, "device `liar`", of="f" * 64)
    entries = journal()

    assert found(entries, lie, told(5)) == [
        (
            Fault.REWRITTEN,
            2,
            (
                "something in 1 to 2 was written anew, with hashes that fit: "
                "device `liar` knew another one; device `gw-1` knows what is here"
            ),
        )
    ]
    assert audited(entries, lie, told(5)).unsealed_count == COUNT - 5


def test_device_that_lies_hides_no_other_finding():
    lies = (told(2, "device `liar`", of="f" * 64), told(5, of=journal()[4][1]))
    rewritten = journal(changed=7)

    faults = [(fault, seq) for fault, seq, _message in found(rewritten, *lies, told(8))]

    assert faults == [(Fault.REWRITTEN, 2), (Fault.REWRITTEN, 8)]


def test_rollout_that_only_devices_know_is_one_finding():
    seals = [told(3, f"device `gw-{number}`", rollout_id="r-gone") for number in range(5)]

    audit = audited(journal(), *seals)

    (finding,) = audit.findings
    assert (finding.fault, finding.rollout_id) == (Fault.ROLLOUT_MISSING, "r-gone")
    assert finding.message == "device `gw-0` (and 4 more) knew this rollout, and it is not there"


def test_checkpoints_and_devices_are_counted_apart():
    signed = Seal(Head("r-1", 9, journal()[8][1], 1, ORIGIN), 1000.0, "the checkpoint in line 1")

    audit = audited(journal(), told(4), signed)

    assert audit.findings == ()
    assert (audit.seal_count, audit.witness_count, audit.last_sealed_at) == (1, 1, 1000.0)
