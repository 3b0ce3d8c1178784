"""The assumptions about starts whose signs no interpolator has, each measured into a verdict."""

from __future__ import annotations

from implicitbias._verdicts import Verdict
from implicitbias.limits import STRICT
from implicitbias.theorems._assumptions import (
    counted,
    needs,
    orthogonally_decomposable,
    reachable_signs,
    real_start,
    single_data_phase,
)
from implicitbias.theorems._pair_assumptions import positive_pair, two_sided
from implicitbias.theorems._situation import Situation


@needs(orthogonally_decomposable, single_data_phase, real_start)
def unreachable_signs(situation: Situation) -> Verdict:
    """No interpolator has the start's signs."""
    found = reachable_signs(situation)
    return Verdict(
        "no interpolator has the start's signs",
        "fails" if found.holds else "holds",
        found.value,
        found.detail,
    )


@needs(orthogonally_decomposable, single_data_phase, real_start, unreachable_signs)
def exact_ties(situation: Situation) -> Verdict:
    """Layers that tie or vanish in coordinates do so exactly."""
    exact = situation.start_is_exact
    return counted(
        "layers that tie in coordinates, or vanish there, do so exactly",
        float(exact),
        exact,
        "" if exact else "U_l^T v_l is rounded",
    )


@needs(orthogonally_decomposable, single_data_phase, real_start, unreachable_signs)
def strict_fit(situation: Situation) -> Verdict:
    """The least-squares fit is strictly complementary."""
    assumption = "the least-squares fit under these signs is strictly complementary"
    try:
        fit = situation.signed_fit
    except RuntimeError as error:
        return Verdict(assumption, "fails", 0.0, str(error))
    held = int(fit.forced.sum()) - int(situation.curves.dead.sum())
    return Verdict(
        assumption,
        "holds" if fit.strictness > STRICT else "fails",
        fit.strictness,
        f"the least multiplier, part, residual or angle, 0 if not known; {held} locked "
        "coordinates tend to 0",
    )


@needs(two_sided, positive_pair)
def pairs_unreachable(situation: Situation) -> Verdict:
    """No interpolator has the signs that zeros of u(0) and v(0) keep."""
    return unreachable_signs(situation)


@needs(two_sided, positive_pair, pairs_unreachable)
def pairs_fit(situation: Situation) -> Verdict:
    """The least-squares fit is strictly complementary."""
    return strict_fit(situation)
