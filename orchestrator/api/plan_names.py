"""What a plan calls itself, also where it cannot be planned."""

from __future__ import annotations

import json
import re
from pathlib import Path

from orchestrator.api.project import read_file
from orchestrator.errors import PlanError

_NAME = re.compile(
    r"^name: *[\"']?([A-Za-z0-9][A-Za-z0-9._-]{0,63})[\"']?\s*(?:#.*)?$", re.MULTILINE
)
_ODD = re.compile(r"[^A-Za-z0-9._-]+")


def plan_name(path: Path) -> str:
    """The name that the plan has, or seems to have; else one made of its file's name.

    For what is said of plans that are refused: never a name that decides anything.
    """
    from orchestrator.plan.envelope import is_saved

    try:
        data = read_file(path)
    except PlanError:
        data = b""
    if is_saved(data):
        return _saved_name(data) or _file_name(path)
    found = _NAME.search(data.decode(errors="replace"))
    return found[1] if found else _file_name(path)


def _saved_name(data: bytes) -> str:
    try:
        name = json.loads(data)["plan"]["name"]
    except (ValueError, KeyError, TypeError, RecursionError):
        return ""
    return name if isinstance(name, str) and _NAME.fullmatch(f"name: {name}") else ""


def _file_name(path: Path) -> str:
    return _ODD.sub("-", path.stem).strip("-.") or "plan"
