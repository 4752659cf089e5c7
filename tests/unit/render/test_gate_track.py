from orchestrator.plan.resolved import Gate, Probe, ProbeKind, Stage
from orchestrator.render.gate_track import SAMPLES_MAX, TRACKS_MAX, GateTracks
from orchestrator.rollout.verdict import Reading

HTTP = Probe(ProbeKind.HTTP, url="http://s")
GATES = (
    Gate("check", Stage.DEVICE, Probe(ProbeKind.CHECK, check="app")),
    Gate("each", Stage.DEVICE, HTTP),
    Gate("first", Stage.WAVE, HTTP),
    Gate("second", Stage.BACKGROUND, HTTP),
)


def test_gates_that_the_controller_asks_are_there_from_the_beginning() -> None:
    tracks = GateTracks(GATES).foremost(9)

    assert [track.name for track in tracks] == ["first", "second"]
    assert all(track.last is None for track in tracks)


def test_samples_are_kept_and_counted_by_wave(journal) -> None:
    tracks = GateTracks(GATES)
    for wave, reading in (("canary", "success"), ("canary", "failed"), ("early", "success")):
        tracks.take(
            journal.add(
                "gate_result", wave=wave, gate="first", reading=reading, verdict="open",
                **{"result.value": 7, "result.status": 200},
            )
        )  # fmt: skip

    track = tracks.by_name["first"]
    assert [(one.reading, one.value) for one in track.samples] == [
        (Reading.SUCCESS, 7.0),
        (Reading.FAILED, 7.0),
        (Reading.SUCCESS, 7.0),
    ]
    assert track.counts == {Reading.SUCCESS: 1}
    assert track.taken == 3


def test_what_nobody_can_read_is_an_error_and_no_number(journal) -> None:
    tracks = GateTracks(GATES)
    for value in ("x", True, float("nan"), float("inf"), None):
        tracks.take(journal.add("gate_result", gate="first", reading="splendid", count=value))

    track = tracks.by_name["first"]
    assert {(one.reading, one.value) for one in track.samples} == {(Reading.ERROR, None)}


def test_samples_of_single_devices_are_no_part_of_it(journal) -> None:
    tracks = GateTracks(GATES)

    tracks.take(journal.add("gate_result", device="gw-1", gate="first", reading="failed"))

    assert tracks.by_name["first"].last is None


def test_gates_in_trouble_go_first_where_there_is_little_room(journal) -> None:
    tracks = GateTracks(GATES)
    tracks.take(journal.add("gate_result", gate="second", reading="failed", verdict="failed"))

    assert [track.name for track in tracks.foremost(1)] == ["second"]
    assert tracks.foremost(0) == []


def test_memory_has_its_bounds(journal) -> None:
    tracks = GateTracks(GATES)
    for number in range(TRACKS_MAX + 50):
        tracks.take(journal.add("gate_result", gate=f"g{number}", reading="success"))
    for _ in range(SAMPLES_MAX + 50):
        tracks.take(journal.add("gate_result", gate="first", reading="success"))

    assert len(tracks.by_name) == TRACKS_MAX
    assert len(tracks.by_name["first"].samples) == SAMPLES_MAX
