"""Which device goes in which wave (R1, R2, R5); numbers from the rules' text."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrator.device.model import DeviceId
from orchestrator.plan.filling import Filling, WaveSpec, fill_waves
from orchestrator.plan.waves import CountSize, RestSize, ShareSize, Size, check_sizes


def size(written: object) -> Size:
    if written == "rest":
        return RestSize()
    if isinstance(written, int):
        return CountSize(written)
    if isinstance(written, tuple):
        percent, low, high = written
        return ShareSize(Fraction(percent) / 100, low, high)
    return ShareSize(Fraction(str(written).removesuffix("%")) / 100)


def spec(written: object) -> WaveSpec:
    """A wave as `size`, `(size, claim)` or `(size, claim, cover)`; claims are words of names."""
    if isinstance(written, list):
        words, claim, *cover = written
        claimed = None if claim is None else frozenset(DeviceId(name) for name in claim.split())
        return WaveSpec(size(words), claimed, tuple(cover[0].split() if cover else ()))
    return WaveSpec(size(written))


def fill(waves: list[object], devices: str) -> Filling:
    """Waves of devices in order, each written as `name` or `name:value of its label kind`."""
    labels = {}
    for word in devices.split():
        name, _, values = word.partition(":")
        kinds = dict(zip(("kind", "site"), values.split("/"), strict=False)) if values else {}
        labels[DeviceId(name)] = {key: value for key, value in kinds.items() if value}
    specs = [spec(each) for each in waves]
    return fill_waves(specs, tuple(labels), labels.__getitem__, tuple)


def shown(filling: Filling) -> list[str]:
    return [" ".join(wave.devices) for wave in filling.waves]


# R2: "A wave with its own hosts claims those devices first and its percent is of them; N of the
# other waves = all plan devices not so claimed."
@pytest.mark.parametrize(
    ("waves", "devices", "expected"),
    [
        ([["100%", ""], "rest"], "", ["", ""]),
        ([["100%", "a"], "rest"], "a", ["a", ""]),
        ([["100%", "b"], "rest"], "a b", ["b", "a"]),
        ([["100%", "a b"], "rest"], "a b", ["a", "b"]),  # never the whole fleet
        ([["rest", "a b"], "rest"], "a b", ["a", "b"]),
        ([["100%", "c d"], "rest"], "a b c d", ["c d", "a b"]),
        ([["50%", "c d"], "rest"], "a b c d", ["c", "a b d"]),  # what it leaves is of the others
        ([["50%", "b c d"], "rest"], "a b c d", ["b", "a c d"]),
        ([[1, "c d"], "50%", "rest"], "a b c d", ["c", "a", "b d"]),
        ([[9, "c d"], "50%", "rest"], "a b c d e", ["c d", "a", "b e"]),
        # wherever it stands, it chooses first; 50 % of the other three are one
        (["50%", "rest", ["100%", "a"]], "a b c d", ["b", "c d", "a"]),
        (["50%", ["100%", "a"], "rest"], "a b c d", ["b", "a", "c d"]),
        # 29 % of 100 not claimed ones
        (
            [["100%", "x0 x1"], "29%", "rest"],
            "x0 x1 " + " ".join(f"d{n}" for n in range(100)),
            ["x0 x1", " ".join(f"d{n}" for n in range(29)),
             " ".join(f"d{n}" for n in range(29, 100))],
        ),
        # two claims, each share of its own
        ([["50%", "a b"], ["100%", "c d"], "rest"], "a b c d e", ["a", "c d", "b e"]),
        ([["100%", "a b"], ["100%", "c d"]], "a b c d", ["a b", "c d"]),
        ([[(50, 3, 4), "a b c d e f"], "rest"], "a b c d e f g", ["a b c", "d e f g"]),
        ([[(10, 3, None), "a b c d e f"], "rest"], "a b c d e f g", ["a b c", "d e f g"]),
        # the claims keep the order of the plan
        ([["100%", "c a b"], "rest"], "c b a d", ["c b a", "d"]),
    ],
)  # fmt: skip
def test_r2_waves_with_hosts_of_their_own(
    waves: list[object], devices: str, expected: list[str]
) -> None:
    filling = fill(waves, devices)

    assert shown(filling) == expected
    assert filling.left == ()


def test_devices_of_no_wave_are_left() -> None:
    filling = fill([["50%", "a b"], ["100%", "c"]], "a b c d")

    assert shown(filling) == ["a", "c"]
    assert filling.left == ("b", "d")


@pytest.mark.parametrize(
    ("waves", "devices", "capped"),
    [
        ([1, "rest"], "a", [False, False]),
        ([1, "rest"], "a b", [False, False]),
        ([2, "rest"], "a b", [True, False]),
        (["100%", "rest"], "a b", [True, False]),
        (["100%"], "a b", [False]),
        ([["100%", "a b"], "rest"], "a b", [True, False]),
        ([["100%", "a"], "rest"], "a b", [False, False]),
        (["rest", ["100%", "b"]], "a b", [False, False]),
        ([3, 1], "a b c", [True, False]),
        ([[1, None, "kind"], "rest"], "a:x b:y", [True, False]),
    ],
)
def test_first_wave_is_never_the_whole_fleet(
    waves: list[object], devices: str, capped: list[bool]
) -> None:
    filling = fill(waves, devices)

    assert [wave.capped for wave in filling.waves] == capped


# R5: "After taking the prefix, for each value of the cover key that exists but is not taken, add its
# first device in order. The wave grows."
@pytest.mark.parametrize(
    ("waves", "devices", "expected", "added"),
    [
        ([[1, None, "kind"], "rest"], "", ["", ""], ""),
        ([[1, None, "kind"], "rest"], "a:x", ["a", ""], ""),
        ([[1, None, "kind"], "rest"], "a:x b:x", ["a", "b"], ""),
        ([[1, None, "kind"], "rest"], "a:x b:y", ["a", "b"], ""),  # two of two: the cap wins
        ([[1, None, "kind"], "rest"], "a:x b:x c:y", ["a c", "b"], "c"),
        ([[1, None, "kind"], "rest"], "a:x b:y c:y", ["a b", "c"], "b"),
        ([[2, None, "kind"], "rest"], "a:x b:y c:y", ["a b", "c"], ""),
        # the first in order of each, in order
        ([[1, None, "kind"], "rest"], "a:x b:x c:z d:y e:y f:z", ["a c d", "b e f"], "c d"),
        # all values in the prefix already
        ([["50%", None, "kind"], "rest"], "a:x b:y c:x d:y", ["a b", "c d"], ""),
        # a device without the label has no value
        ([[1, None, "kind"], "rest"], "a b c:x d", ["a c", "b d"], "c"),
        ([[1, None, "kind"], "rest"], "a:x b c", ["a", "b c"], ""),
        # 1 % of 4 is one, and grows by two
        ([["1%", None, "kind"], "rest"], "a:x b:y c:z d:x", ["a b c", "d"], "b c"),
        # the cap stops the growth, not the prefix
        ([[1, None, "kind"], "rest"], "a:x b:y c:z", ["a b", "c"], "b"),
        # later waves count what is left
        (
            [[1, None, "kind"], [1, None, "kind"], "rest"],
            "a:x b:x c:y d:y e:x f:z",
            ["a c f", "b d", "e"],
            "c f d",
        ),
        # shares of later waves are of all, from what is left
        ([[1, None, "kind"], "50%", "rest"], "a:x b:x c:y d:x", ["a c", "b d", ""], "c"),
        # two labels, one after the other; one device may cover both
        ([[1, None, "kind site"], "rest"], "a:x/1 b:y/1 c:x/2 d:y/2", ["a b c", "d"], "b c"),
        ([[1, None, "kind site"], "rest"], "a:x/1 b:x/1 c:y/2 d:y/1", ["a c", "b d"], "c"),
        # within its own hosts only
        ([[1, "b c d", "kind"], "rest"], "a:y b:x c:x d:y e:z", ["b d", "a c e"], "d"),
        ([["100%", "b c", "kind"], "rest"], "a:y b:x c:x", ["b c", "a"], ""),
        # a last wave has all that is left
        ([1, ["rest", None, "kind"]], "a:x b:y c:z", ["a", "b c"], ""),
    ],
)
def test_r5_cover(waves: list[object], devices: str, expected: list[str], added: str) -> None:
    filling = fill(waves, devices)

    assert shown(filling) == expected
    covered = [each.device for wave in filling.waves for each in wave.covered]
    assert " ".join(covered) == added


def test_covered_devices_say_what_for() -> None:
    (first, _) = fill([[1, None, "kind site"], "rest"], "a:x/1 b:y/1 c:x/2 d:x/1").waves

    assert [(each.device, each.label, each.value) for each in first.covered] == [
        ("b", "kind", "y"),
        ("c", "site", "2"),
    ]


_sizes = st.one_of(
    st.integers(1, 20).map(CountSize),
    st.integers(1, 1000).map(lambda tenths: ShareSize(Fraction(tenths, 1000))),
    st.just(RestSize()),
)


@settings(deadline=None)
@given(
    st.lists(st.tuples(_sizes, st.none() | st.integers(0, 3), st.booleans()), max_size=5),
    st.integers(1, 60),
)
def test_every_device_stands_in_one_wave(
    written: list[tuple[Size, int | None, bool]], count: int
) -> None:
    ids = [DeviceId(f"d{number}") for number in range(count)]
    claims = {rank: frozenset(ids[rank::7]) for rank in range(4)}
    specs: list[WaveSpec] = []
    for each, rank, covers in written:
        claim = None if rank is None else claims.pop(rank, frozenset())
        specs.append(WaveSpec(each, claim, ("kind",) if covers else ()))
    specs.append(WaveSpec(RestSize()))
    if check_sizes([each.size for each in specs if each.claim is None]):
        return

    filling = fill_waves(specs, ids, lambda device: {"kind": device[-1]}, tuple)

    placed = [device for wave in filling.waves for device in wave.devices]
    assert sorted(placed) == sorted(ids)
    assert filling.left == ()
    assert len(filling.waves[0].devices) < count or count == 1 or len(specs) == 1
