"""Limits and flows against other people's solvers: ``python -m benchmarks.rivals``."""
