from orchestrator.render.board import Board
from orchestrator.rollout.events import JournalEntry
from orchestrator.rollout.states import DeviceState, RolloutState, WaveState


def test_a_good_release_counts_to_the_end(plan, good_release) -> None:
    board = Board(plan, "r-1")

    board.take(good_release.entries)

    assert board.state is RolloutState.SUCCEEDED
    assert (board.proven, board.total) == (24, 24)
    assert {wave.state for wave in board.waves.values()} == {WaveState.PASSED}
    assert not board.at_work.lines


def test_a_bad_release_ends_where_it_began(plan, bad_release) -> None:
    board = Board(plan, "r-1")

    board.take(bad_release.entries)

    assert board.state is RolloutState.ROLLED_BACK
    assert board.proven == 0
    line = board.devices["gw-001"]
    assert (line.state, line.reason) == (DeviceState.ROLLED_BACK, "check_failed")


def test_taking_entries_one_by_one_or_together_is_the_same(plan, bad_release) -> None:
    whole, single = Board(plan, "r-1"), Board(plan, "r-1")

    whole.take(bad_release.entries)
    for entry in bad_release.entries:
        single.take((entry,))

    assert whole.devices == single.devices
    assert whole.waves == single.waves


def test_counts_always_add_up_to_the_fleet(plan, good_release, bad_release) -> None:
    for book in (good_release, bad_release):
        board = Board(plan, "r-1")
        for entry in book.entries:
            board.take((entry,))
            assert sum(wave.total for wave in board.waves.values()) == 24
            assert all(
                count >= 0 for wave in board.waves.values() for count in wave.counts.values()
            )


def test_a_backfilled_device_moves_to_its_new_wave(plan, journal) -> None:
    board = Board(plan, "r-1")
    journal.device("gw-020", "canary", "transferring")

    board.take(journal.entries)

    assert (board.waves["canary"].total, board.waves["rest"].total) == (2, 16)


def test_a_new_attempt_forgets_the_trouble_of_the_last(plan, journal) -> None:
    board = Board(plan, "r-1")
    journal.device("gw-001", "canary", "transferring", "failed", reason="low_space")
    journal.add(
        "device_state", wave="canary", device="gw-001", from_="failed", to="transferring", attempt=2
    )
    journal.add(
        "device_state", wave="canary", device="gw-001", from_="staged", to="succeeded", attempt=2
    )

    board.take(journal.entries)

    assert board.devices["gw-001"].reason == ""


def test_unknown_entries_states_and_devices_change_nothing(plan) -> None:
    board = Board(plan, "r-1")

    board.take(
        [
            JournalEntry(1, 1.0, "new_kind", "canary", "gw-001", {"to": "failed"}),
            JournalEntry(2, 1.0, "device_state", "canary", "gw-001", {"to": "beamed"}),
            JournalEntry(3, 1.0, "device_state", "canary", "nobody", {"to": "failed"}),
            JournalEntry(4, 1.0, "wave_done", "canary", "", {"state": "splendid"}),
            JournalEntry(5, 1.0, "rollout_done", "", "", {"state": "splendid"}),
        ]
    )

    assert board.waves["canary"].counts[DeviceState.PENDING] == 1
    assert board.state is RolloutState.RUNNING


def test_pause_and_resume(plan, journal) -> None:
    board = Board(plan, "r-1")
    journal.add("paused", wave="canary", cause="operator", detail="noon")

    board.take(journal.entries)
    assert board.state is RolloutState.PAUSED

    board.take([journal.add("resumed")])
    assert board.state is RolloutState.RUNNING


def test_pause_goes_on_while_one_of_its_causes_is_left(plan, journal) -> None:
    board = Board(plan, "r-1")
    journal.add("approval", wave="canary", what="asked", required=1)
    journal.add("paused", wave="canary", cause="approval", detail="0 of 1")
    journal.add("paused", wave="canary", cause="operator", detail="noon")
    journal.add("resumed", wave="canary", over="approval", left=["operator"])

    board.take(journal.entries)

    assert board.state is RolloutState.PAUSED
    assert board.waves["canary"].state is WaveState.AWAITING_APPROVAL


def test_rollout_that_waits_for_its_approval_runs_with_its_first_wave(plan, journal) -> None:
    board = Board(plan, "r-1")
    board.take([journal.add("approval", what="asked", required=1)])
    before = board.state

    board.take([journal.add("wave_started", wave="canary", devices=3)])

    assert (before, board.state) == (RolloutState.AWAITING_APPROVAL, RolloutState.RUNNING)


def test_transfer_progress_lasts_as_long_as_the_work(plan, journal) -> None:
    board = Board(plan, "r-1")
    journal.device("gw-001", "canary", "transferring")
    board.take(journal.entries)

    board.take_work("gw-001", "stage", 10, 100)
    board.take_work("gw-002", "stage", 10, 100)
    assert board.at_work.lines["gw-001"].sent_bytes == 10

    board.take(
        [journal.add("device_state", wave="canary", device="gw-001", to="failed", attempt=1)]
    )
    assert "gw-001" not in board.at_work.lines
    assert board.devices["gw-001"].sent_bytes == 0


def test_a_stop_is_told_until_it_is_over(plan, journal) -> None:
    board = Board(plan, "r-1")
    board.take([journal.add("paused", wave="canary", cause="operator", detail="anna@ops: noon")])
    paused = board.stop

    board.take([journal.add("resumed", who="anna@ops")])

    assert (paused, board.stop) == ("anna@ops: noon", "")


def test_last_entries_are_kept_of_devices_at_work_or_in_trouble(plan, journal) -> None:
    board = Board(plan, "r-1")
    journal.device("gw-001", "canary", "transferring", "failed", reason="io", detail="bad disk")
    journal.device("gw-002", "early", "transferring", "activating", "succeeded")
    journal.device("gw-003", "early", "transferring")

    board.take(journal.entries)

    assert {name: len(entries) for name, entries in board.last.items()} == {
        "gw-001": 2,
        "gw-003": 1,
    }


def test_causes_follow_what_becomes_of_the_devices(plan, journal) -> None:
    board = Board(plan, "r-1")
    for name, detail in (("gw-002", "needs 3 MiB"), ("gw-003", "needs 9 MiB"), ("gw-004", "x")):
        journal.device(name, "early", "transferring", "failed", reason="low_space", detail=detail)
    board.take(journal.entries)
    before = [(group.reason, tuple(group.devices)) for group in board.causes.greatest(5)]

    again = {"from": "failed", "to": "transferring", "attempt": 2}
    board.take([journal.add("device_state", wave="early", device="gw-002", **again)])

    assert before == [("low_space", ("gw-002", "gw-003")), ("low_space", ("gw-004",))]
    assert [tuple(group.devices) for group in board.causes.greatest(5)] == [
        ("gw-003",),
        ("gw-004",),
    ]


def test_a_device_that_waits_for_a_retry_is_proven_no_more(plan, good_release) -> None:
    board = Board(plan, "r-1")
    board.take(good_release.entries)

    board.take([good_release.add("device_state", wave="canary", device="gw-001", to="queued")])

    assert not board.waves["canary"].proven
