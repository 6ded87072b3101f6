"""The table of rows that integers look up."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional as F

from ..per_sample.embedding import Rows, samples_first
from ._backward import Pullback
from ._layer import Layer


class Embedding(Layer, nn.Embedding):
    """The rows of the weight that integers name, (…) to (…, embedding_dim).

    `backward` returns None: integers have no gradient. `padding_idx` and `scale_grad_by_freq` are those of
    `torch.nn.Embedding`; the latter mixes the samples, and is refused while a `Samples` collects.

    Raises `HandgradError` for an index out of range, for `max_norm`, which would change the weight on the way forward,
    and for `sparse`, as gradients here are dense.
    """

    # y_p = W[x_p]          dW[v] = Σ dy_p over the p with x_p = v, but no row for padding_idx

    _takes_indices = True

    def forward(self, input: Tensor) -> tuple[Tensor, Pullback]:
        if self.max_norm is not None:
            hint = "`torch.renorm` of the weight after the optimizer's step"
            raise self._error("max_norm would change the weight in the forward pass", hint, max_norm=self.max_norm)
        if self.sparse:
            raise self._error("gradients are dense here", "build it without sparse", sparse=True)
        shape, padding, by_frequency = self.weight.shape, self.padding_idx, self.scale_grad_by_freq

        def backward(grad_output: Tensor) -> None:
            indices, dy = samples_first(input.long(), grad_output)  # (N, L) and (N, L, D)
            if padding is not None:
                dy = dy.masked_fill((indices == padding).unsqueeze(2), 0)
            if by_frequency:
                problem = "scale_grad_by_freq counts over the batch, and no gradient belongs to one sample"
                self._refuse_samples(problem, "build it without scale_grad_by_freq")
                dy = dy / indices.flatten().bincount(minlength=shape[0])[indices].unsqueeze(2)
            self.accumulate_grad(weight=Rows(indices, shape, dy))

        return F.embedding(input, self.weight), backward
