"""Public test kit: simulated fleet, virtual clock, simulation, contract tests."""
