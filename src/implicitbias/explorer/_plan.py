"""What a page goes through: networks, depths, directions and scales; and what all tasks share."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from implicitbias._arrays import FloatArray, IntArray, Parameters
from implicitbias._model import directions_of, network_of
from implicitbias.networks import Network
from implicitbias.problems import Classification, Regression

TITLES = {
    "diagonal": "diagonal",
    "two_sided": "two-sided diagonal",
    "convolutional": "convolutional",
    "fully_connected": "fully connected",
}
TILTED = ("diagonal", "two_sided")  # networks whose start has one weight a column
LARGE = 20_000  # entries of X above which a page has fewer depths and directions by itself
SHOWN = 20  # coefficients, the largest: a page of thousands is heavy and shows nothing


@dataclass(frozen=True, eq=False)
class Plan:
    """What is explored.

    Attributes
    ----------
    problem, names
        The data, and a name for each coefficient.
    networks, depths, scales
        Names of networks, numbers of layers, and scales alpha in ascending order.
    start_scales
        The few scales from which training is followed.
    intercept
        The constant that belongs to coefficients, or None.
    report
        Called whenever one setting is done.
    """

    problem: Regression | Classification
    names: tuple[str, ...]
    networks: tuple[str, ...]
    depths: tuple[int, ...]
    scales: tuple[float, ...]
    start_scales: tuple[float, ...]
    intercept: Callable[[FloatArray], float] | None = None
    report: Callable[[], object] = field(default=lambda: None)

    @property
    def tilts(self) -> tuple[float, ...]:
        """Exponents of the start's weights: eta falls from 2^tilt to 2^-tilt along the columns."""
        one = self.problem.num_features == 1 or is_large(self.problem)
        return (0.0,) if one else (1.0, 0.0, -1.0)

    @property
    def num_starts(self) -> int:
        """Networks, depths and directions; weights that a network has not are no setting."""
        a_depth = (len(self.tilts) if name in TILTED else 1 for name in self.networks)
        return len(self.depths) * sum(a_depth)

    def weights(self, tilt: float) -> FloatArray:
        """eta, (d,)."""
        return np.asarray(2.0 ** (tilt * np.linspace(1.0, -1.0, self.problem.num_features)))

    def start(self, name: str, depth: int, tilt: float) -> tuple[Network, Parameters]:
        """The network and the directions of its layers; without weights where it has none."""
        network = network_of(name, depth, self.problem.num_features)
        return network, directions_of(network, self.weights(tilt) if name in TILTED else None)

    def architectures(self, networks: Sequence[str]) -> list[dict[str, Any]]:
        """Network and depth; a control with one option is not shown."""
        return [
            control("network", "Network", [TITLES[name] for name in networks], select=True),
            control("depth", "Depth L", [str(depth) for depth in self.depths]),
        ]

    def controls(self) -> list[dict[str, Any]]:
        """Network, depth and direction."""
        directions = [self._direction(tilt) for tilt in self.tilts]
        start = self.tilts.index(0.0)
        return [
            *self.architectures(self.networks),
            control("direction", "Direction of the start", directions, start=start),
        ]

    def start_scale(self) -> dict[str, Any]:
        """The scale from which training is followed."""
        options = [f"{scale:g}" for scale in self.start_scales]
        return control("start_scale", "Scale α of the start", options, start=len(options) // 2)

    def _direction(self, tilt: float) -> str:
        if self.problem.num_features == 2:
            first, second = self.weights(tilt)
            return f"({first:.3g}, {second:.3g})"
        words = {0.0: "all columns alike", 1.0: "first columns ahead", -1.0: "last columns ahead"}
        return words[tilt]

    def starts(self) -> Iterator[tuple[str, tuple[str, int, float]]]:
        """(key, (network, depth, tilt)), keys in the order of the controls."""
        for i, name in enumerate(self.networks):
            for j, depth in enumerate(self.depths):
                for k, tilt in enumerate(self.tilts):
                    yield f"{i}.{j}.{k}", (name, depth, tilt if name in TILTED else 0.0)


def is_large(problem: Regression | Classification) -> bool:
    """Whether every setting takes seconds, so that a page should have fewer."""
    return problem.num_points * problem.num_features > LARGE


class Frames:
    """What a page shows for each setting of its controls; equal settings are made once.

    ``report`` is called whenever one has been made.
    """

    def __init__(self, report: Callable[[], object] = lambda: None) -> None:
        self.keys: dict[str, int] = {}
        self.store: list[dict[str, Any]] = []
        self._made: dict[Any, int] = {}
        self._report = report

    def add(self, key: str, setting: Any, make: Callable[[], dict[str, Any]]) -> None:
        """Keep what a setting shows."""
        if setting not in self._made:
            self._made[setting] = len(self.store)
            self.store.append(make())
            self._report()
        self.keys[key] = self._made[setting]


def control(
    name: str, label: str, options: Sequence[str], *, start: int = 0, select: bool = False
) -> dict[str, Any]:
    """A slider, or a list to choose from."""
    return {
        "id": name,
        "label": label,
        "kind": "select" if select else "range",
        "options": list(options),
        "start": start,
    }


def curves(
    name: str, title: str, caption: str, x: dict[str, Any], y: dict[str, Any], **drawn: Any
) -> dict[str, Any]:
    """A figure of curves: of the coefficients, or of the ``rows`` that ``drawn`` names."""
    what = {"id": name, "kind": "curves", "title": title, "caption": caption}
    return {**what, "x": x, "y": y, **drawn}


def plane(caption: str, radius: str = "") -> dict[str, Any]:
    """The figure of two coefficients."""
    return {
        "id": "plane",
        "kind": "plane",
        "title": "The plane of both coefficients",
        "caption": caption,
        "x": {"label": f"β₁{radius}"},
        "y": {"label": f"β₂{radius}"},
    }


def largest(values: FloatArray) -> IntArray:
    """The indices of the largest coefficients of (k, d), by size; in their own order in a plane."""
    if values.shape[1] == 2:
        return np.arange(2)
    sizes = np.nan_to_num(np.abs(values)).max(axis=0)
    return np.argsort(-sizes, kind="stable")[:SHOWN]


def drawn(points: FloatArray) -> Any:
    """Points that are drawn and not read, in six digits."""
    return [[float(f"{value:.6g}") for value in point] for point in points]


def row(name: str, values: FloatArray | IntArray, *, listed: bool = True) -> dict[str, Any]:
    """One number a position of the slider; unlisted ones are only drawn."""
    return {"name": name, "values": numbers(values), "listed": listed}


def numbers(values: Any) -> Any:
    """Nested lists for JSON: every digit, None for NaN, "inf" and "-inf"."""
    if isinstance(values, np.ndarray):
        values = values.tolist()
    if isinstance(values, (list, tuple)):
        return [numbers(value) for value in values]
    if values is None or np.isnan(values):
        return None
    value = float(values)
    return value if np.isfinite(value) else str(value)
