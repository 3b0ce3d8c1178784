"""Finite groups from permutations, and their group convolutions as data tensors."""

import numpy as np

from reference import dense_networks as dense


def closure(generators):
    """All products of the generating permutations, the identity first."""
    identity = tuple(range(len(generators[0])))
    elements, waiting = [identity], [identity]
    while waiting:
        known = waiting.pop()
        for generator in generators:
            found = tuple(known[i] for i in generator)
            if found not in elements:
                elements.append(found)
                waiting.append(found)
    return elements


def times(g, h):
    """(g h)(i) = g(h(i))."""
    return tuple(g[i] for i in h)


GROUPS = {
    "C_6": closure([(1, 2, 3, 4, 5, 0)]),
    "S_3": closure([(1, 0, 2), (1, 2, 0)]),
    "D_4": closure([(1, 2, 3, 0), (0, 3, 2, 1)]),
    "Q_8": closure([(1, 2, 3, 0, 5, 6, 7, 4), (4, 7, 6, 5, 2, 1, 0, 3)]),
    "A_4": closure([(1, 2, 0, 3), (1, 0, 3, 2)]),
    "C_2": closure([(1, 0)]),
    "C_3": closure([(1, 2, 0)]),
    "C_4": closure([(1, 2, 3, 0)]),
    "Z_2 x Z_4": closure([(1, 0, 2, 3, 4, 5), (0, 1, 3, 4, 5, 2)]),
    "Z_2^3": closure([(1, 0, 2, 3, 4, 5), (0, 1, 3, 2, 4, 5), (0, 1, 2, 3, 5, 4)]),
}


def table(name):
    """The multiplication table, elements in the order of ``GROUPS``."""
    elements = GROUPS[name]
    number = {element: index for index, element in enumerate(elements)}
    return np.array([[number[times(g, h)] for h in elements] for g in elements])


def convolution_tensor(name, depth):
    """A with A[g_1, .., g_L, g] = 1 where g_1 .. g_L = g: beta = w_1 * .. * w_L over the group."""
    return dense.group_convolutional(table(name), depth)
