"""Max-margin directions of convolutions over groups: nuclear norms, Schatten quasi-norms."""
