"""What cross-validation saw, as figures in scikit-learn's Display style."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
from sklearn.utils.validation import check_is_fitted

from implicitbias._arrays import FloatArray
from implicitbias._errors import InvalidInputError
from implicitbias.plotting import COLOURS, STYLES

FEW = 30  # values that are marked one by one


class _ErrorsDisplay:
    """Errors or scores on the folds along something that was chosen: mean, spread and choice.

    Parameters
    ----------
    values
        (m, n_values), what was chosen from, a row a line.
    scores
        (m, n_values, n_folds).
    labels
        What the lines are called, or None for a single one.
    chosen
        The value that was chosen.
    score_name
        Of the vertical axis.
    """

    _axis = ""

    def __init__(
        self,
        *,
        values: FloatArray,
        scores: FloatArray,
        labels: list[str] | None,
        chosen: float,
        score_name: str,
    ) -> None:
        self.values = values
        self.scores = scores
        self.labels = labels
        self.chosen = chosen
        self.score_name = score_name

    def plot(
        self, ax: Any = None, *, std: bool = True, line_kw: dict[str, Any] | None = None
    ) -> Self:
        """Draw, on ``ax`` or new axes.

        Parameters
        ----------
        ax
            Matplotlib axes.
        std
            Shade one standard deviation over the folds on both sides.
        line_kw
            Passed to every ``Axes.plot``.

        Returns
        -------
        display
            Itself, with ``figure_``, ``ax_``, ``lines_`` and ``chosen_line_``.
        """
        if ax is None:
            from matplotlib import pyplot

            _, ax = pyplot.subplots()
        self.lines_ = []
        for index, (values, scores) in enumerate(zip(self.values, self.scores, strict=True)):
            order = np.argsort(values)
            drawn = order[(values[order] > 0) & np.isfinite(values[order])]
            style: dict[str, Any] = {
                "color": COLOURS[index % len(COLOURS)],
                "linestyle": STYLES[index % len(STYLES)],
                "marker": "." if drawn.size < FEW else None,
            }
            if self.labels is not None:
                style["label"] = self.labels[index]
            mean, spread = scores[drawn].mean(axis=1), scores[drawn].std(axis=1)
            self.lines_ += ax.plot(values[drawn], mean, **(style | (line_kw or {})))
            if std:
                low, high = mean - spread, mean + spread
                own = self.lines_[-1].get_color()
                ax.fill_between(values[drawn], low, high, color=own, alpha=0.15, linewidth=0)
        value = self.chosen
        self.chosen_line_ = None
        if 0 < value < np.inf:
            self.chosen_line_ = ax.axvline(value, color="black", linestyle=":", label="chosen")
        ax.set(xscale="log", xlabel=self._axis, ylabel=self.score_name)
        if ax.get_legend_handles_labels()[0]:
            ax.legend()
        self.ax_, self.figure_ = ax, ax.figure
        return self


class ScalePathDisplay(_ErrorsDisplay):
    """Cross-validated errors or scores along the scale of the start, a line a depth.

    Made by ``from_estimator``; scales 0 and inf, which have no place on a logarithmic axis, are in
    ``values`` and not drawn.

    Examples
    --------
    >>> import matplotlib
    >>> matplotlib.use("Agg")
    >>> import numpy as np
    >>> from implicitbias.estimators import FlowLimitRegressorCV, ScalePathDisplay
    >>> X = np.random.default_rng(0).standard_normal((20, 40))
    >>> model = FlowLimitRegressorCV(depths=(2, 3), init_scales=8).fit(X, X[:, 0])
    >>> display = ScalePathDisplay.from_estimator(model)
    >>> [line.get_label() for line in display.lines_]
    ['2 layers', '3 layers (chosen)']
    """

    _axis = "scale of the start (init_scale)"

    @classmethod
    def from_estimator(
        cls,
        estimator: Any,
        *,
        ax: Any = None,
        std: bool = True,
        line_kw: dict[str, Any] | None = None,
    ) -> ScalePathDisplay:
        """Draw what a fitted FlowLimitRegressorCV or FlowLimitClassifierCV chose from.

        Parameters
        ----------
        estimator
            The model.
        ax, std, line_kw
            As for ``plot``.

        Raises
        ------
        InvalidInputError
            Another estimator.
        """
        if not hasattr(estimator, "init_scales"):
            raise _not_of("FlowLimitRegressorCV or FlowLimitClassifierCV", estimator)
        check_is_fitted(estimator)
        scores, name = _scores_of(estimator)
        values = np.atleast_2d(estimator.init_scales_)
        scores = scores.reshape(len(values), values.shape[1], -1)
        labels = None
        if len(values) > 1:
            labels = [
                f"{depth:g} layers" + (" (chosen)" if depth == estimator.depth_ else "")
                for depth in np.ravel(estimator.depths)
            ]
        display = cls(
            values=values,
            scores=scores,
            labels=labels,
            chosen=estimator.init_scale_,
            score_name=name,
        )
        return display.plot(ax, std=std, line_kw=line_kw)


class StopTimeDisplay(_ErrorsDisplay):
    """Cross-validated errors along the time of training, and where it was stopped."""

    _axis = "time of training t"

    @classmethod
    def from_estimator(
        cls,
        estimator: Any,
        *,
        ax: Any = None,
        std: bool = True,
        line_kw: dict[str, Any] | None = None,
    ) -> StopTimeDisplay:
        """Draw what a StoppedFlowRegressor fitted with ``stop_time=None`` chose from.

        Parameters
        ----------
        estimator
            The model.
        ax, std, line_kw
            As for ``plot``.

        Raises
        ------
        InvalidInputError
            Another estimator, or one whose time was given.
        """
        if not hasattr(estimator, "stop_time"):
            raise _not_of("StoppedFlowRegressor", estimator)
        check_is_fitted(estimator)
        if not hasattr(estimator, "mse_path_"):
            raise InvalidInputError(
                f"the model was stopped at stop_time={estimator.stop_time:g}, without folds to "
                "compare. Fit it with stop_time=None."
            )
        scores, name = _scores_of(estimator)
        display = cls(
            values=estimator.times_[None],
            scores=scores[None],
            labels=None,
            chosen=estimator.stop_time_,
            score_name=name,
        )
        return display.plot(ax, std=std, line_kw=line_kw)


def _scores_of(estimator: Any) -> tuple[FloatArray, str]:
    """What chose, and what it is called."""
    if not hasattr(estimator, "score_path_"):
        return estimator.mse_path_, "mean squared error on folds left out"
    scoring = estimator.scoring
    given = scoring if isinstance(scoring, str) else "accuracy" if scoring is None else "score"
    return estimator.score_path_, f"{given.replace('_', ' ')} on folds left out"


def _not_of(expected: str, given: Any) -> InvalidInputError:
    return InvalidInputError(f"estimator is a {type(given).__name__}; expected a {expected}.")
