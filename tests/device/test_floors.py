"""What a device remembers of tickets never falls, and never keeps it from going back."""

from __future__ import annotations

import contextlib
import os
import random
import re
import signal
import socket
import subprocess
import time

import pytest

from tests.device.kit import TRUST, Device, Shell, directory, script, sha, txn
from tests.device.tickets import (
    MANIFEST,
    People,
    Root,
    Ticket,
    ask,
    at,
    floor,
    judge,
    signed,
    stage,
    ticketed,
)

DEVICES = 1000
KILLS = 12
OPENED = ((5, 1_763_812_800), (25, 1_763_899_200), (100, 1_764_072_000))  # of the design's ticket


def deliver(device: Device, people: People, number: int, **values: object) -> tuple[int, str]:
    """A release of its own name with a ticket of these values, up to its probation."""
    frames = ticketed(directory(f"r{number}"), device.key, people.release, **values)
    reply = device.deliver(number, frames)
    return reply.rc, reply.fields.get("reason", "ok")


def floors(device: Device) -> tuple[int, int, int]:
    return floor(device, "serial"), floor(device, "time-floor"), floor(device, "security-floor")


def content(device: Device) -> str:
    return (device.root / "opt/app/version.txt").read_text()


def test_floors_rise_in_their_time(rooted: Device, people: People):
    """Serial and time at install, security at commit."""
    frames = ticketed(
        directory("r1"), rooted.key, people.release, serial=3, issued=1_700_000_001, security=2
    )
    stage(rooted, 1, frames)
    assert rooted.do("verify", 1).rc == 0
    assert floors(rooted) == (0, 0, 0)

    assert rooted.do("install", 1).rc == 0
    assert floors(rooted) == (3, 1_700_000_001, 0)

    assert rooted.do("activate", 1, deadline=300).rc == 0
    assert floors(rooted) == (3, 1_700_000_001, 0)

    assert rooted.commit(1).rc == 0
    assert floors(rooted) == (3, 1_700_000_001, 2)
    fields = rooted.fields()
    assert (fields["serial"], fields["security-floor"]) == ("3", "2")


def test_floors_never_fall(one_rooted: Device, people: People):
    assert deliver(one_rooted, people, 1, serial=9, security=7, issued=1_700_000_009)[0] == 0
    assert one_rooted.commit(1).rc == 0

    assert deliver(one_rooted, people, 2, serial=8, security=7) == (65, "ticket_serial")
    assert deliver(one_rooted, people, 3, serial=9, security=6) == (65, "ticket_security")
    assert (
        deliver(one_rooted, people, 4, serial=9, security=8, least=3, issued=1_600_000_000)[0] == 0
    )
    assert one_rooted.commit(4).rc == 0

    assert floors(one_rooted) == (9, 1_700_000_009, 7)


def test_a_downgrade_is_a_ticket_with_a_higher_serial(one_rooted: Device, people: People):
    """And with a security version that is not below the floor: the ticket says so, not the name."""
    commit_release(one_rooted, people, 5, serial=5, security=3)

    frames = ticketed(directory("r1"), one_rooted.key, people.release, serial=6, security=3)

    assert one_rooted.deliver(6, frames).rc == 0
    assert content(one_rooted) == "r1"


def commit_release(device: Device, people: People, number: int, **values: object) -> None:
    assert deliver(device, people, number, **values)[0] == 0
    assert device.commit(number).rc == 0


def test_a_canary_can_always_go_back(rooted: Device, people: People):
    """Until the commit nothing of the new ticket's security version counts; no ticket is asked for."""
    commit_release(rooted, people, 1, serial=1, security=1)
    assert deliver(rooted, people, 2, serial=2, security=9)[0] == 0
    (rooted.root / "etc/rollout/root.txt").write_text("broken\n")

    assert rooted.do("rollback", 2).rc == 0

    assert content(rooted) == "r1"
    assert floor(rooted, "security-floor") == 1


def test_a_committed_release_goes_back_without_a_ticket(rooted: Device, people: People):
    """Also where the new ticket's security version is higher: the floor waits for what is kept."""
    commit_release(rooted, people, 1, serial=1, security=3)
    commit_release(rooted, people, 2, serial=2, security=7)
    assert floor(rooted, "security-floor") == 3

    assert rooted.do("rollback", 2).rc == 0

    assert content(rooted) == "r1"
    assert rooted.fields()["artifact"] == "r1"


def test_the_floor_follows_once_nothing_older_is_kept(one_rooted: Device, people: People):
    """With the next commit the old version goes, and with it the reason to wait."""
    for number, security in ((1, 3), (2, 7), (3, 9)):
        commit_release(one_rooted, people, number, serial=number, security=security)

    assert floor(one_rooted, "security-floor") == 7
    assert deliver(one_rooted, people, 4, serial=4, security=6) == (65, "ticket_security")


def test_the_floor_waits_for_nothing_where_there_is_no_way_back(one_rooted: Device, people: People):
    """The update module keeps no previous version after a commit."""
    frames = ticketed(script("r1", rollback=False), one_rooted.key, people.release, security=7)
    commit_release(one_rooted, people, 1, serial=1, security=3)
    assert one_rooted.deliver(2, frames).rc == 0

    assert one_rooted.commit(2).rc == 0

    assert floor(one_rooted, "security-floor") == 7
    assert one_rooted.do("rollback", 2).fields["reason"] == "nothing_to_roll_back"


def test_a_release_from_before_the_root_can_be_gone_back_to(
    one: Device, people: People, root: Root
):
    """It has no ticket, so it counts as security version 0."""
    one.release(1, directory("r1"))
    root.place(one)
    commit_release(one, people, 2, serial=1, security=7)
    assert floor(one, "security-floor") == 0

    assert one.do("rollback", 2).rc == 0
    assert content(one) == "r1"


def test_a_device_going_back_by_itself_asks_for_nothing(one_rooted: Device, people: People):
    commit_release(one_rooted, people, 1, serial=1, security=1)
    assert deliver(one_rooted, people, 2, serial=2, security=5)[0] == 0

    one_rooted.boot("22222222-0000-0000-0000-000000000002")
    one_rooted.hook("boot")

    assert one_rooted.fields()["reverted"] == txn(2)
    assert content(one_rooted) == "r1"
    assert floor(one_rooted, "security-floor") == 1


def test_a_clock_that_was_set_back_does_not_bring_a_ticket_back(rooted: Device, people: People):
    late = Ticket(MANIFEST, issued=1_800_000_000, expires=1_900_000_000).text
    early = Ticket(MANIFEST, issued=1_700_000_000, expires=1_800_000_000).text
    at(rooted, 1_750_000_000)
    assert judge(rooted, early, signed(early, people.release)) == (0, "ok")
    (rooted.root / "in/ticket").write_bytes(late)
    assert ask(rooted, "installed", str(rooted.root / "in"))[0] == 0

    at(rooted, 1_600_000_000)

    assert judge(rooted, early, signed(early, people.release))[1] == "ticket_expired"
    assert judge(rooted, late, signed(late, people.release)) == (0, "ok")


@pytest.mark.parametrize("name", ["serial", "time-floor", "security-floor"])
@pytest.mark.parametrize("text", ["", "x\n", "-1\n", "007\n", "1" * 16 + "\n"])
def test_a_floor_that_cannot_be_read_lets_nothing_in(
    one_rooted: Device, people: People, name: str, text: str
):
    place = one_rooted.root / "var/lib/rollout/floors"
    place.mkdir(parents=True)
    (place / name).write_text(text)
    ticket = Ticket(MANIFEST).text

    assert judge(one_rooted, ticket, signed(ticket, people.release)) == (74, "io")


# --- turns ---


def bucket(serial: int, device: str) -> int:
    return int(sha(f"{serial} {device}".encode())[:8], 16) % 100


def buckets(shell: Shell, serial: int) -> list[int]:
    """What the device's own function says for a thousand devices."""
    body = re.search(r"^bucket\(\) \{.*?^\}", TRUST.read_text(), re.MULTILINE | re.DOTALL)
    assert body
    loop = (
        f'i=0; while [ $i -lt {DEVICES} ]; do bucket {serial} "dev-$i"; echo $W; i=$((i + 1)); done'
    )
    done = subprocess.run(
        [*shell.argv, "-c", f"{body[0]}\n{loop}"],
        env={"PATH": shell.path},
        capture_output=True,
        check=True,
        text=True,
    )
    return [int(line) for line in done.stdout.split()]


def test_a_rogue_controller_reaches_no_more_devices_than_were_opened(shell: Shell):
    found = buckets(shell, 42)

    assert found == [bucket(42, f"dev-{number}") for number in range(DEVICES)]
    for percent, _ in OPENED:
        accepts = sum(place < percent for place in found)
        assert accepts <= DEVICES * (percent + 1) / 100


def test_each_device_waits_for_its_line(rooted: Device, people: People):
    """Before, at and after the opening of its bucket; a clock that is behind refuses."""
    names = {
        place: f"dev-{n}" for n in range(500) if (place := bucket(42, f"dev-{n}")) in (4, 5, 99)
    }
    ticket = Ticket(MANIFEST, opens=OPENED, expires=2_000_000_000).text
    signature = signed(ticket, people.release)
    for place, start in zip((4, 5, 99), (start for _, start in OPENED), strict=True):
        (rooted.root / "etc/rollout/device_id").write_text(names[place] + "\n")
        for now, answer in ((0, 77), (start - 1, 77), (start, 0), (start + 1, 0)):
            at(rooted, now)
            assert judge(rooted, ticket, signature)[0] == answer, (place, now)


def test_what_a_ticket_proved_of_the_time_opens_too(one_rooted: Device, people: People):
    """A device that has no clock learns the time from tickets; never an earlier one."""
    (one_rooted.root / "etc/rollout/device_id").write_text("dev-1\n")
    ticket = Ticket(MANIFEST, opens=((100, 1_764_072_000),)).text
    at(one_rooted, 0)
    assert judge(one_rooted, ticket, signed(ticket, people.release)) == (77, "not_open_yet")

    later = Ticket(MANIFEST, issued=1_764_072_000).text
    (one_rooted.root / "in/ticket").write_bytes(later)
    assert ask(one_rooted, "installed", str(one_rooted.root / "in"))[0] == 0

    assert judge(one_rooted, ticket, signed(ticket, people.release)) == (0, "ok")


@pytest.mark.parametrize("text", [None, "", "\n"])
def test_a_device_without_an_id_has_no_turn(one_rooted: Device, people: People, text: str | None):
    file = one_rooted.root / "etc/rollout/device_id"
    file.unlink() if text is None else file.write_text(text)
    ticket = Ticket(MANIFEST, opens=((100, 0),)).text

    assert judge(one_rooted, ticket, signed(ticket, people.release)) == (77, "not_open_yet")


def test_an_image_for_many_goes_by_the_hosts_own_name(one_rooted: Device, people: People):
    (one_rooted.root / "etc/rollout/device_id").write_text("@hostname\n")
    place = bucket(42, socket.gethostname())
    opened = Ticket(MANIFEST, opens=((place + 1, 0),)).text
    late = Ticket(MANIFEST, opens=((place + 1, 4_000_000_000),), expires=5_000_000_000).text

    assert judge(one_rooted, opened, signed(opened, people.release)) == (0, "ok")
    assert judge(one_rooted, late, signed(late, people.release)) == (77, "not_open_yet")
    assert one_rooted.ask("hello").fields["device-id"] == socket.gethostname()


def test_a_delivery_that_comes_too_early_can_come_again(one_rooted: Device, people: People):
    """The frames stay, so that nothing has to be sent twice."""
    opens = {"opens": ((100, 1_800_000_000),), "expires": 1_900_000_000}
    frames = ticketed(directory("r1"), one_rooted.key, people.release, **opens)
    at(one_rooted, 1_799_999_999)
    early = one_rooted.deliver(1, frames)
    assert (early.rc, early.fields["reason"]) == (77, "not_open_yet")
    assert early.fields["state"] == "staging"
    assert not (one_rooted.root / "opt").exists()
    assert floors(one_rooted) == (0, 0, 0)

    at(one_rooted, 1_800_000_000)
    offsets = {name: len(data) for name, data in frames.items()}

    assert one_rooted.deliver(1, frames, offsets=offsets).rc == 0
    assert content(one_rooted) == "r1"


# --- loss of power ---


def killed(device: Device, words: list[str], line: str, after_s: float) -> None:
    """A program of the device, and all it started, ended at some moment."""
    process = subprocess.Popen(
        words,
        env=device.environment(line) | {"ROLLOUT_ROOT": str(device.root)},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    time.sleep(after_s)  # the moment is what is tested
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def test_a_floor_is_the_old_or_the_new_one_at_any_moment(rooted: Device, people: People):
    rng = random.Random("floors")
    place = rooted.root / "in"
    place.mkdir()
    words = [str(rooted.root / "usr/lib/rollout/trust.sh"), "installed", str(place)]
    for serial in range(1, KILLS):
        (place / "ticket").write_bytes(Ticket(MANIFEST, serial=serial).text)
        killed(rooted, words, "", rng.random() * 0.04)
        assert floor(rooted, "serial") in (serial - 1, serial)

        assert ask(rooted, *words[1:])[0] == 0
        assert floor(rooted, "serial") == serial
    assert {path.name for path in (rooted.root / "var/lib/rollout/floors").iterdir()} <= {
        "serial", "time-floor", "serial.new", "time-floor.new",
    }  # fmt: skip


def test_a_commit_killed_at_any_moment_raises_the_floor_or_not_at_all(
    one_rooted: Device, people: People
):
    rng = random.Random("commit")
    held = 0
    for number in range(1, KILLS):
        assert deliver(one_rooted, people, number, serial=number, security=number)[0] == 0
        nonce = one_rooted.fields()["commit-nonce"]
        line = f"commit txn={txn(number)} controller=lab epoch=1 nonce={nonce}"
        killed(one_rooted, one_rooted.argv, line, rng.random() * 0.12)

        if one_rooted.fields()["state"] == "probation":
            assert floor(one_rooted, "security-floor") in (held, max(1, number - 1))
            assert one_rooted.commit(number).rc == 0
        held = max(1, number - 1)  # what is kept to go back to
        assert one_rooted.fields()["state"] == "committed"
        assert floor(one_rooted, "security-floor") == held


def test_a_killed_delivery_never_runs_what_its_ticket_does_not_allow(
    one_rooted: Device, people: People
):
    rng = random.Random("delivery")
    commit_release(one_rooted, people, 1, serial=5, security=1)
    frames = ticketed(directory("r2"), one_rooted.key, people.release, serial=4)
    for number in range(2, 8):
        stage(one_rooted, number, frames)
        for verb in ("verify", "install", "activate"):
            line = f"{verb} txn={txn(number)} controller=lab epoch=1"
            killed(one_rooted, one_rooted.argv, line, rng.random() * 0.1)

        assert one_rooted.do("verify", number).rc != 0
        assert one_rooted.do("activate", number).rc != 0
        assert content(one_rooted) == "r1"


def test_a_full_disk_does_not_lower_a_floor(one_rooted: Device, people: People):
    """What cannot be written is refused, before anything is installed."""
    place = one_rooted.root / "var/lib/rollout/floors"
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_text("a file where the floors should be\n")

    assert deliver(one_rooted, people, 1, serial=9) == (74, "io")
    assert not (one_rooted.root / "opt/app").exists()
