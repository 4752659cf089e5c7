"""The engine: ports, the loop around the pure rollout, and the local executor."""
