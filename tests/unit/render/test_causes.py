from orchestrator.render.causes import grouped_causes, likeness
from tests.unit.render.told import facts_of


def test_words_that_differ_in_numbers_and_own_names_are_one_cause(plan, journal) -> None:
    journal.device("gw-001", "early", "failed", reason="low_space", detail="gw-001 has 3 MiB")
    journal.device("gw-002", "early", "failed", reason="low_space", detail="gw-002 has 12 MiB")
    journal.device("gw-003", "early", "failed", reason="low_space", detail="no folder")
    journal.device("gw-004", "early", "failed", reason="io", detail="gw-004 has 12 MiB")

    causes = grouped_causes(facts_of(plan, journal.entries).story)

    assert [(cause.reason, cause.devices) for cause in causes] == [
        ("low_space", ("gw-001", "gw-002")),
        ("low_space", ("gw-003",)),
        ("io", ("gw-004",)),
    ]
    assert [one.detail for one in causes[0].wordings] == ["gw-001 has 3 MiB", "gw-002 has 12 MiB"]
    assert causes[0].first_s == min(one.first_s for one in causes[0].wordings)


def test_the_words_of_most_devices_stand_first(plan, journal) -> None:
    for name, detail in (("gw-001", "disk 1"), ("gw-002", "disk 2"), ("gw-003", "disk 2")):
        journal.device(name, "early", "failed", reason="io", detail=detail)

    [cause] = grouped_causes(facts_of(plan, journal.entries).story)

    assert cause.detail == "disk 2"
    assert len(cause.wordings) == 2


def test_a_short_name_is_no_part_of_other_words() -> None:
    assert likeness("io", "disk of a is bad", "a") == likeness("io", "disk of b is bad", "b")
    assert likeness("io", "a bad card", "a") != likeness("io", "a bd crd", "a")


def test_a_name_is_taken_as_it_stands() -> None:
    assert likeness("io", "g+ failed", "g+") == ("io", " failed")
