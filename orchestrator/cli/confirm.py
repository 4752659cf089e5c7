"""Questions before something happens: the answer names how many devices it concerns."""

from __future__ import annotations

import sys

from orchestrator.cli.keyboard import forget_typed
from orchestrator.cli.session import Session
from orchestrator.cli.streams import say
from orchestrator.errors import PlanError
from orchestrator.render.text import escape, number, plural


def confirm_devices(session: Session, what: str, device_count: int, *, yes: bool) -> None:
    """Lets a person type the number of devices; a habit of `y` must not be enough.

    Args:
        session: says whether anybody can answer.
        what: the deed, such as `Apply`.
        device_count: how many devices it concerns at most.
        yes: the answer was given on the command line.

    Raises:
        PlanError: nobody can be asked, or the answer was another one.
    """
    if yes:
        return
    if not session.may_ask:
        devices = plural(device_count, "device")
        message = f"`{what.lower()}` concerns {devices} and needs a confirmation"
        raise PlanError(message, hint="add `--yes` where nobody can be asked")
    answer = _asked(f"{what}: {plural(device_count, 'device')}? Type {device_count}: ")
    if answer.replace(" ", "") != str(device_count):
        message = f"not confirmed: the answer was not {number(device_count)}; nothing was changed"
        raise PlanError(message)


def confirm_key(session: Session, device: str, fingerprint: str) -> bool:
    """Whether a person vouches for a device's host key."""
    if not session.may_ask:
        return False
    say(f"{escape(device)} shows the host key {escape(fingerprint)}")
    return _asked("Compare it with the device's own. Is it the same? Type yes: ") == "yes"


def _asked(question: str) -> str:
    """The line that is typed once the question stands there: what was typed before answers nothing."""
    forget_typed(sys.stdin)
    sys.stderr.write(question)
    sys.stderr.flush()
    return sys.stdin.readline().strip()
