"""What each sample of a batch says about a weight, which one summed gradient hides.

Gradients, their squared norms, their inner products with a direction and with each other, and their weighted sum, of
every convolution and transposed convolution that `handgrad.functional` computes. Unbatched operands are one sample.
Complex numbers follow PyTorch's convention, and ⟨a, b⟩ = Σ ā·b. Nothing here builds a graph.
"""

from . import convolution, transposed
from ._samples import Samples as Samples
from ._use import Each as Each
from .convolution import *
from .transposed import *

__all__ = ["Each", "Samples"]
__all__ += convolution.__all__
__all__ += transposed.__all__
