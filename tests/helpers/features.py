"""Every kind of features beside the array that it stands for."""

from functools import cache
from importlib import import_module
from importlib.util import find_spec
from itertools import pairwise
from tempfile import NamedTemporaryFile

import numpy as np
from scipy.sparse import csc_array, csr_array, random_array

from helpers.draws import normal
from implicitbias.features import Blocks, Dense, Fourier, OnCluster, OnDevice, Sparse


def dense(n, m, seed=0):
    (array,) = normal(seed, (n, m))
    return Dense(array), array


def sparse(n, m, seed=0):
    """A third of the entries, one column and one row without any."""
    rng = np.random.default_rng(seed)
    array = random_array((n, m), density=0.34, rng=rng, data_sampler=rng.standard_normal).toarray()
    array[:, m // 2] = array[n // 2] = 0.0
    return Sparse(csr_array(array)), array


def fourier(n, m, seed=0):
    """Complex factors, some frequencies left out, and signals of any kind."""
    signals, factors, turn = normal(seed, (n, m + 3), m, m)
    frequencies = np.sort(np.random.default_rng(seed).permutation(m + 3)[:m])
    factors = factors + 1j * turn
    array = (np.fft.fft(signals)[:, frequencies] * factors).real
    return Fourier(Dense(signals), factors, frequencies), array


def fourier_of_sparse(n, m, seed=0):
    """The transform of signals with few entries, which stay so."""
    signals, array = sparse(n, m, seed)
    (turn,) = normal(seed + 1, m)
    factors = np.exp(1j * turn)
    return Fourier(signals, factors), (np.fft.fft(array) * factors).real


class Again:
    """Blocks that are made anew at each reading."""

    def __init__(self, array, width):
        self.array, self.width = array, width

    def __iter__(self):
        for start in range(0, self.array.shape[1], self.width):
            yield self.array[:, start : start + self.width].copy()


def cut(array):
    """Three blocks, the last of one column."""
    m = array.shape[1]
    edges = [0, m // 2, m - 1, m]
    return [array[:, i:j] for i, j in pairwise(edges)]


def in_blocks(n, m, seed=0):
    """Arrays side by side."""
    array = dense(n, m, seed)[1]
    return Blocks(cut(array)), array


def in_sparse_blocks(n, m, seed=0):
    """CSR and CSC arrays side by side, and one that is dense."""
    array = sparse(n, m, seed)[1]
    first, second, last = cut(array)
    return Blocks([csr_array(first), csc_array(second), last]), array


def iterated(n, m, seed=0):
    """An iterable that starts anew."""
    array = dense(n, m, seed)[1]
    return Blocks(Again(array, 3)), array


def in_a_file(n, m, seed=0):
    """A memory map, cut into columns of what the memory allows."""
    array = dense(n, m, seed)[1]
    with NamedTemporaryFile(suffix=".npy") as file:
        np.save(file, array)
        file.flush()
        blocks = Blocks(file.name, memory=1 << 16)
    return blocks, array  # a mapped file stays while it is mapped


def chosen_blocks(n, m, seed=0):
    """Rows, columns and units of larger blocks: what verbs make of them."""
    array = dense(n + 2, m + 4, seed)[1]
    columns = np.random.default_rng(seed).permutation(m + 4)[:m]
    units = np.ldexp(1.0, np.arange(n) % 3 - 1)
    found = Blocks(Again(array, 3)).rows(np.arange(n) + 1).taken(columns).scaled(units, None)
    return found, array[1 : n + 1, columns] * units[:, None]


def on_device(n, m, seed=0):
    """NumPy's array by the array API."""
    array = dense(n, m, seed)[1]
    return OnDevice(array), array


def of_torch(n, m, seed=0):
    """A tensor of PyTorch, from the array API alone."""
    array = dense(n, m, seed)[1]
    return OnDevice(import_module("torch").asarray(array.copy())), array


@cache
def two_workers():
    """A cluster of threads, for all tests of a process."""
    distributed = import_module("distributed")
    cluster = distributed.LocalCluster(2, processes=False, dashboard_address=":0")
    return distributed.Client(cluster, set_as_default=False)


def on_cluster(n, m, seed=0):
    """Three blocks on threads."""
    array = dense(n, m, seed)[1]
    chunks = import_module("dask.array").from_array(array, chunks=(2, max(1, m // 3)))
    return OnCluster(chunks, client=two_workers()), array


KINDS = {
    "dense": dense,
    "CSR": sparse,
    "Fourier": fourier,
    "Fourier of CSR": fourier_of_sparse,
    "blocks": in_blocks,
    "sparse blocks": in_sparse_blocks,
    "iterated": iterated,
    "file": in_a_file,
    "chosen blocks": chosen_blocks,
}
OPTIONAL = {
    "device": (on_device, "array_api_compat"),
    "torch": (of_torch, "array_api_compat", "torch"),
    "dask": (on_cluster, "distributed"),
}
KINDS |= {name: make for name, (make, *needs) in OPTIONAL.items() if all(map(find_spec, needs))}
EXACT = tuple(kind for kind in KINDS if "Fourier" not in kind)  # the array's own last bits
