"""Features that are a Dask array: blocks stay on the workers, and products are made there.

What travels are vectors, each worker's part of those with one number a feature, and n x n matrices.
Sums are taken in the order of the blocks, so that how many workers there are changes no more than a
rounding, nor does one that is lost: Dask makes its blocks again. Where combined rows or units of
the features are needed (weights or units many orders of magnitude apart) blocks travel, one by one.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterator
from importlib import import_module
from itertools import pairwise
from typing import Any

import numpy as np

from implicitbias._arrays import FloatArray, IntArray
from implicitbias._errors import InvalidInputError
from implicitbias.features._base import Features, Question
from implicitbias.features._dense import Dense
from implicitbias.features._streamed import Streamed

MEMORY = 1 << 28  # bytes of columns that are gathered here at a time
EXTRA = "pip install 'implicitbias[dask]'"


class OnCluster(Streamed):
    """X, (n, d), a Dask array cut into blocks of columns.

    Parameters
    ----------
    array
        (n, d), real numbers, chunks of any shape; they are joined to whole columns.
    client
        A ``distributed.Client``; by default the current one, or an embedded cluster whose workers
        are threads of this process.
    memory
        Bytes of columns that may be gathered in this process.

    Raises
    ------
    InvalidInputError
        Not a two-dimensional Dask array of real numbers and known size, entries that are not
        finite, or the extra ``dask`` is not installed.
    """

    named = "a Dask array"
    is_remote = True

    def __init__(self, array: Any, *, client: Any = None, memory: int = MEMORY) -> None:
        distributed = _distributed()
        shape, kind = array.shape, array.dtype.kind
        if len(shape) != 2 or 0 in shape or np.isnan(shape).any():
            raise InvalidInputError(
                f"X has shape {shape}; expected (n, d) of known size, at least one point and one "
                "feature. Call X.compute_chunk_sizes() if some are NaN."
            )
        if kind not in "buif":
            raise InvalidInputError(f"X has dtype {array.dtype}; expected real numbers.")
        self.shape, self.memory = (int(shape[0]), int(shape[1])), int(memory)
        self._client = client or _current_client(distributed, self)
        whole_columns = array.rechunk({0: -1}).astype(np.float64)
        self._array = self._client.persist(whole_columns)
        self._chunks = [chunk[0] for chunk in self._futures(distributed)]
        edges = np.concatenate([[0], np.cumsum(self._array.chunks[1])]).astype(np.intp)
        self.parts = tuple(slice(int(start), int(stop)) for start, stop in pairwise(edges))
        if not np.isfinite(self.largest(0)).all():
            raise InvalidInputError("X has entries that are not finite; every one must be.")

    def _futures(self, distributed: Any) -> list[list[Any]]:
        """The chunks on the workers, by their place."""
        known = {future.key: future for future in distributed.futures_of(self._array)}
        name, count = self._array.name, len(self._array.chunks[1])
        return [[known[name, 0, j]] for j in range(count)]

    def _edges(self) -> IntArray:
        return np.array([part.start for part in self.parts] + [self.shape[1]])

    def _number(self, part: slice) -> int:
        return int(np.searchsorted(self._edges(), part.start, side="right")) - 1

    def _submitted(self, part: slice, question: Question) -> Any:
        return self._client.submit(_answer, question, self._chunks[self._number(part)], pure=False)

    def ask(self, part: slice, question: Question) -> Any:
        """Asked of the worker that has the block."""
        return self._submitted(part, question).result()

    def results(self, question_of: Callable[[slice], Question]) -> Iterator[tuple[slice, Any]]:
        """Asked of all workers at once."""
        asked = [self._submitted(part, question_of(part)) for part in self.parts]
        for place, part in enumerate(self.parts):
            answer, asked[place] = asked[place].result(), None  # and forgotten by its worker
            yield part, answer

    def block(self, part: slice) -> Features:
        """The columns of a part, gathered here."""
        number = self._number(part)
        start = self.parts[number].start
        columns: FloatArray = self._chunks[number].result()
        return Dense(columns[:, part.start - start : part.stop - start])


def _answer(question: Question, columns: FloatArray) -> Any:
    return question(Dense(columns))


def is_dask(value: Any) -> bool:
    """Whether it is a Dask array."""
    return type(value).__module__.startswith("dask.array")


def _distributed() -> Any:
    try:
        return import_module("distributed")
    except ImportError:
        raise InvalidInputError(f"X is a Dask array, which needs an extra: {EXTRA}.") from None


def _current_client(distributed: Any, owner: OnCluster) -> Any:
    """The client that is in use, or one of a cluster that lives as long as its owner."""
    try:
        return distributed.get_client()
    except ValueError:
        cluster = distributed.LocalCluster(processes=False, dashboard_address=":0")
        client = distributed.Client(cluster)
        weakref.finalize(owner, _close, client, cluster)
        return client


def _close(client: Any, cluster: Any) -> None:
    client.close()
    cluster.close()
