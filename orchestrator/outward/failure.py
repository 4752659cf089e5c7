"""Why something outside could not be asked or told."""

from __future__ import annotations

from typing import Self

HIDDEN = "(hidden)"  # in place of a secret that somebody repeated
TEXT_MAX = 300  # an error stands in one line of the journal and of the terminal


class OutwardError(Exception):
    """Trouble outside; the text is printable ASCII of bounded length.

    What a server or a command said never stands in it unescaped.
    """

    def __init__(self, text: str) -> None:
        self._said = text
        safe = ascii(text)[1:-1]
        super().__init__(safe if len(safe) <= TEXT_MAX else safe[: TEXT_MAX - 3] + "...")

    def without(self, secret: str) -> Self:
        """The same trouble in words that do not hold the secret, also where they are cut."""
        return type(self)(self._said.replace(secret, HIDDEN))
