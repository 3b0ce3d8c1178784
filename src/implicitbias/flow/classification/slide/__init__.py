"""Past float64's differences: along the face of equal smallest margins."""
