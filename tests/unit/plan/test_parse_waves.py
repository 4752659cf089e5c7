from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction

import pytest

from orchestrator.errors import Diagnostic, Severity
from orchestrator.plan.model import Limits, Plan
from orchestrator.plan.waves import CountSize, RestSize, ShareSize, Size

Parse = Callable[[str], Plan]
Check = Callable[[str], tuple[Diagnostic, ...]]


@pytest.mark.parametrize(
    ("written", "size"),
    [
        ("5", CountSize(5)),
        ("0o17", CountSize(15)),
        ("10%", ShareSize(Fraction(1, 10))),
        ("10 %", ShareSize(Fraction(1, 10))),
        ('"2.5%"', ShareSize(Fraction(1, 40))),
        ("29%", ShareSize(Fraction(29, 100))),
        ("{percent: 2, min: 10, max: 50}", ShareSize(Fraction(1, 50), 10, 50)),
        ("{percent: 0.1}", ShareSize(Fraction(1, 1000))),
        ("{percent: 50, min: 3, max: 3}", ShareSize(Fraction(1, 2), 3, 3)),
    ],
)
def test_sizes_in_short_and_long_form(plan: Parse, written: str, size: Size) -> None:
    short = plan(f"waves: [{written}, rest]\n")
    long = plan(f"waves: [{{size: {written}}}, {{size: rest}}]\n")

    assert [wave.size for wave in short.waves] == [size, RestSize()]
    assert [wave.size for wave in long.waves] == [size, RestSize()]


def test_wave_keeps_its_own_limits(plan: Parse) -> None:
    read = plan(
        """\
        waves:
          - name: canary
            size: 1
            soak: 15m
            max_parallel: 3
            slow_start: false
            max_failures: 1
            max_fail_percentage: 29
          - rest
        """
    )

    assert [wave.name for wave in read.waves] == ["canary", "wave-2"]
    assert read.waves[0].limits == Limits(900, 3, False, 1, Fraction(29, 100))
    assert read.waves[1].limits == Limits()


@pytest.mark.parametrize(
    ("written", "code"),
    [
        ("5", "P101"),
        ("[]", "P104"),
        ("[0, rest]", "P104"),
        ("[-1, rest]", "P104"),
        ("[1.5, rest]", "P111"),
        ("[10.0%, 0%, rest]", "P111"),
        ("[101%]", "P111"),
        ('["5", rest]', "P111"),
        ("[half, rest]", "P111"),
        ("[yes, rest]", "P111"),
        ("[true, rest]", "P111"),
        ("[~, rest]", "P111"),
        ("[[1], rest]", "P111"),
        ("[x%, rest]", "P111"),
        ("[{percent: 0}, rest]", "P111"),
        ("[{percent: 10%}, rest]", "P101"),
        ("[{percent: 10, min: 0}, rest]", "P104"),
        ("[{percent: 10, min: 9, max: 3}, rest]", "P104"),
        ("[{percent: 10, step: 3}, rest]", "P107"),
        ("[{name: a}, rest]", "P102"),
        ("[{name: a, size: 1}, {name: a, size: rest}]", "P114"),
        ("[{name: wave-2, size: 1}, rest]", "P114"),
        ("[{name: a b, size: 1}, rest]", "P110"),
        ("[{size: 1, hosts: [lab]}, rest]", "P101"),
        ("[{size: 1, hosts: lab, backfill: true}, rest]", "P115"),
        ("[{size: 1, approval: {required: x}}, rest]", "P101"),
        ("[{size: 1, window: {in: 5m}}, rest]", "P102"),
        ("[{size: 1, cover: hardware}, rest]", "P101"),
        ("[{size: 50%, hosts: lab}, {size: 50%}]", "P201"),
        ("[rest, {size: 100%, hosts: lab}, 1]", "P212"),
        ("[{size: 1, sook: 1h}, rest]", "P107"),
        ("[1, 10%]", "P201"),
        ("[50%, 60%]", "P203"),
        ("[rest, 1]", "P212"),
        ("[" + "1," * 100 + "rest]", "P104"),
    ],
)
def test_waves_are_refused(findings: Check, written: str, code: str) -> None:
    found = findings(
        f"waves: {written}\ngates: [{{name: ok, check: svc, success_when: result.exit == 0}}]\n"
    )

    assert [each.code for each in found if each.severity is Severity.ERROR] == [code]


def test_sum_of_shares_is_reported_at_the_wave_that_exceeds(findings: Check) -> None:
    found = findings(
        """\
        waves:
          - {name: canary, size: 10%, soak: 30m}
          - {name: early,  size: 50%, soak: 2h}
          - {name: rest,   size: 50%}
        """
    )

    (error,) = [each for each in found if each.code == "P203"]
    assert (error.where.line, error.where.column) == (8, 26)
    assert error.excerpt == "  - {name: rest,   size: 50%}"


@pytest.mark.parametrize(
    ("written", "codes"),
    [
        ("[1, 10%%, rest, 5]", ["P111", "P212"]),
        ("[10%%, 60%, 60%]", ["P111", "P203"]),
        ("[{name: a, size: 60%}, {name: a, size: 60%}]", ["P114", "P203"]),
        ("[{size: 1, soak: x}, 10%]", ["P108", "P201"]),
        ("[1, many]", ["P111"]),  # it may be all that is missing
        ("[{size: 60%, hosts: [lab]}, 60%, rest]", ["P101"]),  # a size of other devices
    ],
)
def test_sums_and_order_are_checked_beside_other_mistakes(
    findings: Check, written: str, codes: list[str]
) -> None:
    gates = "gates: [{name: ok, check: svc, success_when: result.exit == 0}]"
    found = findings(f"waves: {written}\n{gates}\n")

    assert sorted(one.code for one in found if one.severity is Severity.ERROR) == codes


def test_name_of_a_wave_that_is_refused_itself_is_taken_too(findings: Check) -> None:
    first, second = "{name: a, size: 0%}", "{name: a, size: many}"

    found = findings(f"waves: [{first}, {second}, rest]\n")

    assert [each.code for each in found if each.severity is Severity.ERROR] == [
        "P111",
        "P114",
        "P111",
    ]
