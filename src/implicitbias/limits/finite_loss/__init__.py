"""Where classification is when its loss reaches a given size."""
