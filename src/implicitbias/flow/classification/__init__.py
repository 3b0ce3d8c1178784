"""Margin losses: parameters or the dual, one loop in the loss clock, and the slide past it."""
