"""What X and Z = X S^T are made of: dense, CSR, Fourier or blocks, behind one type."""

from implicitbias.features._base import Features
from implicitbias.features._blocks import Blocks
from implicitbias.features._build import as_features, features_of
from implicitbias.features._cluster import OnCluster
from implicitbias.features._dense import Dense, heaviest_columns
from implicitbias.features._device import OnDevice
from implicitbias.features._exact_sums import ExactSums, exact_sum, product_error
from implicitbias.features._fourier import Fourier, Spectra
from implicitbias.features._large import (
    factor_instead,
    is_iterated,
    is_large,
    limit_bytes,
    may_combine,
)
from implicitbias.features._lost import Lost, lost_in_difference
from implicitbias.features._precise import Precise, precise_residual
from implicitbias.features._sparse import Sparse
from implicitbias.features._stack import Stack, stackable

__all__ = [
    "Blocks",
    "Dense",
    "ExactSums",
    "Features",
    "Fourier",
    "Lost",
    "OnCluster",
    "OnDevice",
    "Precise",
    "Sparse",
    "Spectra",
    "Stack",
    "as_features",
    "exact_sum",
    "factor_instead",
    "features_of",
    "heaviest_columns",
    "is_iterated",
    "is_large",
    "limit_bytes",
    "lost_in_difference",
    "may_combine",
    "precise_residual",
    "product_error",
    "stackable",
]
