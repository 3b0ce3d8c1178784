"""The networks whose training is studied: linear tensor networks in six families, u^D - v^D."""

from implicitbias.networks._activation import Activation, AnyActivation, as_activation
from implicitbias.networks._alignment import LayerAlignment, layer_alignment
from implicitbias.networks._base import Network
from implicitbias.networks._convolutional import ConvolutionalNetwork
from implicitbias.networks._decomposition import DenseDecomposition, OrthogonalDecomposition
from implicitbias.networks._diagonal import DiagonalNetwork
from implicitbias.networks._fully_connected import FullyConnectedNetwork
from implicitbias.networks._group_blocks import Block
from implicitbias.networks._group_convolutional import (
    GroupConvolutionalNetwork,
    as_group_convolution,
)
from implicitbias.networks._layouts import (
    as_numpy,
    layers_from_weights,
    left_padding,
    weights_from_layers,
)
from implicitbias.networks._multilinear import multilinear_multiply
from implicitbias.networks._orthogonal import OrthogonalNetwork
from implicitbias.networks._point_svd import PointMaps
from implicitbias.networks._stacked import flattened_each, layers_of_each
from implicitbias.networks._structured import (
    FourierDecomposition,
    IdentityDecomposition,
    SelectionDecomposition,
)
from implicitbias.networks._tensor import TensorNetwork
from implicitbias.networks._two_sided import TwoSidedDiagonalNetwork

__all__ = [
    "Activation",
    "AnyActivation",
    "Block",
    "ConvolutionalNetwork",
    "DenseDecomposition",
    "DiagonalNetwork",
    "FourierDecomposition",
    "FullyConnectedNetwork",
    "GroupConvolutionalNetwork",
    "IdentityDecomposition",
    "LayerAlignment",
    "Network",
    "OrthogonalDecomposition",
    "OrthogonalNetwork",
    "PointMaps",
    "SelectionDecomposition",
    "TensorNetwork",
    "TwoSidedDiagonalNetwork",
    "as_activation",
    "as_group_convolution",
    "as_numpy",
    "flattened_each",
    "layer_alignment",
    "layers_from_weights",
    "layers_of_each",
    "left_padding",
    "multilinear_multiply",
    "weights_from_layers",
]
