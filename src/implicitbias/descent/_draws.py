"""Mini-batches and label noise: each run of a stack draws its own, whatever runs beside it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from implicitbias._arrays import FloatArray, IntArray

BLOCK = 64  # steps of the full batch whose noise is drawn at once


class Draws:
    """The batches (R, b) and the signs of the noise (R, b) of R runs, step after step.

    Without replacement every epoch is a new order of the points, its last batch what is left.
    An epoch's batches are drawn first, then its signs, so that a run's draws depend on its seed,
    the sizes and whether there is noise, and on nothing else.
    """

    def __init__(
        self,
        seeds: Sequence[int],
        num_points: int,
        batch_size: int | None,
        *,
        replacement: bool,
        noise: bool,
    ) -> None:
        self._rngs = [np.random.default_rng(seed) for seed in seeds]
        self._points, self.noise, self._replacement = num_points, noise, replacement
        self._size = batch_size or num_points
        self._full = batch_size is None
        self.epoch = 1 if self._full else -(-num_points // self._size)
        self._at = self._drawn = 0
        self._batches = np.zeros((len(seeds), 0), dtype=np.intp)
        self._signs = np.zeros((len(seeds), 0))

    def next(self) -> tuple[IntArray | None, FloatArray | None]:
        """The batch of the next step, None for all points; and signs +-1, None without noise."""
        if self._at >= self._drawn:
            self._draw()
        part = slice(self._at, min(self._at + self._size, self._drawn))
        self._at = part.stop
        batch = None if self._full else self._batches[:, part]
        return batch, self._signs[:, part] if self.noise else None

    def keep(self, runs: IntArray) -> None:
        """Go on with some of the runs."""
        self._rngs = [self._rngs[run] for run in runs]
        self._batches, self._signs = self._batches[runs], self._signs[runs]

    def _draw(self) -> None:
        """One epoch; of the full batch, some steps."""
        steps = BLOCK if self._full else self.epoch
        whole = self._full or self._replacement
        self._at, self._drawn = 0, steps * self._size if whole else self._points
        batches, signs = [], []
        for rng in self._rngs:
            if not self._full:
                batches.append(self._order(rng))
            if self.noise:
                signs.append(2.0 * rng.integers(0, 2, self._drawn) - 1.0)
        if batches:
            self._batches = np.array(batches)
        if signs:
            self._signs = np.array(signs)

    def _order(self, rng: np.random.Generator) -> IntArray:
        if self._replacement:
            return np.asarray(rng.integers(0, self._points, self._drawn), dtype=np.intp)
        return np.asarray(rng.permutation(self._points), dtype=np.intp)
