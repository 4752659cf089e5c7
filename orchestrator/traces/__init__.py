"""Traces of rollouts for OpenTelemetry."""
