"""Helpers that do not work: refused where it can be seen, and taken back where it cannot."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.device.helper_kit import PLACED, Updated, helper, text, without
from tests.device.kit import Release, txn


def night(*values: object) -> Any:
    """A case like its neighbour, half a second each."""
    return pytest.param(*values, marks=pytest.mark.night)


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        (text("helper.sh", b"\nset -fu\n", b"\nif then\n"), "install_failed"),
        night(text("trust.sh", b"\nset -fu\n", b"\nif then\n"), "install_failed"),
        night(without("executor.sh"), "install_failed"),
        (without("module.rollout-helper"), "install_failed"),
        (text("helper.sh", b"\nset -fu\n", b"\nexit 0\n"), "activate_failed"),
        night(text("helper.sh", b"\nfields() {", b"\nfields() { return 0\n"), "activate_failed"),
        (text("helper.sh", b"\n  echo $$\n", b"\n  exit 1\n"), "activate_failed"),
    ],
    ids=["syntax", "verifier", "executor", "module", "silent", "empty", "deadman"],
)
def test_helper_that_is_seen_to_be_broken_is_refused_at_once(
    once: Updated, spoil: Callable[[Release], None], reason: str
):
    release = helper("h-9.0.0", "9.0.0", once.shell)
    spoil(release)

    reply = once.bring(1, release)

    assert (reply.rc, reply.fields["reason"]) == (69, reason), reply
    assert once.version() == PLACED
    assert once.kept() == set()


# Broken from a moment on that no check of the device's own could see.
BROKEN = b'[ ! -e "$ROOT/broken" ] || '
HOLDS_LOCK = b'  load "$P_component"\n  recover\n'


@pytest.mark.parametrize(
    "spoil",
    [
        night(text("helper.sh", b"\nnum() {", b"\n" + BROKEN + b"exit 1\nnum() {")),
        text("helper.sh", b"\nnum() {", b"\n" + BROKEN + b"exec sleep 20\nnum() {"),
        night(text("helper.sh", b"\nnum() {", b"\n" + BROKEN + b". /nonexistent\nnum() {")),
        text("helper.sh", HOLDS_LOCK, b"  " + BROKEN + b"sleep 20\n" + HOLDS_LOCK),
    ],
    ids=["exits", "hangs", "not-found", "hangs-in-the-lock"],
)
def test_helper_that_breaks_on_probation_is_taken_back_without_any_connection(
    once: Updated, spoil: Callable[[Release], None]
):
    release = helper("h-9.0.0", "9.0.0", once.shell)
    spoil(release)
    assert once.bring(1, release, deadline=2).rc == 0
    nonce = once.says().get("commit-nonce", "late")
    (once.root / "broken").touch()
    words = f"txn={txn(1)} controller=lab epoch=1 component=helper nonce={nonce}"
    hanging = [once.start(f"commit {words}"), once.start("hello component=helper")]

    fields = once.ends_as("rolled-back")

    assert (fields["helper"], fields["reverted"]) == (PLACED, txn(1))
    assert once.cleaned()
    assert len(hanging) == 2


def test_helper_that_cannot_commit_itself_is_taken_back_by_the_one_before(once: Updated):
    release = helper("h-9.0.0", "9.0.0", once.shell)
    release.payload["executor.sh"] = b"#!/bin/sh\nexit 1\n"
    assert once.bring(1, release).rc == 0
    assert once.version() == "9.0.0"

    reply = once.settle(1)

    assert (reply.rc, reply.fields["reason"]) == (69, "commit_failed")
    assert once.version() == PLACED


def test_helper_with_missing_parts_cannot_be_committed(once: Updated):
    once.new(1, "9.0.0")
    nonce = once.says()["commit-nonce"]
    (once.place / txn(1) / "checks.sh").unlink()
    read_back = once.says()["active"]

    reply = once.do("commit", 1, component="helper", nonce=nonce)

    assert read_back == "no"
    assert (reply.rc, reply.fields["reason"]) == (69, "commit_failed")
    assert once.version() == PLACED
