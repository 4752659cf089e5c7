from orchestrator.render.causes_so_far import GROUPS_MAX, CausesSoFar


def test_devices_of_one_cause_are_counted_together() -> None:
    causes = CausesSoFar()
    causes.enter("gw-1", "low_space", "gw-1 has 3 MiB", 5.0)
    causes.enter("gw-2", "low_space", "gw-2 has 9 MiB", 6.0)
    causes.enter("gw-3", "io", "disk 1", 4.0)

    [first, second] = causes.greatest(5)

    assert (first.reason, first.some(9), first.first_at) == ("low_space", ("gw-1", "gw-2"), 5.0)
    assert second.reason == "io"
    assert (causes.count, causes.devices) == (2, 3)


def test_a_device_has_one_cause_at_a_time() -> None:
    causes = CausesSoFar()
    causes.enter("gw-1", "unreachable", "", 1.0)
    causes.enter("gw-1", "io", "disk 1", 2.0)
    causes.enter("gw-1", "io", "disk 2", 3.0)

    assert [(one.reason, one.detail) for one in causes.greatest(5)] == [("io", "disk 1")]
    assert (causes.devices, causes.changes) == (1, 2)


def test_a_cause_is_over_with_its_last_device() -> None:
    causes = CausesSoFar()
    causes.enter("gw-1", "io", "disk", 1.0)

    causes.leave("gw-1")
    causes.leave("gw-1")

    assert (causes.count, causes.devices) == (0, 0)


def test_what_only_followed_stands_behind() -> None:
    causes = CausesSoFar()
    causes.enter("gw-1", "rollout_halted", "", 1.0)
    causes.enter("gw-2", "rollout_halted", "", 1.0)
    causes.enter("gw-3", "io", "disk", 2.0)

    assert [one.reason for one in causes.greatest(2)] == ["io", "rollout_halted"]


def test_words_of_many_kinds_do_not_fill_memory() -> None:
    causes = CausesSoFar()
    for number in range(1000):
        causes.enter(f"gw-{number}", "io", "ab"[number % 2] * (number + 1), 1.0)

    assert causes.count == GROUPS_MAX + 1
    assert causes.devices == 1000
    most = causes.greatest(1)[0]
    assert (len(most.devices), most.detail) == (1000 - GROUPS_MAX, "")
