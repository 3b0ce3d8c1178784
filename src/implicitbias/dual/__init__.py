"""The dual problem behind decomposable networks: value, gradient and Hessian in n dimensions."""

from implicitbias.dual._oracle import DualOracle

__all__ = ["DualOracle"]
