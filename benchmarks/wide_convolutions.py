"""Limits of full-length convolutions: X S^T by FFT, beside the same with the array formed.

    python -m benchmarks.wide_convolutions --sizes 4096 16384 65536 --points 20

Even signals, whose spectra are real; two layers, the first an impulse of size 0.01, the second 0.
Seconds of processor time, the memory that Python's allocators reached, and how far the two limits
are apart.
"""

from __future__ import annotations

import argparse
import time
import tracemalloc

import numpy as np

import implicitbias as ib
from implicitbias.networks import _structured


def problem_of(size, points, seed=0):
    """Random even signals of about unit entries, and targets."""
    rng = np.random.default_rng(seed)
    spectra = rng.standard_normal((points, size // 2 + 1))
    signals = np.sqrt(size) * np.fft.irfft(spectra, n=size)
    return ib.Regression(signals, rng.standard_normal(points))


def solved(problem, formed):
    """The limit, its seconds and the peak of memory in MiB, with X S^T as an array or without."""
    size = problem.num_features
    network = ib.ConvolutionalNetwork(num_features=size, filter_sizes=(size, size))
    init = ib.Initialization.last_layer_zero(network, np.eye(1, size)[0], 0.01)
    before, _structured.FORMED = _structured.FORMED, np.inf if formed else 0
    try:
        start = time.process_time()
        limit = ib.predict_limit(network, problem, init)
        seconds = time.process_time() - start
        tracemalloc.start()
        network = ib.ConvolutionalNetwork(num_features=size, filter_sizes=(size, size))
        ib.predict_limit(network, problem, init)
        peak = tracemalloc.get_traced_memory()[1] / 2**20
    finally:
        tracemalloc.stop()
        _structured.FORMED = before
    return limit, seconds, peak


def main():
    """Print a line a size."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--sizes", type=int, nargs="+", default=[4096, 16384, 65536])
    parser.add_argument("--points", type=int, default=20)
    arguments = parser.parse_args()
    for size in arguments.sizes:
        problem = problem_of(size, arguments.points)
        solved(problem, False)  # imports
        (limit, seconds, peak), (other, dense, more) = (solved(problem, f) for f in (False, True))
        apart = np.abs(limit.coefficients - other.coefficients).max()
        apart /= np.abs(other.coefficients).max()
        print(
            f"d = {size}, n = {arguments.points}: by FFT {seconds:.2f} s, {peak:.0f} MiB; formed "
            f"{dense:.2f} s, {more:.0f} MiB; apart {apart:.1e}; certified to "
            f"{limit.certificate.worst:.1e}; S itself would hold {size**2 * 16 / 2**30:.1f} GiB"
        )


if __name__ == "__main__":
    main()
