import pytest

from orchestrator.rollout import brakes
from orchestrator.testing import __main__ as command
from orchestrator.testing.invariants import InvariantBroken
from orchestrator.testing.scenario import draw
from orchestrator.testing.simulation import simulate


def test_scenario_is_a_function_of_its_seed():
    assert draw(7).plan == draw(7).plan
    assert draw(7).plan != draw(8).plan


def test_one_seed_can_be_repeated_with_its_journal(capsys):
    code = command.main(["--seed", "3"])

    out = capsys.readouterr().out
    assert code == 0
    assert "rollout_started" in out
    assert out.splitlines()[-1].startswith("seed 3: ")


def test_many_seeds_are_counted(capsys):
    code = command.main(["--seeds", "3", "--from", "20"])

    assert code == 0
    assert "3 seeds, 0 broken" in capsys.readouterr().out


def test_broken_rule_names_the_command_that_repeats_it(monkeypatch, capsys):
    monkeypatch.setattr(brakes, "check_budget", lambda _led, _wave: None)
    seed = next(seed for seed in range(500) if breaks(seed))

    with pytest.raises(InvariantBroken, match=f"python -m orchestrator.testing --seed {seed}"):
        command.main(["--seed", str(seed)])
    code = command.main(["--seeds", "1", "--from", str(seed)])

    assert code == 1
    assert f"seed {seed}: " in capsys.readouterr().out


def breaks(seed):
    try:
        simulate(seed)
    except InvariantBroken:
        return True
    return False
