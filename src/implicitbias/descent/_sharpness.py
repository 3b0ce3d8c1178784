"""The sharpness of a training loss: the largest eigenvalue of its Hessian in the parameters."""

from __future__ import annotations

import numpy as np
from scipy.sparse.linalg import ArpackNoConvergence, LinearOperator, eigsh

from implicitbias._arrays import FloatArray, Parameters, stable_norm
from implicitbias.descent._losses import DescentLoss, Sample
from implicitbias.descent._model import Model

FEW = 64  # parameters up to which the Hessian is formed
DIFFERENCE = 1e-5  # of the parameters' size: central differences of gradients
TOLERANCE = 1e-8


def sharpness(model: Model, loss: DescentLoss, layers: Parameters, *, mean: bool) -> float:
    """lambda_max of the Hessian at one set of layers, by central differences of gradients.

    NaN where the gradients leave float64.
    """
    ends = np.cumsum([layer.size for layer in layers])[:-1]
    shapes = [layer.shape for layer in layers]
    at = np.concatenate([layer.ravel() for layer in layers])
    factor = 1.0 / len(loss.y) if mean else 1.0

    def gradient(theta: FloatArray) -> FloatArray:
        parts = np.split(theta, ends)
        stack = tuple(part.reshape(1, *shape) for part, shape in zip(parts, shapes, strict=True))
        pulls, _ = loss.pulls(model.predictions(stack, None), Sample(np.ones(1), factor))
        return np.concatenate([each.ravel() for each in model.gradients(stack, pulls, None)])

    def product(vector: FloatArray) -> FloatArray:
        vector = np.ravel(vector)
        length = stable_norm(vector)
        if length == 0.0:
            return np.zeros_like(at)
        step = DIFFERENCE * (stable_norm(at) or 1.0) / length
        return (gradient(at + step * vector) - gradient(at - step * vector)) / (2.0 * step)

    with np.errstate(all="ignore"):
        if at.size <= FEW:
            hessian = np.array([product(row) for row in np.eye(at.size)])
            if not np.isfinite(hessian).all():
                return float("nan")
            return float(np.linalg.eigvalsh((hessian + hessian.T) / 2.0)[-1])
        first = np.random.default_rng(0).standard_normal(at.size)
        image = product(first)
        if not (np.isfinite(image).all() and image.any()):
            return 0.0 if not image.any() else float("nan")  # gradients under- or overflow
        operator = LinearOperator((at.size, at.size), matvec=product, dtype=np.float64)
        try:
            values = eigsh(
                operator, 1, which="LA", v0=first, tol=TOLERANCE, return_eigenvectors=False
            )
        except ArpackNoConvergence as error:
            values = error.eigenvalues
        return float(values[0]) if len(values) else float("nan")
