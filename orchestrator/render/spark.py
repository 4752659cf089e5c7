"""Samples as a line of small bars: the newest at the right end, as many as there is room for.

Laws:
1. A sample without a number is a sign of its own, so that a gap never looks like a low value.
2. Colour is never the only sign: who shows a line of bars says beside it how many failed.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import groupby

from orchestrator.render.gate_track import Sample
from orchestrator.render.text import Look, Style
from orchestrator.rollout.verdict import Reading

_BARS = "▁▂▃▄▅▆▇█"
_ASCII_BARS = "_.-=*#"
_SIGNS: Mapping[Reading, tuple[str, str]] = {  # without a number
    Reading.SUCCESS: ("▪", "o"),
    Reading.FAILED: ("✗", "x"),
    Reading.INCONCLUSIVE: ("~", "~"),
    Reading.NO_DATA: ("?", "?"),
    Reading.ERROR: ("!", "!"),
}
_STYLES: Mapping[Reading, Style] = {
    Reading.SUCCESS: Style.ACCENT,
    Reading.FAILED: Style.BAD,
    Reading.INCONCLUSIVE: Style.WARN,
    Reading.NO_DATA: Style.WARN,
    Reading.ERROR: Style.WARN,
}


def spark(samples: Iterable[Sample], cells_count: int, look: Look) -> str:
    """The last samples, painted and filled with blanks to `cells_count` cells."""
    shown = tuple(samples)[-cells_count:]
    marks = list(zip(_marks(shown, look), (_STYLES[one.reading] for one in shown), strict=True))
    painted = (
        look.paint("".join(mark for mark, _ in run), style)
        for style, run in groupby(marks, key=lambda pair: pair[1])
    )
    return "".join(painted) + " " * (cells_count - len(shown))


def _marks(shown: Sequence[Sample], look: Look) -> Iterable[str]:
    bars = _BARS if look.unicode else _ASCII_BARS
    values = [one.value for one in shown if one.value is not None]
    low, high = (min(values), max(values)) if values else (0.0, 0.0)
    for one in shown:
        if one.value is None:
            unicode, plain = _SIGNS[one.reading]
            yield unicode if look.unicode else plain
        elif high == low:
            yield bars[0]
        else:
            # halves first: the difference of two floats may be beyond the largest one
            share = (one.value / 2 - low / 2) / (high / 2 - low / 2)
            yield bars[min(len(bars) - 1, int(share * len(bars)))]
