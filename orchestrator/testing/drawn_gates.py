# ruff: noqa: PLR2004  the numbers are probabilities of a drawing, nothing else
"""Random gates of the kinds and stages that are seldom written, as keys of the plan language."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence

HTTP_URL = "http://metrics.test/"
PROMETHEUS_URL = "http://prometheus.test"
ILL_BY_QUERY = {"crashes": 1000.0, "served": 1.0, "crashed": 1.0}  # values where it is worse
WELL_BY_QUERY = {"crashes": 10.0, "served": 10.0, "crashed": 0.0}

_Drawn = dict[str, object]


def draw_gates(rng: random.Random, waves: Sequence[str]) -> Iterator[_Drawn]:
    """Gates beside the plain ones; names of waves as the plan has them."""
    draws: tuple[tuple[float, Callable[[random.Random, Sequence[str]], _Drawn]], ...] = (
        (0.06, _check_before),
        (0.06, _http_before),
        (0.08, _stats),
        (0.05, _tcp),
        (0.05, _by_device),
        (0.3, _comparison),
    )
    for share, draw in draws:
        if rng.random() < share:
            yield draw(rng, waves)


def _check_before(_rng: random.Random, _waves: Sequence[str]) -> _Drawn:
    return {
        "name": "before",
        "stage": "preflight",
        "check": "service",
        "success_when": "result.exit == 0",
        "interval": "5s",
        "timeout": "20s",
    }


def _http_before(rng: random.Random, waves: Sequence[str]) -> _Drawn:
    gate: _Drawn = {
        "name": "ready",
        "stage": "preflight",
        "http": {"url": HTTP_URL, "value": "/up"},
        "success_when": "result.value > 0",
        "interval": "10s",
        "timeout": "20s",
        "failure_limit": rng.choice((0, 2)),
        "count": 5,
    }
    return gate | ({"waves": [rng.choice(waves)]} if rng.random() < 0.3 else {})


def _stats(rng: random.Random, _waves: Sequence[str]) -> _Drawn:
    stat, condition = rng.choice((
        ("offline_after_update", "value == 0"),
        ("duration", "value < 100"),
        ("regressions", "value == 0 and failures < 3"),
    ))  # fmt: skip
    stage = rng.choice(("wave", "background"))
    return {"name": "counts", "stats": stat, "stage": stage, "success_when": condition}


def _tcp(rng: random.Random, _waves: Sequence[str]) -> _Drawn:
    return {
        "name": "open",
        "tcp": {"host": "gateway.test", "port": 443},
        "stage": rng.choice(("device", "wave", "background")),
        "success_when": "result.open",
        "interval": "10s",
        "timeout": "20s",
    }


def _by_device(rng: random.Random, _waves: Sequence[str]) -> _Drawn:
    return {
        "name": "crashes",
        "prometheus": {"url": PROMETHEUS_URL, "query": "crashes", "label": "device"},
        "stage": rng.choice(("device", "wave", "background")),
        "success_when": "value < 50",
        "interval": "10s",
        "timeout": "20s",
    }


def _comparison(rng: random.Random, waves: Sequence[str]) -> _Drawn:
    test = rng.choice(("mann_whitney", "ratio", "fisher"))
    query = "crashed" if test == "fisher" else rng.choice(("crashes", "crashes", "served"))
    harm: _Drawn = {"min_effect": 9 if test == "fisher" else rng.choice((2, 4))}
    if query == "served":
        harm = {"direction": "decrease", "min_effect": 0.5}
    return {
        "name": "compared",
        "prometheus": {"url": PROMETHEUS_URL, "query": query, "label": "device"},
        "stage": "wave",
        "waves": [rng.choice(waves[:-1] or waves)],
        "interval": "10s",
        "timeout": "20s",
        "compare": {
            "to": rng.choice(("control", "before")),
            "test": test,
            "alpha": 0.2,
            "min_samples": rng.choice((1, 2, 3)),
            **harm,
        },
    }
