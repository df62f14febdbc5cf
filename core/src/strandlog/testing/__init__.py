"""What tests of applications need: a clock set by hand, a server without a network, simulations."""

from strandlog.testing.clock import ManualClock
from strandlog.testing.local_server import LocalServer

__all__ = ["LocalServer", "ManualClock"]
