# ruff: noqa: PLR2004  the numbers are probabilities of a drawing, nothing else
"""Random limits, hours, deadlines, budgets and approvals, as keys of the plan language.

Each is drawn seldom, so that a plan has few of them and seeds stay unlike each other; some seeds
draw many. Times lie around the beginning of a simulation, so that they matter within it.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from orchestrator.device.model import DeviceId
from orchestrator.testing.clock import EPOCH_S

ZONES = ("UTC", "Europe/Berlin", "America/New_York", "Asia/Kolkata")
ROLES = ("ops", "safety")
_SITES = 3
_HARDWARE = 2

_Drawn = dict[str, object]


def labels_of(device: DeviceId) -> Mapping[str, str]:
    """The labels of a simulated device, by its number."""
    number = int(device.rpartition("-")[2])
    return {
        "site": f"s{number % _SITES}",
        "hardware": f"h{number // _SITES % _HARDWARE}",
        "timezone": ZONES[number % len(ZONES)],
    }


def draw_controls(rng: random.Random) -> _Drawn:
    """What steers a rollout beside its waves and gates."""
    often = rng.choice((0.06, 0.06, 0.06, 0.25))
    keys: tuple[tuple[str, Callable[[random.Random], object]], ...] = (
        ("start_at", lambda rng: _instant(rng.uniform(-100, 900))),
        ("freezes", _freezes),
        ("deadline", _deadline),
        ("rate", _rate),
        ("max_parallel_per", _per_label),
        ("budget", _budget),
        ("approval", draw_approval),
        ("spread", lambda rng: rng.choice((["site"], ["site", "hardware"]))),
        ("order", lambda rng: rng.choice(("inventory", "sorted", "reverse_inventory"))),
        ("sticky", lambda _rng: True),
        ("backfill", lambda rng: rng.choice((False, {"limit": 1}, {"limit": 3}))),
    )
    drawn = {key: draw(rng) for key, draw in keys if rng.random() < often}
    if drawn.get("order") is not None:
        drawn.pop("sticky", None)  # only an order by hash has a seed
    if rng.random() < 2 * often:
        drawn["windows"] = [_window(rng) for _ in range(rng.randint(1, 4))]
        if rng.random() < 0.35:
            drawn["stage_outside_window"] = True
    return drawn


def draw_place(rng: random.Random) -> _Drawn:
    """Where a plan stands among others."""
    keys: tuple[tuple[str, Callable[[random.Random], object]], ...] = (
        ("priority", lambda rng: rng.choice((0, 400, 1000))),
        ("on_conflict", lambda rng: rng.choice(("queue", "supersede", "fail"))),
        ("component", lambda _rng: "modem"),
    )
    return {key: draw(rng) for key, draw in keys if rng.random() < 0.1}


def draw_claims(rng: random.Random, waves: Sequence[object]) -> list[object]:
    """The waves, sometimes one or two of them with hosts of their own: the devices of a site."""
    drawn = [*waves]
    sites = rng.sample(range(_SITES), _SITES - 1)
    for site in sites[: rng.choice((1, 1, 2))] if rng.random() < 0.2 else ():
        place = rng.randrange(len(drawn))
        wave = drawn[place]
        sized = isinstance(wave, dict) and "size" in wave
        if place + 1 < len(drawn):
            drawn[place] = {**(wave if sized else {"size": wave}), "hosts": f"site_s{site}"}  # type: ignore[dict-item]
    return drawn


def claims_of(
    waves: Sequence[object], devices: Sequence[DeviceId]
) -> Mapping[str, Sequence[DeviceId]]:
    """The devices that the own hosts of waves select, by name of the wave."""
    return {
        str(wave.get("name", f"wave-{number}")): [
            device for device in devices if f"site_{labels_of(device)['site']}" == wave["hosts"]
        ]
        for number, wave in enumerate(waves, 1)
        if isinstance(wave, dict) and "hosts" in wave
    }


def draw_rollback(rng: random.Random, controls: Mapping[str, object]) -> _Drawn:
    """What a rollback minds beside its scope."""
    drawn: _Drawn = {"order": "forward"} if rng.random() < 0.15 else {}
    for key, respect in (("windows", "respect_windows"), ("freezes", "respect_freezes")):
        if key in controls and rng.random() < 0.4:
            drawn[respect] = True
    return drawn


def draw_wave_controls(rng: random.Random, *, approved: bool) -> _Drawn:
    """What one wave has for itself; with `approved` the whole plan needs an approval already."""
    keys: tuple[tuple[str, Callable[[random.Random], object]], ...] = (
        ("deadline", _deadline),
        ("approval", draw_approval),
        ("window", _burst),
        ("cover", lambda _rng: ["site"]),
    )
    often = {"approval": 0.4} if approved else {}
    return {key: draw(rng) for key, draw in keys if rng.random() < often.get(key, 0.04)}


def _instant(seconds: float) -> str:
    at = datetime.fromtimestamp(EPOCH_S, UTC) + timedelta(seconds=round(seconds))
    return at.strftime("%Y-%m-%dT%H:%M:%SZ")


def _window(rng: random.Random) -> _Drawn:
    zone = rng.choice((*ZONES, "device", "device"))
    shown = ZoneInfo(rng.choice(ZONES) if zone == "device" else zone)
    at = datetime.fromtimestamp(EPOCH_S, shown) + timedelta(minutes=rng.uniform(-30, 120))
    window: _Drawn = {
        "start": at.strftime("%H:%M"),
        "duration": rng.choice(("3m", "10m", "40m", "4h", "23h")),
        "timezone": zone,
    }
    if rng.random() < 0.4:
        window["must_finish"] = True
    if rng.random() < 0.3:
        days = {(at + timedelta(days=ahead)).strftime("%a").lower() for ahead in range(2)}
        window["days"] = sorted(days)
    return window


def _freezes(rng: random.Random) -> list[_Drawn]:
    freezes: list[_Drawn] = []
    for _ in range(rng.choice((1, 1, 2))):
        start = rng.uniform(-100, 600)
        length = rng.choice((30, 200, 2000, 20_000))
        freezes.append({"from": _instant(start), "to": _instant(start + length)})
    return freezes


def _deadline(rng: random.Random) -> object:
    after = rng.choice(("40s", "2m", "10m", "1h"))
    if rng.random() < 0.3:
        return after
    return {"after": after, "action": rng.choice(("pause", "halt"))}


def _rate(rng: random.Random) -> _Drawn:
    rate: _Drawn = {"per_minute": rng.choice((1, 2, 5, 7, 30))}
    if rng.random() < 0.6:
        rate["increase"] = {
            "factor": rng.choice((1.5, 2, 3)),
            "after_successes": rng.randint(1, 5),
            "max_per_minute": rng.choice((30, 60)),
        }
    return rate


def _per_label(rng: random.Random) -> _Drawn:
    limits: _Drawn = {"site": rng.randint(1, 3)}
    if rng.random() < 0.3:
        limits["hardware"] = rng.randint(1, 4)
    return limits


def _budget(rng: random.Random) -> _Drawn:
    choices: _Drawn = {
        "max_failures": rng.randint(0, 4),
        "max_fail_percentage": rng.choice((0, 3, 10, 29, 50)),
        "window": _burst(rng),
    }
    chosen = rng.sample(sorted(choices), rng.randint(1, 2))
    return {key: choices[key] for key in chosen}


def _burst(rng: random.Random) -> _Drawn:
    return {"failures": rng.randint(0, 2), "in": rng.choice(("30s", "5m", "1h"))}


def draw_approval(rng: random.Random) -> _Drawn:
    """Who must agree."""
    approval: _Drawn = {"required": rng.choice((1, 1, 2))}
    if rng.random() < 0.4:
        approval["from"] = rng.choice((["ops"], list(ROLES)))
    if rng.random() < 0.4:
        approval["not_author"] = True
    if rng.random() < 0.5:
        approval["expires"] = rng.choice(("5m", "1h", "10h"))
    return approval
