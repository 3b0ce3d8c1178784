"""Networks of every family with their dense data tensors, and how to compare numbers."""

from dataclasses import dataclass

import numpy as np
from hypothesis import settings
from hypothesis import strategies as st

from helpers import groups
from implicitbias import networks
from reference import dense_networks as dense

laws = settings(derandomize=True, deadline=None, max_examples=100, database=None)

_MAX_ENTRIES = 2500


@dataclass(frozen=True)
class Case:
    """A network, its data tensor by explicit loops, parameters and inputs."""

    network: networks.Network
    tensor: np.ndarray
    parameters: tuple
    X: np.ndarray
    direction: np.ndarray

    @property
    def flat(self):
        return [layer.ravel() for layer in self.parameters]


def orthonormal(rng, rows, columns, kind=float):
    matrix = rng.standard_normal((rows, columns))
    if kind is complex:
        matrix = matrix + 1j * rng.standard_normal((rows, columns))
    return np.linalg.qr(matrix)[0]


def conjugate_pairs(rng, rows, columns):
    """Orthonormal columns u, conj(u), ..., with a real one at the end for an odd number."""
    basis = orthonormal(rng, rows, columns)
    pairs = columns // 2
    left, right = basis[:, :pairs], basis[:, pairs : 2 * pairs]
    twisted = np.empty((rows, columns), dtype=complex)
    twisted[:, 0 : 2 * pairs : 2] = (left + 1j * right) / np.sqrt(2)
    twisted[:, 1 : 2 * pairs : 2] = (left - 1j * right) / np.sqrt(2)
    twisted[:, 2 * pairs :] = basis[:, 2 * pairs :]
    return twisted


def paired_rows(rng, rows, columns):
    """Return a matrix with rows s, conj(s), ..., a real one at the end for an odd number."""
    matrix = rng.standard_normal((rows, columns)) + 0j
    half = rng.standard_normal((rows // 2, columns)) + 1j * rng.standard_normal(
        (rows // 2, columns)
    )
    matrix[0 : rows - 1 : 2] = half
    matrix[1:rows:2] = half.conj()
    return matrix


def diagonal(rng, depth):
    d = int(rng.integers(1, 5 if depth < 5 else 4))
    return networks.DiagonalNetwork(d, depth), dense.diagonal(d, depth)


def convolutional(rng, depth):
    d = int(rng.integers(1, 6 if depth < 4 else 4))
    sizes = (*(int(k) for k in rng.integers(1, d + 1, depth - 1)), d)
    return networks.ConvolutionalNetwork(d, sizes), dense.convolutional(d, sizes)


def full_convolutional(rng, depth):
    d = int(rng.integers(1, 6 if depth < 4 else 4))
    return networks.ConvolutionalNetwork(d, (d,) * depth), dense.convolutional(d, (d,) * depth)


def fully_connected(rng, depth):
    top = {2: 5, 3: 4}.get(depth, 3)
    while True:
        widths = tuple(int(k) for k in rng.integers(1, top, depth))
        if np.prod(widths) ** 2 <= _MAX_ENTRIES:
            return networks.FullyConnectedNetwork(widths), dense.fully_connected(widths)


def tensor(rng, depth):
    shape = tuple(int(k) for k in rng.integers(1, 5 if depth < 5 else 4, depth + 1))
    array = rng.standard_normal(shape)
    return networks.TensorNetwork(array), array


def orthogonal(rng, depth):
    S, bases = orthogonal_parts(rng, depth, orthonormal, lambda rng, m, d: rng.normal(size=(m, d)))
    return networks.OrthogonalNetwork(S, bases), dense.orthogonal(S, bases).real


def complex_orthogonal(rng, depth):
    S, bases = orthogonal_parts(rng, depth, conjugate_pairs, paired_rows)
    return networks.OrthogonalNetwork(S, bases), dense.orthogonal(S, bases).real


def planted(S, bases):
    """Return sum_j S_j (x) [U_1]_j (x) ... (x) [U_L]_j as (k_1, ..., k_L, d), real if it is."""
    letters = "abcdfg"[: len(bases)]
    terms = ",".join(f"{letter}j" for letter in letters)
    tensor = np.einsum(f"{terms},je->{letters}e", *bases, S, optimize=True)
    small = 1e-12 * np.abs(tensor).max(initial=0.0)
    return tensor.real if np.abs(tensor.imag).max(initial=0.0) <= small else tensor


def orthogonal_parts(rng, depth, columns, rows):
    d = int(rng.integers(1, 4))
    m = int(rng.integers(d, 4))
    sizes = rng.integers(m, 6 if depth < 5 else 4, depth)
    return rows(rng, m, d), [columns(rng, int(k), m) for k in sizes]


def group_convolutional(rng, depth):
    names = {2: ("S_3", "Q_8", "Z_2 x Z_4"), 3: ("S_3", "C_4"), 4: ("C_4", "S_3")}
    name = rng.choice(names.get(depth, ("C_2", "C_3")))
    table = groups.table(name)
    network = networks.GroupConvolutionalNetwork(table, depth)
    return network, dense.group_convolutional(table, depth)


FAMILIES = {
    "diagonal": diagonal,
    "convolutional": convolutional,
    "full convolutional": full_convolutional,
    "fully connected": fully_connected,
    "tensor": tensor,
    "orthogonal": orthogonal,
    "complex orthogonal": complex_orthogonal,
    "group convolutional": group_convolutional,
}


@st.composite
def cases(draw, families=tuple(FAMILIES), depths=(2, 3, 4, 5, 6)):
    """Draw a random network of one of the families, with random parameters and inputs."""
    family = draw(st.sampled_from(families), label="family")
    depth = draw(st.sampled_from(depths), label="depth")
    rng = np.random.default_rng(draw(st.integers(0, 10_000), label="seed"))
    network, array = FAMILIES[family](rng, depth)
    return Case(
        network,
        array,
        random_parameters(network, rng),
        rng.standard_normal((3, network.num_features)),
        rng.standard_normal(network.num_features),
    )


def random_parameters(network, rng):
    return tuple(rng.standard_normal(shape) for shape in network.parameter_shapes)


def size_of(array, *vectors):
    """Bound the entries of a contraction of the tensor with the vectors."""
    return np.linalg.norm(array) * np.prod([np.linalg.norm(vector) for vector in vectors])


def assert_near(found, expected, size, tolerance=1e-13):
    """Entrywise to ``tolerance`` relative to ``size``; shapes must agree."""
    found, expected = np.asarray(found), np.asarray(expected)
    assert found.shape == expected.shape
    error = np.abs(found - expected).max(initial=0.0)
    assert error <= tolerance * size, f"off by {error / size:.2e} relative to {size:.2e}"
