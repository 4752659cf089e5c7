import pytest

from orchestrator.rollout import retreat
from orchestrator.testing import __main__ as command
from orchestrator.testing.report import SimulationFailed
from orchestrator.testing.scenario import draw
from orchestrator.testing.simulation import simulate


def test_scenario_is_a_function_of_its_seed():
    assert draw(7) == draw(7)
    assert draw(7).texts != draw(8).texts


def test_plans_are_drawn_in_the_whole_range_of_the_language():
    plans = [plan for seed in range(400) for plan in draw(seed).plans]
    sizes = {len(plan.devices) for plan in plans}

    assert min(sizes) == 1
    assert max(sizes) > 100
    assert {len(plan.waves) for plan in plans} >= {1, 2, 3, 4}
    assert {wave.slow_start for plan in plans for wave in plan.waves} == {True, False}


def test_one_seed_can_be_repeated_with_its_journal(capsys):
    code = command.main(["--seed", "3", "--plan"])

    out = capsys.readouterr().out
    assert code == 0
    assert '"schema": 1' in out
    assert "rollout_started" in out
    assert out.splitlines()[-1].startswith("seed 3: ")


def test_seed_can_be_repeated_with_faults_of_choice(capsys):
    code = command.main(["--seed", "3", "--faults", "crash@20 lose_reply:dev-0001@2"])

    out = capsys.readouterr().out
    assert code == 0
    assert "faults: crash@20 lose_reply:dev-0001@2" in out


def test_many_seeds_are_counted(capsys):
    code = command.main(["--seeds", "3", "--from", "20"])

    assert code == 0
    assert "3 seeds, 0 broken" in capsys.readouterr().out


def test_broken_rule_names_the_commands_that_repeat_it(monkeypatch, capsys):
    monkeypatch.setattr(retreat, "_flying", lambda _led: 0)
    seed = next(seed for seed in range(500) if breaks(seed))

    with pytest.raises(SimulationFailed, match=f"python -m orchestrator.testing --seed {seed}"):
        simulate(seed)
    code = command.main(["--seeds", "1", "--from", str(seed)])

    out = capsys.readouterr().out
    assert code == 1
    assert f"seed {seed}: " in out
    assert f"least needed: python -m orchestrator.testing --seed {seed} --faults " in out
    assert "1 seeds, 1 broken" in out


def breaks(seed):
    try:
        simulate(seed)
    except SimulationFailed:
        return True
    return False
