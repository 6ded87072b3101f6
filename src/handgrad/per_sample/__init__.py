"""What each sample of a batch says about a weight, which one summed gradient hides.

Gradients, their squared norms, their inner products with a direction and with each other, and their weighted sum, of
every convolution and transposed convolution that `handgrad.functional` computes, of linear layers, normalizations and
embeddings; and `Samples`, which a backward pass fills with what all of these are made of. Unbatched operands are one
sample. Complex numbers follow PyTorch's convention, and ⟨a, b⟩ = Σ ā·b. Nothing here builds a graph.
"""

from . import convolution, embedding, linear, normalization, transposed
from ._record import record as record
from ._samples import Samples as Samples
from ._use import Each as Each
from .convolution import *
from .embedding import *
from .linear import *
from .normalization import *
from .transposed import *

__all__ = ["Each", "Samples", "record"]
__all__ += convolution.__all__
__all__ += embedding.__all__
__all__ += linear.__all__
__all__ += normalization.__all__
__all__ += transposed.__all__
