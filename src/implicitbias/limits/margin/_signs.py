"""Whether a separating rho exists whose locked coordinates keep their signs.

Z rho > 0 with sigma_j rho_j >= 0 is solvable exactly if Z rho > 0 with sigma_j rho_j > 0 is: the
rows sigma_j e_j are further points, and the evidence is that of separability.
"""

from __future__ import annotations

import numpy as np
from scipy.sparse import csr_array

from implicitbias._arrays import FloatArray
from implicitbias._verdicts import Verdict
from implicitbias.features import Features, as_features
from implicitbias.limits.margin._l1 import separator_with_signs
from implicitbias.problems import decide

CLAIM = "some separator has the signs that the start's locked coordinates keep"
LARGEST = 1 << 22  # entries up to which a proof that there is none is looked for
CLEAR = 1e-9  # a margin of the program's separator, relative to its terms, that is no rounding


def separable_with_signs(rows: FloatArray | Features, signs: FloatArray) -> Verdict:
    """Verdict on Z rho > 0, sigma_j rho_j >= 0.

    Parameters
    ----------
    rows
        Z, (n, m).
    signs
        +-1 where a coordinate keeps that sign, 0 where it is free, (m,).
    """
    rows, locked = as_features(rows), np.flatnonzero(signs)
    detail = f"{locked.size} of {signs.size} coordinates keep their sign"
    if not signs.size:
        return Verdict(CLAIM, "fails", 0.0, "no coordinate moves")
    found = separator_with_signs(rows, signs)
    if found is not None:
        margins = (rows @ found) / rows.row_norms()
        smallest = float(margins.min()) / float(np.linalg.norm(found))
        if smallest > CLEAR:
            return Verdict(CLAIM, "holds", smallest, f"its smallest cosine; {detail}")
    if (rows.shape[0] + locked.size) * signs.size > LARGEST:
        return Verdict(CLAIM, "fails", 0.0, f"a linear program found none; {detail}")
    kept = csr_array(
        (signs[locked], (np.arange(locked.size), locked)), (locked.size, signs.size)
    ).toarray()
    dense = rows.toarray()
    decided = decide(np.vstack([dense, kept]), np.ones(len(dense) + locked.size))
    verdict = decided.verdict
    if verdict.fails and decided.farkas is not None:
        points = np.flatnonzero(decided.farkas[: len(dense)])
        shown = ", ".join(map(str, points[:5])) + (", .." if points.size > 5 else "")
        detail = (
            f"points {shown} pull no free coordinate, and none of the locked ones in its sign; "
            + detail
        )
    return Verdict(CLAIM, verdict.status, verdict.value, detail)
