"""Cases as the checker makes them, from an operation's own settings and a hand-written wrong backward pass."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor

from handgrad._check.case import Case
from handgrad._check.operations import Operation, get
from handgrad._check.operations.binding import fitting

# What the user's code returns for the gradient, of grad_output and of everything by role.
Wrong = Callable[..., Any]


def case(
    forward: Callable[..., Tensor],
    inputs: Mapping[str, Tensor],
    name: str,
    wrong: Wrong,
    operation: Operation | None = None,
    options: Mapping[str, Any] | None = None,
    **extra: Any,
) -> Case:
    """One draw: `forward(**inputs, **options)`, and `wrong(g, **inputs, **options)` claiming to be one gradient."""
    options = dict(options or {})

    def linearize(changed: Mapping[str, Tensor]) -> Callable[[Tensor], dict[str, Tensor]]:
        leaves = {n: v.clone().requires_grad_(v.is_floating_point()) for n, v in changed.items()}
        output = forward(**leaves, **options)
        wanted = {n: v for n, v in leaves.items() if v.requires_grad}

        def vjp(g: Tensor) -> dict[str, Tensor]:
            found = torch.autograd.grad((output * g).sum(), list(wanted.values()), retain_graph=True, allow_unused=True)
            return {n: torch.zeros_like(wanted[n]) if d is None else d for n, d in zip(wanted, found, strict=True)}

        return vjp

    output = forward(**inputs, **options).detach()
    bound = next(fitting(operation, inputs, output, lambda _roles, _output: [options]), None) if operation else None
    g = torch.randn(output.shape, generator=torch.Generator().manual_seed(output.numel()), dtype=torch.float64)

    def rerun(g: Tensor) -> dict[str, Tensor]:
        return {name: wrong(g, **inputs, **options)}

    return Case(
        inputs=dict(inputs),
        output=output,
        grad_output=g,
        user=rerun(g),
        vjp=linearize(inputs),
        bound=bound,
        rerun=rerun,
        run_at=lambda inputs, g: {name: wrong(g, **inputs, **options)},
        linearize=linearize,
        **extra,
    )


def cases_of(operation_name: str, role: str, wrong: Wrong, known: bool = True, only: str | None = None) -> list[Case]:
    """One case for each of an operation's settings; not `known` leaves the diagnosis without the operation."""
    operation = get(operation_name)

    def forward(**everything: Any) -> Tensor:
        roles = {key: value for key, value in everything.items() if key in operation.roles}
        return operation.forward(roles, {key: value for key, value in everything.items() if key not in roles})

    return [
        case(forward, setting.inputs(seed), role, wrong, operation if known else None, setting.options)
        for seed, setting in enumerate(operation.settings())
        if only is None or only in setting.name
    ]
