"""The search for Assumption 1: false verdicts, noise, and time.

    python -m benchmarks.decompositions                        # all of it, a few minutes
    python -m benchmarks.decompositions --count 100 --each 3 --size 16

Planted tensors (L = 2, .., 5; unequal k_l; m rows of S, d <= m <= min k_l; zero and repeated rows;
complex bases) must hold, generic ones must fail. Noise of a relative size is added to planted ones:
the verdict should be "holds" below the tolerance and "fails" above its square root. Last, the time
of one large search.
"""

from __future__ import annotations

import argparse
import time
from collections import Counter

import numpy as np

from implicitbias.networks import TensorNetwork

TOLERANCE = 1e-8
LARGEST = {2: 12, 3: 8, 4: 6, 5: 5}
KINDS = ("real", "zero row", "repeated row", "zero entry", "complex")


def orthonormal(rng, rows, columns):
    """Random orthonormal columns."""
    return np.linalg.qr(rng.standard_normal((rows, columns)))[0]


def in_pairs(rng, rows, columns):
    """Random orthonormal columns u, conj(u), .., a real one at the end for an odd number."""
    basis = orthonormal(rng, rows, columns).astype(complex)
    for j in range(0, columns - 1, 2):
        left, right = basis[:, j].copy(), basis[:, j + 1].copy()
        basis[:, j], basis[:, j + 1] = (left + 1j * right) / 2**0.5, (left - 1j * right) / 2**0.5
    return basis


def tensor_of(S, bases):
    """sum_j S_j (x) [U_1]_j (x) ... (x) [U_L]_j, (k_1, .., k_L, d)."""
    letters = "abcdf"[: len(bases)]
    terms = ",".join(f"{letter}j" for letter in letters)
    return np.einsum(f"{terms},je->{letters}e", *bases, S, optimize=True).real


def planted(rng, depth, kind):
    """A planted tensor of one of the kinds."""
    sizes = rng.integers(2, LARGEST[depth] + 1, depth)
    m = int(rng.integers(1, sizes.min() + 1))
    d = int(rng.integers(1, m + 1))
    S = rng.standard_normal((m, d))
    if kind == "complex":
        S = S.astype(complex)
        for j in range(0, m - 1, 2):
            S[j], S[j + 1] = S[j] + 1j * S[j + 1], S[j] - 1j * S[j + 1]
        return tensor_of(S, [in_pairs(rng, k, m) for k in sizes])
    if m > d:
        S[-1] = {"zero row": 0.0, "repeated row": S[0]}.get(kind, S[-1])
    if kind == "zero entry" and d > 1:
        S[0, 0] = 0.0
    return tensor_of(S, [orthonormal(rng, k, m) for k in sizes])


def generic(rng, depth):
    """A Gaussian tensor with d <= min k_l, and d > 1 for L = 2 (one matrix has an SVD)."""
    sizes = rng.integers(2, LARGEST[depth] + 1, depth)
    d = int(rng.integers(2 if depth == 2 else 1, sizes.min() + 1))
    return rng.standard_normal((*sizes, d))


def searched(tensor, tol=TOLERANCE):
    """The decomposition found."""
    return TensorNetwork(tensor).orthogonal_decomposition(tol=tol)


def counts(rng, count):
    """Print the verdicts on planted and on generic tensors, and the extreme residuals."""
    print(f"{'tensors':<16}{'holds':>7}{'undecided':>11}{'fails':>7}{'residuals':>20}{'CPU s':>8}")
    for name, draw in (
        ("planted", lambda i: planted(rng, 2 + i % 4, KINDS[i % len(KINDS)])),
        ("generic", lambda i: generic(rng, 2 + i % 4)),
    ):
        began = time.process_time()
        found = [searched(draw(i)) for i in range(count)]
        seconds = time.process_time() - began
        verdicts = Counter(one.verdict.status for one in found)
        residuals = [one.residual for one in found]
        print(
            f"{f'{count} {name}':<16}{verdicts['holds']:>7}{verdicts['undecided']:>11}"
            f"{verdicts['fails']:>7}{f'{min(residuals):.1e} to {max(residuals):.1e}':>20}"
            f"{seconds:>8.0f}"
        )


def noise(rng, each):
    """Print the verdicts by the relative size of the noise."""
    print(f"\n{'noise':<16}{'holds':>7}{'undecided':>11}{'fails':>7}{'median residual':>20}")
    for level in 10.0 ** np.arange(-14, 0):
        verdicts, residuals = Counter(), []
        for i in range(each):
            tensor = tensor_of(
                rng.standard_normal((4, 3)),
                [orthonormal(rng, k, 4) for k in rng.integers(4, 8, 2 + i % 3)],
            )
            other = rng.standard_normal(tensor.shape)
            other *= level * np.linalg.norm(tensor) / np.linalg.norm(other)
            found = searched(tensor + other)
            verdicts[found.verdict.status] += 1
            residuals.append(found.residual)
        print(
            f"{level:<16.0e}{verdicts['holds']:>7}{verdicts['undecided']:>11}{verdicts['fails']:>7}"
            f"{np.median(residuals):>20.1e}"
        )


def large(rng, size):
    """Print the time of one large search."""
    tensor = tensor_of(
        rng.standard_normal((size, size)), [orthonormal(rng, size, size) for _ in range(3)]
    )
    began = time.process_time()
    found = searched(tensor)
    print(
        f"\nk = d = {size}, L = 3: {found.verdict.status}, residual {found.residual:.1e}, "
        f"{time.process_time() - began:.1f} CPU s"
    )


def main():
    """Print the three tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--count", type=int, default=3000, help="tensors of either kind")
    parser.add_argument("--each", type=int, default=20, help="tensors for each level of noise")
    parser.add_argument("--size", type=int, default=64, help="k = d of the large search")
    given = parser.parse_args()
    rng = np.random.default_rng(0)
    print(f"verdicts at tolerance {TOLERANCE:.0e}")
    counts(rng, given.count)
    noise(rng, given.each)
    large(rng, given.size)


if __name__ == "__main__":
    main()
