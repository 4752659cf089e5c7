"""The chain of hashes that every journal of a store hangs on.

Laws:
1. The rollouts of a store follow one another: the `origin` of each is made of the one before it and
   of what never changes of the rollout, its plan included.
2. The entries of a rollout's journal follow its origin: the hash of each is made of the hash before
   it and of the entry's columns as they are stored.
3. So one hash stands for all entries up to its own, and for the rollouts before; rollouts still
   commit side by side, as nothing that happens later to one changes another's hashes.
4. The journal of acts (`rollout.acts`) is a chain beside them, with a beginning of its own.
5. Each hash is the SHA-256 of the hash before it, a line feed, and a JSON list in ASCII without
   blanks. This form never changes: hashes that were handed out must be found again.

Source: design "device-and-trust" B.1, audit log; docs/adr/0011-journal-chain.md.
"""

from __future__ import annotations

import hashlib
from json.encoder import encode_basestring_ascii as _text
from typing import NamedTuple


class Written(NamedTuple):
    """An entry of a journal as it is stored: `data` is the text of its JSON object."""

    seq: int
    at: float
    type: str
    wave: str
    device: str
    data: str
    epoch: int


def beginning(controller_id: str) -> str:
    """What the first rollout of a store follows."""
    return _hash(f"rollout-journal 1\n{controller_id}")


def beginning_of_acts(controller_id: str) -> str:
    """What the first entry of a store's journal of acts follows."""
    return _hash(f"rollout-acts 1\n{controller_id}")


def origin(previous: str, number: int, rollout_id: str, plan_sha256: str) -> str:
    """What the first entry of a rollout's journal follows.

    Args:
        previous: the origin of the rollout before it, or the store's `beginning`.
        number: rollouts are counted from 1 as they are made.
        rollout_id: its id.
        plan_sha256: of its plan's bytes as they are stored.
    """
    return _hash(f'{previous}\n[{number},{_text(rollout_id)},"{plan_sha256}"]')


def link(previous: str, entry: Written) -> str:
    """The hash of an entry; `previous` is that of the entry before it, or the rollout's origin."""
    seq, at, kind, wave, device, data, epoch = entry
    # written out: this is most of the time that a million entries take
    return _hash(
        f"{previous}\n[{seq},{at!r},{_text(kind)},{_text(wave)},{_text(device)},{_text(data)},{epoch}]"
    )


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode("ascii")).hexdigest()
