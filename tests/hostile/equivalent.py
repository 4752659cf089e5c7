"""Mutants that are the same program, each with the reason; they are not counted."""

from __future__ import annotations

EQUIVALENT: dict[str, str] = {}
