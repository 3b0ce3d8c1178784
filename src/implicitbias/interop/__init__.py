"""Networks and weights from PyTorch and Flax, and back.

PyTorch is imported by the functions that need it and by nothing else:
pip install 'implicitbias[torch]'.
"""

from implicitbias.interop._files import read_torch
from implicitbias.interop._from_torch import from_torch
from implicitbias.interop._to_torch import to_torch
from implicitbias.networks import weights_from_layers

__all__ = ["from_torch", "read_torch", "to_torch", "weights_from_layers"]
