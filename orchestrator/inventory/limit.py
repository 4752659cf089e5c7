"""What `-l` says: a pattern, in which `@FILE` stands for the lines of a file.

Source: inventory.md, "Patterns". One term on each line, no comments and no separators; an empty
file is refused like an empty limit, where it would mean nothing to some and all to others.
"""

from __future__ import annotations

from pathlib import Path

from orchestrator.errors import PlanError, Where, system_reason
from orchestrator.plan.host_pattern import split_pattern
from orchestrator.source import shown

_BYTES_MAX = 16 * 1024 * 1024  # names of 100 000 devices are some 3 MiB


def limit_terms(text: str, *, cwd: Path) -> list[str]:
    """The terms of a limit, those of its files among them.

    Args:
        text: as a person wrote it.
        cwd: where relative paths of files begin.

    Raises:
        PlanError: an empty or malformed term; a file that cannot be read or is empty.
    """
    if "@" not in text:
        return split_pattern(text, "limit")
    terms: list[str] = []
    for part in text.split(","):
        name = part.strip()
        if name.startswith("@") and len(name) > 1:
            terms += _terms_of_file(name[1:], cwd)
        else:
            terms += split_pattern(name, "limit")
    return terms


def _terms_of_file(name: str, cwd: Path) -> list[str]:
    path = cwd / Path(name).expanduser()
    shown_name = shown(name)
    try:
        with path.open("rb") as file:
            data = file.read(_BYTES_MAX + 1)
        text = data.decode("utf-8")
    except OSError as error:
        message = f"the limit's file `{shown_name}` cannot be read: {system_reason(error)}"
        raise PlanError(
            message, hint="behind `@` stands the path of a file", code="I206"
        ) from error
    except UnicodeDecodeError as error:
        raise PlanError(f"the limit's file `{shown_name}` is not UTF-8", code="I206") from error
    if len(data) > _BYTES_MAX:
        limit_mib = _BYTES_MAX // 2**20
        message = f"the limit's file `{shown_name}` has more than {limit_mib} MiB"
        raise PlanError(message, code="I206")
    terms: list[str] = []
    for number, line in enumerate(text.split("\n"), start=1):
        term = line.strip()
        if not term:
            continue
        if term[0] in "#;" or "," in term or len(found := split_pattern(term, "limit")) != 1:
            message = f"`{shown(term)}` is not one name or pattern"
            hint = "one on each line, without comments"
            where = Where(shown_name, number, line.index(term[0]) + 1)
            raise PlanError(message, hint=hint, where=where, code="I206")
        terms += found
    if not terms:
        hint = "an empty limit would mean no device to some and all to others"
        raise PlanError(f"the limit's file `{shown_name}` is empty", hint=hint, code="I206")
    return terms
