"""Whatever is no result to draw is named, with what was expected, before anything is drawn."""

import inspect

import pytest
from matplotlib import pyplot

from implicitbias import InvalidInputError, plotting

FIGURES = [
    figure
    for name in plotting.__all__
    if inspect.isfunction(figure := getattr(plotting, name)) and not name.startswith("potential")
]


def required(figure):
    parameters = inspect.signature(figure).parameters.values()
    return [each for each in parameters if each.default is each.empty]


@pytest.mark.parametrize("figure", FIGURES, ids=lambda figure: figure.__name__)
@pytest.mark.parametrize("bad", [None, "a", 3.0, [], [None], ["a"], object()])
def test_what_is_no_result_is_refused(figure, bad):
    with pytest.raises(InvalidInputError, match=r"expected|at least|needs"):
        figure(*[bad] * len(required(figure)))
    assert not pyplot.get_fignums()


def test_axes_are_axes():
    for ax in (3, "a", pyplot.figure()):
        with pytest.raises(InvalidInputError, match=r"ax is a .*; expected matplotlib Axes"):
            plotting.potential(ax=ax)
    pyplot.close("all")
