"""Networks with an elementwise activation: simulation only, by the parameters."""
