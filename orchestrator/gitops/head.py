"""Whether the commit that a branch names now may be taken.

Laws:
1. History only grows: a commit that does not descend from the last one that was taken is refused,
   until the branch descends from that again or a person accepts this very commit.
2. The first commit of a source is taken as it is: there is nothing to compare it with.
"""

from __future__ import annotations

from enum import StrEnum


class Head(StrEnum):
    """What a branch offers, compared with the last commit that was taken of it."""

    SAME = "same"
    NEWER = "newer"  # or the first
    ACCEPTED = "accepted"  # history was written anew, and a person said yes to this commit
    REWRITTEN = "rewritten"


def judge(*, taken: str, offered: str, descends: bool, accepted: str = "") -> Head:
    """What to make of the offered commit.

    Args:
        taken: the last commit that was taken; empty for none.
        offered: what the branch names now.
        descends: whether it has the taken one among its ancestors.
        accepted: the commit that a person accepts although history was written anew.
    """
    if offered == taken:
        return Head.SAME
    if not taken or descends:
        return Head.NEWER
    return Head.ACCEPTED if offered == accepted else Head.REWRITTEN
