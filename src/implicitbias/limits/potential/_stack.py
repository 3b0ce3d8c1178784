"""Many small potential problems of one shape as one array program: what they are.

The work of a small limit is mostly in calling functions. Here B problems with n targets and m
coordinates each are rows of arrays (B, n) and (B, m), and their coordinates those of one set of
curves. ``_stack_path`` takes them to their solutions, ``_stack_certify`` measures these as
``_certify`` does; who does not get through is left to the ordinary solver.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from implicitbias._arrays import BoolArray, FloatArray, IntArray
from implicitbias.coordinates import ScalarCurves, joined
from implicitbias.features import Lost, Stack, stackable
from implicitbias.limits.potential._problem import PotentialProblem

LARGEST = 1 << 18  # entries of Z, and of its Gram matrix, above which nothing is gained


@dataclass(frozen=True, eq=False)
class PotentialStack:
    """B problems min sum_j Psi_j^*(rho_j) s.t. Z rho = y.

    Attributes
    ----------
    features
        Z_b, (n, m) each.
    targets
        y, (B, n).
    curves
        Of all B m coordinates, each member's at its problem's own scale.
    lost
        What rounding took from Z before, or None.
    lost_targets
        The same from y, (B, n).
    """

    features: Stack
    targets: FloatArray
    curves: ScalarCurves
    lost: Stack | None
    lost_targets: FloatArray

    @classmethod
    def of(cls, problems: Sequence[PotentialProblem]) -> PotentialStack:
        """Problems of one ``stack_kind``."""
        lost = [each.lost or Lost(None, np.zeros_like(each.target)) for each in problems]
        entries = [each.entries for each in lost if each.entries is not None]
        return cls(
            Stack.of([each.features for each in problems]),
            np.array([each.target for each in problems]),
            joined([each.curves for each in problems]),
            Stack.of(entries) if entries else None,
            np.array([each.targets for each in lost]),
        )

    @property
    def shape(self) -> tuple[int, int]:
        """(B, m)."""
        return len(self.targets), self.features.shape[1]

    def rows(self, values: FloatArray) -> FloatArray:
        """Numbers of all coordinates, (.., B m), as one row a member, (.., B, m)."""
        return values.reshape(*values.shape[:-1], *self.shape)

    def at(self, log_scales: FloatArray) -> ScalarCurves:
        """The curves at log scales beyond the problems' own, (B,)."""
        return self.curves.shifted(np.repeat(log_scales, self.shape[1]))

    def take(self, index: IntArray) -> PotentialStack:
        """Some of the members."""
        if np.array_equal(index, np.arange(len(self.targets))):
            return self
        return PotentialStack(
            self.features.take(index),
            self.targets[index],
            self.curves.take(self._places(index)),
            None if self.lost is None else self.lost.take(index),
            self.lost_targets[index],
        )

    def _places(self, index: IntArray) -> IntArray:
        """Where the members' coordinates stand among all."""
        width = self.shape[1]
        return np.asarray((index[:, None] * width + np.arange(width)).ravel())

    @cached_property
    def log_a(self) -> FloatArray:
        """log a_j, (B, m), as ``log_dual_weights``."""
        units = self.rows(self.curves.log_unit)
        return np.asarray((self.curves.depth - 2) * (units - units.max(axis=1, keepdims=True)))

    @cached_property
    def sizes(self) -> FloatArray:
        """max_i |y_i|, (B,)."""
        return np.asarray(np.abs(self.targets).max(axis=1))


def stack_kind(problem: PotentialProblem) -> Any:
    """What problems must have in common to be stacked, hashable; None for one that is not taken.

    Taken are real arrays of moderate size and numbers as given, and coordinates that all cross.
    """
    curves, n = problem.curves, problem.target.size
    if not 0 < n * max(n, curves.size) <= LARGEST or not problem.target.any():
        return None
    if problem.row_exponents is not None or problem.seen or problem.rounding:
        return None
    if problem.rough_start or problem.log_excess:
        return None
    if (curves.locked | curves.dead | curves.turning).any() or not stackable(problem.features):
        return None
    lost = None if problem.lost is None else problem.lost.entries
    if lost is not None and not lost.is_array:
        return None
    return type(curves), curves.depth, curves.equal, n, curves.size, lost is None


def largest(values: FloatArray) -> FloatArray:
    """max |v| of each row, (B,)."""
    return np.asarray(np.maximum(values.max(axis=-1), -values.min(axis=-1)))


def all_finite(values: FloatArray) -> BoolArray:
    """Which rows are finite, (B,)."""
    return np.asarray(np.isfinite(values.sum(axis=-1)))
