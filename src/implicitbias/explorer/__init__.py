"""One page that moves: limits, paths and training, precomputed and steered by sliders."""

from implicitbias.explorer._explore import explore
from implicitbias.explorer._page import Explorer, is_ours

__all__ = ["Explorer", "explore", "is_ours"]
