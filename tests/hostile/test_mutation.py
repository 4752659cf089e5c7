"""The lists of bad inputs are good enough to notice a verifier that was spoilt."""

from __future__ import annotations

import pytest

from tests.hostile.equivalent import EQUIVALENT
from tests.hostile.mutants import PROGRAMS, changes, mutants
from tests.hostile.mutation import chosen, figures, run

SHARE = 0.95


@pytest.mark.night  # some 1750 mutants, about a quarter of an hour of CPU together
@pytest.mark.timeout(7200)
@pytest.mark.parametrize("program", PROGRAMS)
def test_the_lists_notice_a_spoilt_verifier(program: str):
    some = chosen(program, 0, 1)

    survivors = list(run(program, some))

    print(f"figure: {program} spoilt: {figures(len(some), len(survivors))}")
    listed = "\n".join(f"{mutant.line}: {mutant.name}" for mutant in survivors)
    assert len(survivors) <= (1 - SHARE) * len(some), listed


def test_a_line_of_shell_is_changed_in_every_way():
    line = '  [ "$a" -lt 3 ] || no 65 denied "too few" # why'

    changed = {now for _, now in changes(line, is_awk=False)}

    assert changed == {
        "",
        '  [ "$a" -le 3 ] || no 65 denied "too few" # why',
        '  [ "$a" -lt 4 ] || no 65 denied "too few" # why',
        '  [ "$a" -lt 3 ] && no 65 denied "too few" # why',
        '  [ ! "$a" -lt 3 ] || no 65 denied "too few" # why',
        '  [ "" -lt 3 ] || no 65 denied "too few" # why',
        '  [ "$a" -lt 3 ] || no 66 denied "too few" # why',
        '  [ "$a" -lt 3 ] # why',
    }


def test_a_line_of_awk_is_changed_in_every_way():
    line = "  if (a < 3 && b != 0) bad()"

    changed = {now for _, now in changes(line, is_awk=True)}

    assert changed == {
        "",
        "  if (a <= 3 && b != 0) bad()",
        "  if (a < 4 && b != 0) bad()",
        "  if (a < 3 || b != 0) bad()",
        "  if (a < 3 && b == 0) bad()",
        "  if (a < 3 && b != 1) bad()",
        "  if (!a < 3 && b != 0) bad()",
        "  if (a < 3 && b != 0) 0",
    }


@pytest.mark.night
def test_what_is_called_no_change_is_still_a_mutant():
    names = {mutant.name for program in PROGRAMS for mutant in mutants(program)}

    assert set(EQUIVALENT) <= names, set(EQUIVALENT) - names
