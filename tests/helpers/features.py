"""Every kind of features beside the array that it stands for."""

import numpy as np
from scipy.sparse import csr_array, random_array

from helpers.draws import normal
from implicitbias.features import Dense, Fourier, Sparse


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


KINDS = {"dense": dense, "CSR": sparse, "Fourier": fourier, "Fourier of CSR": fourier_of_sparse}
EXACT = ("dense", "CSR")  # whose entries are those of the array to the last bit
