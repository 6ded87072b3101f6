"""Every gradient of every convolution, as plain functions of tensors.

The convolutions take PyTorch's arguments in PyTorch's order and return what PyTorch returns; the gradients take what
`torch.nn.grad` takes. All of them are one bilinear form (see `handgrad._algorithms`) with one operand left out:

    conv (x, w) → y          conv_weight (x, dy) → dw          conv_input (w, dy) → dx

A transposed convolution is the same three with the roles exchanged. Complex numbers follow PyTorch's convention: a
gradient conjugates the operand that is known. Nothing here builds a graph: everything runs as under `no_grad`.

In shapes, N is the batch (absent where input is unbatched), C and O the input and output channels, *I, *K and *L the
sizes of the input's grid, the kernel and the output's grid.
"""

from . import convolution, transposed, windows
from ._common import Gradients
from .convolution import *
from .transposed import *
from .windows import *

__all__ = ["Gradients"]
__all__ += convolution.__all__
__all__ += transposed.__all__
__all__ += windows.__all__
