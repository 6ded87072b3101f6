"""Which of somebody's tensors is which operand: settled by values, as the real operation must give the same output."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from itertools import permutations, product
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from ..case import Case, Vjp, same
from ..slips import Backwards, Linear
from .operation import Known, Operation, Options

if TYPE_CHECKING:
    from ..slips.draw import Draw

Layout = Callable[[Tensor], Tensor]


@dataclass(frozen=True)
class Bound:
    """An operation whose operands are somebody's tensors, each brought into PyTorch's layout."""

    operation: Operation
    options: Options
    roles: Mapping[str, str]  # the user's name by role
    layouts: Mapping[str, Layout]  # by role; each undoes itself on a gradient of PyTorch's shape
    inputs: Mapping[str, Tensor]
    output: Tensor

    def vjp(self, inputs: Mapping[str, Tensor]) -> Vjp:
        """The operation's backward pass at the user's inputs, or at others of their shapes, by autograd."""
        leaves = {n: v.detach().clone().requires_grad_() for n, v in inputs.items() if v.is_floating_point()}
        tensors = {role: self.layouts[role](leaves.get(name, inputs[name])) for role, name in self.roles.items()}
        output = self.operation.forward(tensors, self.options)

        def vjp(g: Tensor) -> Mapping[str, Tensor]:
            # of ⟨g, y⟩: given a grad_outputs, autograd.grad imports sympy the first time, a second's worth
            total = (output * g.reshape(output.shape)).sum()
            ways = torch.autograd.grad(total, list(leaves.values()), retain_graph=True, allow_unused=True)
            return {
                n: leaves[n].new_zeros(leaves[n].shape) if d is None else d for n, d in zip(leaves, ways, strict=True)
            }

        return vjp

    def slips(self, draw: Draw) -> Backwards:
        """The operation's own slips for one gradient, in the user's layout."""
        for known in self._known(draw):
            for path, linear in self.operation.slips(known):
                yield path, partial(self._in_users_layout, known.role, linear)

    def conventions(self, draw: Draw) -> Iterator[Tensor]:
        """Gradients that are as right as the truth, in the user's layout."""
        for known in self._known(draw):
            for gradient in self.operation.conventions(known):
                yield _returned(gradient, self.layouts[known.role], self.inputs[self.roles[known.role]])

    def _known(self, draw: Draw) -> Iterator[Known]:
        for role, name in self.roles.items():
            if name == draw.name:
                tensors = {role: self.layouts[role](self.inputs[name]) for role, name in self.roles.items()}
                g = draw.g.reshape(self.output.shape)
                yield Known(role, tensors, self.options, self.output, g, draw.user.shape)

    def _in_users_layout(self, role: str, linear: Linear, g: Tensor) -> Tensor:
        gradient = linear(g.reshape(self.output.shape))
        return _returned(gradient, self.layouts[role], self.inputs[self.roles[role]])


def _returned(gradient: Tensor, layout: Layout, input: Tensor) -> Tensor:
    if layout is _matrix:
        return gradient.mT if gradient.dim() == 2 else gradient
    return gradient.reshape(input.shape) if layout in (_vector, _image) and gradient.numel() == input.numel() else gradient


def _same(tensor: Tensor) -> Tensor:
    return tensor


def _matrix(tensor: Tensor) -> Tensor:
    """(I, O) → (O, I): a weight for x @ w."""
    return tensor.mT


def _vector(tensor: Tensor) -> Tensor:
    """(1, O) or (1, C, 1, 1) → (O,)."""
    return tensor.reshape(-1)


def _image(tensor: Tensor) -> Tensor:
    """(H, W) → (1, 1, H, W)."""
    return tensor[None, None]


def bind(case: Case) -> Bound | None:
    """The case's operation with its operands, None where there is none or it gives another output."""
    if case.operation is None:
        return None
    fitting = _fitting(case.operation, case.inputs, case.output, lambda _roles, _output: [case.options])
    return next(fitting, None)


def recognise(inputs: Mapping[str, Tensor], output: Tensor) -> tuple[Operation, Mapping[str, Any]] | None:
    """The operation, and its options, that gives this output of these inputs; None where none does."""
    from . import get, names

    for name in names():
        operation = get(name)
        found = next(_fitting(operation, inputs, output, operation.guesses), None)
        if found is not None:
            return found.operation, found.options
    return None


def _fitting(
    operation: Operation,
    inputs: Mapping[str, Tensor],
    output: Tensor,
    options: Callable[[Mapping[str, Tensor], Tensor], Iterable[Options]],
) -> Iterator[Bound]:
    """Every reading of the inputs as operands that gives the output."""
    for roles in _assignments(operation, inputs):
        for layouts in _layouts(roles, inputs):
            tensors = {role: layouts[role](inputs[name]) for role, name in roles.items()}
            for guess in options(tensors, output):
                y = _forward(operation, tensors, guess)
                if y is not None and y.numel() == output.numel() and same(y.reshape(output.shape), output, 1e-6):
                    yield Bound(operation, guess, roles, layouts, inputs, y)


def _forward(operation: Operation, tensors: Mapping[str, Tensor], options: Options) -> Tensor | None:
    try:
        with torch.no_grad():
            return operation.forward(tensors, options)
    except (RuntimeError, ValueError, IndexError, KeyError, TypeError):
        return None  # this reading does not even run


def _assignments(operation: Operation, inputs: Mapping[str, Tensor]) -> Iterator[dict[str, str]]:
    """Roles for the inputs: in the operation's order first, then in every other."""
    count = len(inputs)
    if operation.required <= count <= len(operation.roles):
        for order in permutations(inputs):
            yield dict(zip(operation.roles, order, strict=False))


def _layouts(roles: Mapping[str, str], inputs: Mapping[str, Tensor]) -> Iterator[dict[str, Layout]]:
    """PyTorch's layout first, then those that people use instead of it."""
    choices = [list(_choices(role, inputs[name])) for role, name in roles.items()]
    for chosen in product(*choices):
        yield dict(zip(roles, chosen, strict=True))


def _choices(role: str, tensor: Tensor) -> Iterator[Layout]:
    yield _same
    if role == "weight" and tensor.dim() == 2:
        yield _matrix
    if role in ("weight", "bias") and tensor.dim() > 1 and tensor.numel() == max(tensor.shape):
        yield _vector
    if role in ("input", "weight") and tensor.dim() == 2:
        yield _image
