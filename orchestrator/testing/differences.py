"""Differences in simulations: where one lies beside a release, who can take it, and whether it is spoilt."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Collection, Iterator, Mapping, Sequence

from orchestrator.device.model import DeviceId
from orchestrator.device.protocol import Frame
from orchestrator.engine.deltas import Delta
from orchestrator.testing.faults import Fault, FaultKind
from orchestrator.testing.plans import SimulatedArtifact

OLD_FILE = hashlib.sha256(b"what it runs").hexdigest()
OLD_FILE_BYTES = 12
_FILE = "data/0000/payload"


def draw_differences(seed: int, devices: Sequence[DeviceId], rollouts: int) -> Iterator[Fault]:
    """What a seed has of them; drawn apart, so that other scenarios stay what they are."""
    rng = random.Random(f"differences/{seed}")  # noqa: S311  scenarios, not secrets
    for number in range(1, rollouts + 1):
        if rng.random() < 0.3:  # noqa: PLR2004
            yield Fault(FaultKind.DIFFERENCE, number, span=rng.choice((0.0, 0.0, 1.0)))
    share = rng.choice((0.3, 0.7, 1.0))
    for device in devices:
        if rng.random() < share:
            yield Fault(FaultKind.PATCHES, device=device)


def differences(
    artifacts: Sequence[str], old_manifest: str, faults: Collection[Fault]
) -> Mapping[str, tuple[Delta, ...]]:
    """What lies beside each release, by its name."""
    here = {int(one.at): one for one in faults if one.kind is FaultKind.DIFFERENCE}
    return {
        name: (difference(name, old_manifest, spoilt=here[number].span > 0),)
        for number, name in enumerate(artifacts, 1)
        if number in here
    }


def difference(name: str, old_manifest: str, *, spoilt: bool = False) -> Delta:
    """One from what devices run to the release of that name; a spoilt one makes another file."""
    made = SimulatedArtifact.of(name).payload
    patch = b"patch " + (made[1:] if spoilt else made)
    return Delta(
        old_manifest=old_manifest,
        old_size_bytes=OLD_FILE_BYTES,
        old_sha256=OLD_FILE,
        name=_FILE,
        size_bytes=len(made),
        sha256=hashlib.sha256(made).hexdigest(),
        patch=Frame(
            "patch", len(patch), hashlib.sha256(patch).hexdigest(), lambda at: iter([patch[at:]])
        ),
    )
