"""Regression: the separable potential problem, its path over the scale, both ends, certificates."""
