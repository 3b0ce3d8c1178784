"""Whether a network, a problem and a start belong together."""

from __future__ import annotations

from typing import Any

from implicitbias._errors import InvalidInputError
from implicitbias.initialization import Initialization
from implicitbias.networks import Network
from implicitbias.problems import Classification, Regression


def check_fit(network: Any, problem: Any, init: Any) -> None:
    """Refuse a network, a problem and an initialization that do not belong together.

    Raises
    ------
    InvalidInputError
        A wrong type, sizes that differ, or directions of the wrong shape.
    """
    for value, kinds, name in (
        (network, (Network,), "network"),
        (problem, (Regression, Classification), "problem"),
        (init, (Initialization,), "init"),
    ):
        if not isinstance(value, kinds):
            expected = " or a ".join(kind.__name__ for kind in kinds)
            article = "an" if expected.startswith("I") else "a"
            raise InvalidInputError(
                f"{name} is a {type(value).__name__}; expected {article} {expected}. The order of "
                "the arguments is network, problem, init."
            )
    if network.num_features != problem.num_features:
        raise InvalidInputError(
            f"the network takes {network.num_features} features and the problem has "
            f"{problem.num_features}."
        )
    init.check(network)
