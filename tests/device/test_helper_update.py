"""The helper as a release of its own: it is proven by itself, or the one before it comes back."""

from __future__ import annotations

import shutil
from pathlib import Path

from tests.device.helper_kit import NEXT_BOOT, PLACED, SplitUpdated, Updated, helper
from tests.device.kit import Key, Shell, directory, single_file, txn
from tests.device.tickets import People, Root, ticketed


def test_new_helper_answers_from_its_activation_on_and_stays_after_its_commit(updated: Updated):
    assert updated.new(1, "9.0.0").rc == 0
    trial = updated.says()
    assert updated.settle(1).rc == 0
    proven = updated.says()
    updated.boot(NEXT_BOOT)

    assert (trial["helper"], trial["state"], trial["active"]) == ("9.0.0", "probation", "yes")
    assert (proven["helper"], proven["state"], proven["active"]) == ("9.0.0", "committed", "yes")
    assert updated.hook("boot").returncode == 0
    assert updated.version() == "9.0.0"
    updated.release(2, directory("r1"))  # whole: it also installs
    assert updated.new(3, "9.0.0", unless=proven["manifest"]).rc == 0
    assert updated.says()["txn"] == txn(1)


def test_helper_goes_back_on_probation_and_after_its_commit(updated: Updated):
    updated.new(1, "9.0.0")
    updated.settle(1)
    updated.new(2, "9.1.0")
    assert updated.version() == "9.1.0"
    assert updated.settle(2, "rollback").fields["state"] == "rolled-back"
    assert (updated.version(), updated.kept()) == ("9.0.0", {txn(1)})

    updated.new(3, "9.2.0")
    updated.settle(3)
    assert updated.settle(3, "rollback").rc == 0
    fields = updated.says()
    assert (fields["helper"], fields["artifact"], fields["active"]) == ("9.0.0", "h-9.0.0", "yes")
    assert updated.settle(1, "rollback").rc == 78  # none is kept before it


def test_first_helper_goes_back_to_the_one_that_enrolment_placed(once: Updated):
    once.new(1, "9.0.0")
    once.settle(1)

    assert once.settle(1, "rollback").rc == 0

    fields = once.says()
    assert (fields["helper"], fields["artifact"], fields["state"]) == (
        PLACED,
        "none",
        "rolled-back",
    )


def test_helper_that_nobody_commits_goes_by_itself(updated: Updated):
    updated.new(1, "9.0.0", deadline=1)

    fields = updated.ends_as("rolled-back")

    assert (fields["helper"], fields["reverted"]) == (PLACED, txn(1))
    assert updated.cleaned()


def test_helper_on_probation_is_gone_after_a_loss_of_power(updated: Updated):
    updated.new(1, "9.0.0")
    updated.settle(1)
    updated.new(2, "9.1.0")
    updated.close()  # a power cut takes the dead-man too
    updated.boot(NEXT_BOOT)

    assert updated.hook("boot").returncode == 0

    fields = updated.says()
    assert (fields["helper"], fields["state"], fields["active"]) == ("9.0.0", "rolled-back", "yes")


def test_helper_on_probation_answers_nothing_after_a_boot_without_hook(once: Updated):
    once.new(1, "9.0.0")
    nonce = once.says()["commit-nonce"]
    once.close()
    once.boot(NEXT_BOOT)

    fields = once.says()
    reply = once.do("commit", 1, component="helper", nonce=nonce)

    assert (fields["helper"], fields["active"]) == (PLACED, "no")
    assert "commit-nonce" not in fields
    assert reply.rc == 78
    assert once.says()["reverted"] == txn(1)
    assert once.cleaned()


def test_helper_needs_a_ticket_and_never_falls_below_the_floor(
    once: Updated, root: Root, people: People
):
    """Roots and floors are the device's: a release of the helper changes none of them."""
    root.place(once)
    old, new = (helper(f"h-{name}", name, once.shell) for name in ("9.0.0", "9.1.0"))
    etc = {path: path.read_bytes() for path in (once.root / "etc").rglob("*") if path.is_file()}

    bare = once.bring(1, new)
    frames = ticketed(new, once.key, people.release, serial=2, security=7)
    taken = once.deliver(2, frames, component="helper")
    proven = once.settle(2)
    frames = ticketed(old, once.key, people.release, serial=3, security=6)
    older = once.deliver(3, frames, component="helper")

    assert bare.fields["reason"] == "no_ticket"
    assert (taken.rc, proven.rc) == (0, 0)
    assert older.fields["reason"] == "ticket_security"
    fields = once.says()
    assert (fields["helper"], fields["security-floor"], fields["serial"]) == ("9.1.0", "7", "2")
    assert all(path.read_bytes() == body for path, body in etc.items())


def test_core_of_the_new_helper_is_reached_by_the_same_step_to_root(
    tmp_path: Path, one_shell: Shell, key: Key
):
    split = SplitUpdated(tmp_path / "device", one_shell, key)
    try:
        assert split.new(1, "9.0.0").rc == 0
        assert split.settle(1).rc == 0
        assert split.version() == "9.0.0"
        assert split.new(2, "9.1.0").rc == 0
        assert split.settle(2, "rollback").rc == 0
        assert (split.version(), split.kept()) == ("9.0.0", {txn(1)})
    finally:
        split.close()
    assert {"activate", "commit", "rollback"} <= set(split.calls)


def test_what_stands_on_the_device_beside_the_helper_stays_in_use(once: Updated):
    own = once.root / "usr/lib/rollout/modules/own"
    shutil.copy(own.with_name("single-file"), own)
    release = single_file("conf-1")
    release.kind = "own"
    once.new(1, "9.0.0")
    once.settle(1)

    assert "own+keeps-previous" in once.ask("facts").all("module")
    once.release(2, release)
    assert (once.root / "etc/app/app.conf").exists()


def test_dead_man_of_another_component_outlives_the_helper_that_was_on_trial(once: Updated):
    once.new(1, "9.0.0")
    assert once.deliver(2, directory("r1").frames(once.key), deadline=2).rc == 0
    assert once.settle(1, "rollback").rc == 0
    assert once.cleaned()

    assert once.wait_state("rolled-back")["reverted"] == txn(2)
    assert not (once.root / "opt/app").exists()


def test_delivered_helper_counts_only_over_the_one_that_it_was_put_over(once: Updated):
    once.new(1, "9.0.0")
    once.settle(1)
    placed = once.root / "usr/lib/rollout/helper.sh"
    placed.write_text(placed.read_text().replace(f"VERSION={PLACED}\n", "VERSION=9.5.0\n"))

    fields = once.says()

    assert (fields["helper"], fields["artifact"], fields["active"]) == ("9.5.0", "h-9.0.0", "no")
    assert once.new(2, "9.6.0").rc == 0
    assert once.settle(2).rc == 0
    assert once.version() == "9.6.0"


def test_helper_is_no_release_of_another_component(once: Updated):
    reply = once.deliver(1, helper("h-9.0.0", "9.0.0", once.shell).frames(once.key))

    assert (reply.rc, reply.fields["reason"]) == (69, "install_failed")
    assert "component: helper" in reply.detail
