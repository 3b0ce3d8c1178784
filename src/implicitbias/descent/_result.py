"""What a run of gradient descent reports."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, get_args

import numpy as np

from implicitbias._arrays import ArrayLike, FloatArray, IntArray, Parameters, finite_array
from implicitbias._errors import InvalidInputError, NoPredictionError, Outcome
from implicitbias._fit import check_fit
from implicitbias.descent._effective import EffectiveStart, effective_start
from implicitbias.descent._plan import Reduction, one_of, whole_steps
from implicitbias.descent._recorder import DualRecorder
from implicitbias.descent._trained import Trained, read
from implicitbias.flow import Flow, LossName
from implicitbias.initialization import Initialization
from implicitbias.networks import Activation, Network
from implicitbias.problems import Classification, Regression

FITTED = 1e-8  # residual that counts as fitting the data


@dataclass(frozen=True, eq=False, repr=False)
class Run(Flow):
    """Theta_0, Theta_1, ... of gradient descent with steps of finite size, and how it ended.

    All names of ``Flow`` are there, of saved steps in the place of saved times.

    Attributes
    ----------
    coefficients, final_parameters, log_losses, directions, margins, log_margins
        As for ``Flow``, at the saved steps; losses of all points, summed, without noise. With an
        activation coefficients are NaN.
    parameters
        The layers at the saved steps, each (T, ...); the first are the start, the last the end.
    steps
        The saved steps k, (T,), evenly in log k unless asked for.
    times, log_times
        Sum of the step sizes until then, (T,), the time t of the flow that is followed;
        log_times[0] is -inf. With ``over_loss`` that of the steps over the loss.
    predictions
        f(x_i) there, (T, n), with an activation; else None.
    dual
        nu = -sum_k gamma_k r_k, (n,): zeros outside of batches, the weight n / b of a batch within,
        residuals with their label noise. Without momentum s = Z^T nu is the clock of every
        coordinate.
    drift
        Worst relative change of the network's conserved quantities over the saved steps: not an
        error here, but what steps of finite size do. NaN with an activation.
    outcome, message
        Why the run ended, as for flows; LOSS_REACHED, and DIVERGED, whose message names the largest
        stable step.
    num_steps
        The last step. After DIVERGED the saved points end before it.
    seed
        Of batches and noise.
    momentum
        mu.
    activation
        phi, or None.
    route, method
        "descent", and how.
    """

    parameters: Parameters = ()
    steps: IntArray = field(default_factory=lambda: np.zeros(0, dtype=np.intp))
    dual: FloatArray | None = None
    predictions: FloatArray | None = None
    seed: int = 0
    momentum: float = 0.0
    activation: Activation | None = None
    _trained: Trained | None = None

    @classmethod
    def from_weights(
        cls,
        network: Network,
        problem: Regression | Classification,
        snapshots: Iterable[Initialization | Iterable[Any]],
        dual: ArrayLike | DualRecorder | None = None,
        *,
        steps: ArrayLike | None = None,
        loss: LossName = "exponential",
        reduction: Reduction = "sum",
        obstacle: str = "",
    ) -> Run:
        """A run that was made elsewhere, by its layers at some steps.

        Parameters
        ----------
        network, problem
            What was trained, on what.
        snapshots
            Layers of ``network.parameter_shapes``, first to last, two sets at least; each a list of
            arrays, an ``Initialization``, or a state dict of PyTorch.
        dual
            nu = -sum_k gamma_k dL/df, (n,), as ``DualRecorder`` sums it up. Without it there is no
            effective start. Steps left out, recorded at another step size or at the wrong points,
            momentum, Adam and clipping are noticed, and refused, where they move a coordinate's
            clock by more than about twice what its finite steps do: usually from a few percent
            on. Weight decay is not noticed, nor what is smaller, nor anything in fully connected
            layers but one point's.
        steps
            The numbers of steps after which the snapshots were taken; 0, 1, ... by default.
        loss, reduction
            The loss that was descended, for the sharpness: see ``gradient_descent``.
        obstacle
            What else kept the layers from following gradient descent, such as "momentum 0.9" or
            "weight decay"; then there is no effective start either.

        Returns
        -------
        Run
            Its ``outcome`` is RESIDUAL_REACHED or MARGIN_REACHED where the last snapshot fits the
            data to 1e-8, or separates them; else STEP_LIMIT. Times count steps.

        Raises
        ------
        InvalidInputError
            Layers, dual or steps of the wrong shape, not finite, or too few.
        """
        return _from_weights(
            cls, network, problem, snapshots, dual, steps, (loss, reduction), obstacle
        )

    @classmethod
    def _types(cls) -> dict[str, Any]:
        return super()._types() | {"sharpness": float, "effective": EffectiveStart}

    def _rows(self) -> dict[str, Any]:
        """Without what nobody asked for."""
        return {name: getattr(self, name) for name in super()._types()}

    @property
    def trained_on(self) -> tuple[Network, Regression | Classification, Initialization] | None:
        """The network, the problem and the start; None of a run that was loaded."""
        trained = self._trained
        return None if trained is None else (trained.network, trained.problem, trained.init)

    @property
    def fits(self) -> bool:
        """Whether the residual is at most 1e-8, however the run ended; False for classes."""
        return bool(self.residual <= FITTED)

    @property
    def best(self) -> int:
        """Which of the saved steps has the smallest loss."""
        return int(np.argmin(np.where(np.isnan(self.log_losses), np.inf, self.log_losses)))

    @cached_property
    def sharpness(self) -> float:
        """The largest eigenvalue of the loss's Hessian, where the smallest loss was saved."""
        if self._trained is None:
            return float("nan")
        return self._trained.sharpness(tuple(layer[self.best] for layer in self.parameters))

    @property
    def largest_stable_step(self) -> float:
        """2 / sharpness: with larger constant steps nothing settles there."""
        return 2.0 / self.sharpness if self.sharpness > 0.0 else float("inf")

    @cached_property
    def effective(self) -> EffectiveStart:
        """The effective start with its scales, or the reason why there is none."""
        if self._trained is None:
            return EffectiveStart(None, None, None, "this run does not know its network")
        end = tuple(layer[-1] for layer in self.parameters)
        return effective_start(self._trained, end, self.dual)

    @property
    def effective_start(self) -> Initialization:
        """Where a gradient flow must start to pass through this run's end.

        In decoupled coordinates every step, of any size, batch and label noise, keeps the clock
        s = Z^T nu and multiplies each offset by a known factor,

            p_l^2 - p_L^2  <-  (p_l^2 - p_L^2) (1 - gamma^2 g^2 prod_{m != l, L} p_m^2),

        so that the end is that of the flow from another start: the end carried back along its own
        curve by the clock. A run that fits the data ends at ``predict_limit`` of it, exactly. For
        two layers it is (p_1 +- p_2)(0) prod_k (1 -+ gamma_k g_k) e^{+-gamma_k g_k}.

        Raises
        ------
        NoPredictionError
            No such identity holds: momentum, an activation, complex coordinates that turn, layers
            that do not decouple (several points and no orthogonal decomposition), no dual recorded,
            or steps so large that no flow passes through the end.

        Notes
        -----
        Contains alpha_inf of Even, Pesme, Gunasekar and Flammarion (2023, L = 2) and, for small
        steps, of Pesme, Pillaud-Vivien and Flammarion (2021).
        """
        if self.effective.parameters is None:
            raise NoPredictionError(self.effective.reason)
        return Initialization(self.effective.parameters, scale=1.0)

    def __str__(self) -> str:
        end = f"loss exp({self.log_losses[-1]:.6g})"
        if self.log_margins is not None:
            end += f", log margin {self.log_margins[-1]:.6g}"
        elif np.isfinite(self.residual):
            end += f", residual {self.residual:.1e}"
        return (
            f"Run of gradient descent: {self.outcome.value}\n"
            f"  {self.message}\n"
            f"  {self.num_steps} steps, {end}\n"
            f"  conserved quantities changed by {self.drift:.1e}; {self.seconds:.2f} s"
        )

    def _short(self) -> str:
        return f"{self.outcome.name}, {self.num_steps} steps, log loss {self.log_losses[-1]:.6g}"


def _layers_of(network: Network, snapshot: Any) -> Any:
    if isinstance(snapshot, Mapping):
        snapshot = Initialization.from_weights(network, snapshot)
    return snapshot.parameters() if isinstance(snapshot, Initialization) else snapshot


def _from_weights(
    kind: type[Run],
    network: Network,
    problem: Regression | Classification,
    snapshots: Any,
    dual: Any,
    steps: Any,
    loss: tuple[LossName, Reduction],
    obstacle: str,
) -> Run:
    if not isinstance(network, Network):
        raise InvalidInputError(
            f"network is a {type(network).__name__}; expected a Network. The order of the "
            "arguments is network, problem, snapshots."
        )
    one_of(loss[0], "loss", get_args(LossName))
    one_of(loss[1], "reduction", get_args(Reduction))
    if not isinstance(snapshots, Iterable) or isinstance(snapshots, Mapping):
        raise InvalidInputError(f"snapshots is {snapshots!r}; expected a list of sets of layers.")
    sets = [
        network.check_parameters(_layers_of(network, each), f"snapshots[{at}]")
        for at, each in enumerate(snapshots)
    ]
    if len(sets) < 2:
        raise InvalidInputError(
            f"snapshots holds {len(sets)} sets of layers; expected two at least, the start and the "
            "end."
        )
    init = Initialization(sets[0], scale=1.0)
    check_fit(network, problem, init)
    dual = dual.dual if isinstance(dual, DualRecorder) else dual
    nu = None if dual is None else finite_array(dual, "dual", shape=(problem.num_points,)).copy()
    counts = np.arange(len(sets)) if steps is None else whole_steps(steps, "steps")
    if len(counts) != len(sets):
        raise InvalidInputError(
            f"steps has {len(counts)} entries; expected one for each of {len(sets)} snapshots."
        )
    mean = loss[1] == "mean"
    trained = Trained(network, problem, init, loss[0], mean, None, obstacle, elsewhere=True)
    found = read(trained, tuple(np.stack(layer) for layer in zip(*sets, strict=True)))
    looks = trained.looks(found["coefficients"] @ problem.X.T)
    residual = float(looks.residual[-1])
    fits = residual <= FITTED or float(looks.margin[-1]) > 0.0
    reached = (
        Outcome.RESIDUAL_REACHED if isinstance(problem, Regression) else Outcome.MARGIN_REACHED
    )
    size = f"residual {residual:.3g}" if isinstance(problem, Regression) else ""
    size = size or f"margin {float(looks.margin[-1]):.6g}"
    with np.errstate(divide="ignore"):
        log_times = np.log(counts)
    return kind(
        **found,
        times=counts.astype(np.float64),
        log_times=log_times,
        log_losses=looks.log_loss,
        residual=residual,
        outcome=reached if fits else Outcome.STEP_LIMIT,
        message=f"made elsewhere: {size} at the last of {len(sets)} snapshots.",
        method="made elsewhere",
        num_steps=int(counts[-1]),
        num_evaluations=0,
        seconds=0.0,
        steps=counts,
        dual=nu,
        _trained=trained,
    )
