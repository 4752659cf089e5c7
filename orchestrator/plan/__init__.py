"""Strict YAML to a `Plan` to a `ResolvedPlan`: pure, no clock, no files."""
