"""The rollout state machine: pure, without clock, randomness or input and output."""
