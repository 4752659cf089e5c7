"""Acts as lines: who, what, why, and what came of it; hostile words stay words."""

from orchestrator.render.acts import acts_text
from orchestrator.render.text import Look
from orchestrator.rollout.acts import ActTold, End

AT = 1_763_812_800.0
ACT = ActTold(7, AT, "device_fetch", "gw-044", "ann@desk", "a look", {"path": "/var/log/\x1b[2J"})


def text(act, width=100):
    return acts_text([act], Look(width=width))


def test_act_with_its_end_is_told():
    ended = ActTold(
        7, AT, "device_fetch", "gw-044", "ann@desk", "a look", {"path": "/x"},
        End(AT + 72, "ok", what={"size_bytes": 2048, "sha256": "ab"}),
    )  # fmt: skip

    assert text(ended).splitlines() == [
        "7 2025-11-22 12:00 UTC device fetch gw-044 by ann@desk, path /x",
        "    why: a look",
        "    ended well after 1m12s, size 2.0 KiB, sha256 ab",
    ]


def test_act_without_an_end_says_so():
    assert "no end is recorded: it goes on, or whoever did it was killed" in text(ACT)


def test_what_devices_and_people_said_is_escaped_and_fits_the_width():
    bad = ActTold(
        8, AT, "new\x1bkind", "gw\x07", "eve\u202e", "\x1b[31m" * 20, {"k\x1b": "v\x1b" * 200},
        End(AT, "time\x1bout", "\x1b]0;x\x07"),
    )  # fmt: skip

    shown = text(bad, width=60)

    assert "\x1b" not in shown
    assert "\u202e" not in shown
    assert all(len(line) <= 60 for line in shown.splitlines())
