"""What is signed: one text in one form."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.errors import TrustError
from orchestrator.trust.statement import BYTES_MAX, START, Statement, namespace_of, read_statement

TEXT = (
    "rollout-approval 1\nfleet acme-prod\nplan-sha256 " + "a" * 64 + "\ntargets-sha256 "
    + "b" * 64 + '\nwave "broad"\nmade 1763812800\n'
)  # fmt: skip


def test_statement_says_fleet_plan_devices_wave_and_time():
    found = read_statement(TEXT.encode())

    assert found == Statement("acme-prod", "a" * 64, "b" * 64, "broad", 1763812800)
    assert found.text() == TEXT
    assert namespace_of("acme-prod") == "rollout-plan@acme-prod"


def test_start_is_no_wave_of_that_name():
    start = Statement("f", "a" * 64, "b" * 64, START, 0)
    wave = Statement("f", "a" * 64, "b" * 64, "start", 0)

    assert "\nwave start\n" in start.text()
    assert '\nwave "start"\n' in wave.text()
    assert read_statement(start.text().encode()) == start
    assert read_statement(wave.text().encode()) == wave


@given(wave=st.text(min_size=1, max_size=80))
def test_every_name_of_a_wave_comes_back(wave):
    statement = Statement("f", "a" * 64, "b" * 64, wave, 1)

    assert read_statement(statement.text().encode()) == statement
    assert statement.text().isascii()


GLASS = TEXT.replace("rollout-approval", "rollout-break-glass") + 'reason "under attack"\n'


@given(reason=st.text(min_size=1, max_size=80), wave=st.text(max_size=20))
def test_who_breaks_the_glass_signs_a_text_of_its_own_with_the_reason(reason, wave):
    statement = Statement("f", "a" * 64, "b" * 64, wave, 1, reason)

    assert read_statement(statement.text().encode()) == statement
    assert statement.text().startswith("rollout-break-glass 1\n")
    assert read_statement(GLASS.encode()).reason == "under attack"


@pytest.mark.parametrize(
    "other",
    [
        GLASS.replace("break-glass", "approval"), GLASS.partition("reason")[0], GLASS[:-1],
        GLASS + 'reason "twice"\n', GLASS.replace('"under attack"', '""'), TEXT[:-1] + GLASS[-24:],
        "", TEXT[:-1], TEXT + "\n", TEXT.replace("\n", "\r\n"), TEXT.replace("fleet a", "fleet  a"),
        TEXT.replace("1763812800", "01763812800"), TEXT.replace("aaaa", "AAAA"),
        TEXT.replace('"broad"', "broad"), TEXT.replace('"broad"', '"br\\u006fad"'),
        TEXT.replace("approval 1", "approval 2"), TEXT.replace("acme-prod", "acme prod"),
        TEXT.replace("made 1", "made -1"), TEXT + "x" * BYTES_MAX, TEXT.replace("acme", "\u0430cme"),
    ],
)  # fmt: skip
def test_any_other_spelling_is_refused(other):
    with pytest.raises(TrustError) as caught:
        read_statement(other.encode())
    assert caught.value.code == "T135"
