"""Why a sample could not be taken."""

from __future__ import annotations

from orchestrator.outward.failure import OutwardError


class ProbeError(OutwardError):
    """Becomes the `error` of a sample; what kinds of gates raise, in words for people."""
