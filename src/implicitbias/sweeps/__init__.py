"""Sweeps: grids of many problems, each result on the disk as soon as it is there.

``sweep`` runs the tasks of a plan on this machine or a Dask cluster. It may be ended at any moment
and goes on where it was; what comes out is one table, with refusals as rows.
"""

from implicitbias.sweeps._estimate import Estimate, estimate
from implicitbias.sweeps._figures import Curve, SweepTraces, sweep_traces
from implicitbias.sweeps._keys import VERBS
from implicitbias.sweeps._loop import SweepState
from implicitbias.sweeps._plan import Plan, read_plan
from implicitbias.sweeps._sweep import Sweep, number_of, sweep

__all__ = [
    "VERBS",
    "Curve",
    "Estimate",
    "Plan",
    "Sweep",
    "SweepState",
    "SweepTraces",
    "estimate",
    "number_of",
    "read_plan",
    "sweep",
    "sweep_traces",
]
