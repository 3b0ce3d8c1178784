"""Finite groups by their multiplication tables: checked, with inverses, quotients and characters.

Elements are the indices 0, ..., g - 1 and ``table[a, b]`` is the index of a b.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np

from implicitbias._arrays import IntArray, NumericArray, finite_array
from implicitbias._errors import InvalidInputError

MAX_ORDER = 2048  # the table, its quotients and a layer's matrix have the square of it as entries


@dataclass(frozen=True, eq=False)
class GroupTable:
    """A group of g elements.

    Attributes
    ----------
    table
        ``table[a, b]`` is a b, (g, g).
    identity
        The index of the element e with e a = a e = a.
    """

    table: IntArray
    identity: int
    generators: tuple[int, ...] = field(repr=False)

    @property
    def order(self) -> int:
        """The number g of elements."""
        return len(self.table)

    @property
    def is_abelian(self) -> bool:
        """Whether a b = b a for all pairs."""
        return bool((self.table == self.table.T).all())

    @cached_property
    def inverses(self) -> IntArray:
        """The index of a^{-1} for each a."""
        return np.asarray(np.argmax(self.table == self.identity, axis=1))

    @cached_property
    def left_quotients(self) -> IntArray:
        """``left_quotients[a, b]`` is a^{-1} b."""
        return np.asarray(self.table[self.inverses])

    @cached_property
    def right_quotients(self) -> IntArray:
        """``right_quotients[a, b]`` is a b^{-1}."""
        return np.asarray(self.table[:, self.inverses])

    def characters(self) -> NumericArray:
        """chi_j(a) of an abelian group as rows, (g, g); real where all are.

        Each is extended from a subgroup by one generator s after the other: where s^r is the first
        power in the subgroup, chi(s) is one of the r roots of chi(s^r). Angles are whole multiples
        of a turn over the group's exponent, so that each value is rounded once.
        """
        exponent = self._exponent()
        known, angles = [self.identity], np.zeros((1, 1), dtype=np.intp)
        for generator in self.generators:
            powers = [self.identity]
            while powers[-1] not in known or len(powers) == 1:
                powers.append(int(self.table[powers[-1], generator]))
            index = len(powers) - 1
            closing = angles[:, known.index(powers[-1])]
            roots = closing[None, :] // index + np.arange(index)[:, None] * (exponent // index)
            steps = np.arange(index)[:, None, None] * roots.ravel()[None, :, None]
            angles = np.concatenate(list(steps + np.tile(angles, (index, 1))[None]), axis=1)
            angles %= exponent
            known = [int(self.table[power, a]) for power in powers[:-1] for a in known]
        ordered = np.empty_like(angles)
        ordered[:, known] = angles
        if exponent <= 2:
            return np.asarray(1.0 - 2.0 * ordered)
        return np.asarray(_roots_of_unity(exponent)[ordered])

    def _exponent(self) -> int:
        """The smallest number m >= 1 with a^m = e for all a."""
        orders, powers = np.zeros(self.order, dtype=np.intp), np.full(self.order, self.identity)
        every = np.arange(self.order)
        for count in range(1, self.order + 1):
            powers = self.table[powers, every]
            orders[(powers == self.identity) & (orders == 0)] = count
        return int(np.lcm.reduce(orders))


def _roots_of_unity(count: int) -> NumericArray:
    """exp(2 pi i k / count), exactly conjugate in pairs."""
    half = np.arange(count // 2 + 1)
    angles = 2.0 * np.pi * half / count
    roots = np.cos(angles) + 1j * np.sin(angles)
    roots[half * 4 == count] = 1j
    roots[half * 2 == count] = -1.0
    return np.concatenate([roots, roots[1 : (count + 1) // 2][::-1].conj()])


def checked_group(table: Any) -> GroupTable:
    """The group with this table.

    Raises
    ------
    InvalidInputError
        Not a square table of the indices 0, ..., g - 1; no identity; an entry twice in a row or a
        column; or (a b) c != a (b c) for the triple that is named.
    """
    indices = _checked_indices(table)
    identity = _checked_identity(indices)
    for name, rows in (("row", indices), ("column", indices.T)):
        _check_permutations(rows, name)
    generators = _generators(indices, identity)
    for middle in generators:
        _check_associates(indices, middle)
    indices.setflags(write=False)
    return GroupTable(indices, identity, generators)


def _checked_indices(table: Any) -> IntArray:
    array = finite_array(table, "table", shape=(None, None))
    rows, columns = array.shape
    if rows != columns:
        raise InvalidInputError(
            f"table has shape {array.shape}; expected a square one, (g, g) for a group of g "
            "elements, with the index of a b in row a and column b."
        )
    if rows > MAX_ORDER:
        raise InvalidInputError(
            f"table is of a group of {rows} elements; expected at most {MAX_ORDER}, for layers "
            "act by matrices of that size squared."
        )
    wrong = np.argwhere((array != np.floor(array)) | (array < 0) | (array >= rows))
    if wrong.size:
        a, b = wrong[0]
        raise InvalidInputError(
            f"table[{a}, {b}] is {array[a, b]:g}; expected the index of an element, a whole number "
            f"from 0 to {rows - 1}."
        )
    return array.astype(np.intp)


def _checked_identity(table: IntArray) -> int:
    every = np.arange(len(table))
    both = (table == every).all(axis=1) & (table == every[:, None]).all(axis=0)
    if not both.any():
        left = np.flatnonzero((table == every).all(axis=1))
        beside = f" (element {left[0]} has e a = a for all a, but not a e = a)" if left.size else ""
        raise InvalidInputError(
            f"table has no identity{beside}; expected an element e whose row and whose column are "
            "0, 1, ..., g - 1."
        )
    return int(np.argmax(both))


def _check_permutations(rows: IntArray, name: str) -> None:
    """Refuse a row, or column, that has an element twice."""
    ordered = np.sort(rows, axis=1)
    wrong = np.flatnonzero((ordered != np.arange(len(rows))).any(axis=1))
    if wrong.size:
        row = rows[wrong[0]]
        twice = int(np.argmax(np.bincount(row, minlength=len(rows)) > 1))
        first, second = np.flatnonzero(row == twice)[:2]
        a = int(wrong[0])
        pairs = ((a, first), (a, second)) if name == "row" else ((first, a), (second, a))
        raise InvalidInputError(
            f"table is no group: {name} {a} has {twice} twice, for the pairs "
            f"({pairs[0][0]}, {pairs[0][1]}) and ({pairs[1][0]}, {pairs[1][1]}); expected every "
            "element once in each row and each column."
        )


def _generators(table: IntArray, identity: int) -> tuple[int, ...]:
    """Elements whose products, bracketed in some way, are all."""
    inside = np.zeros(len(table), dtype=bool)
    inside[identity] = True
    chosen: list[int] = []
    while not inside.all():
        chosen.append(int(np.argmin(inside)))
        inside[chosen[-1]] = True
        before = 0
        while before != (before := int(inside.sum())):
            found = np.flatnonzero(inside)
            inside[table[np.ix_(found, found)]] = True
            if int(inside.sum()) == before:
                break
    return tuple(chosen)


def _check_associates(table: IntArray, middle: int) -> None:
    """Refuse (a m) c != a (m c). That no generator m has such a pair proves it for all m.

    Source: Light's test; Clifford and Preston, "The Algebraic Theory of Semigroups", 1961, 1.2.
    """
    wrong = np.argwhere(table[table[:, middle]] != table[:, table[middle]])
    if wrong.size:
        a, c = (int(index) for index in wrong[0])
        raise InvalidInputError(
            f"table is no group: (a b) c != a (b c) for (a, b, c) = ({a}, {middle}, {c}): "
            f"{table[table[a, middle], c]} and {table[a, table[middle, c]]}; expected an "
            "associative product."
        )
