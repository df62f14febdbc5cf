"""A deterministic simulation: real replicas and the real server in a world full of faults."""

from strandlog.testing.simulation.runs import Outcome, shrink, simulate

__all__ = ["Outcome", "shrink", "simulate"]
