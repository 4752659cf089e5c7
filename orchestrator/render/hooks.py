"""What hooks were told, as lines below a rollout's journal."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from orchestrator.render.text import escape
from orchestrator.rollout.notices import Delivery


def hook_lines(deliveries: Iterable[Delivery]) -> Iterator[str]:
    """A line for each notice that was tried."""
    for made in deliveries:
        event = made.event.replace("_", " ")
        tries = "1 attempt" if made.attempts == 1 else f"{made.attempts} attempts"
        came_of_it = f"told ({tries})" if made.delivered else f"not told ({tries}): {made.detail}"
        yield escape(f"hook {made.hook + 1}, {made.to}: {event} (entry {made.seq}): {came_of_it}")
