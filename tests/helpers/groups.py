"""Finite groups from permutations, and their group convolutions as data tensors."""

from itertools import product

import numpy as np


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
}


def convolution_tensor(name, depth):
    """A with A[g_1, .., g_L, g] = 1 where g_1 .. g_L = g: beta = w_1 * .. * w_L over the group."""
    elements = GROUPS[name]
    number = {element: index for index, element in enumerate(elements)}
    table = np.array([[number[times(g, h)] for h in elements] for g in elements])
    order = len(elements)
    tensor = np.zeros((order,) * (depth + 1))
    for factors in product(range(order), repeat=depth):
        result = factors[0]
        for factor in factors[1:]:
            result = table[result, factor]
        tensor[(*factors, result)] = 1.0
    return tensor
