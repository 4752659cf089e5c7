"""Declarative rollouts of signed artifacts to fleets of Linux devices over SSH."""

__version__ = "0.1.0"
