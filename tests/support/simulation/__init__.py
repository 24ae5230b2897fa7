"""Many pages and scripts that edit one document over slow lines, in simulated time."""

from support.simulation.trial import Outcome, run_trial

__all__ = ["Outcome", "run_trial"]
