"""The squared loss: parameters, Fourier coordinates or the dual; one loop, rules and records."""
