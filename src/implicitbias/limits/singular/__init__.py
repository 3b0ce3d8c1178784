"""Singular vectors of a tensor."""
