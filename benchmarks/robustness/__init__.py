"""Structured problems against independent arithmetic; -h prints what there is."""
