"""The search for the line that is right: verified at two sizes, shortest first; the oracle is autograd."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor

from handgrad._check.fixline import candidates, find_line

Place = tuple[dict[str, Tensor], dict[str, Tensor]]
FOLD = "torch.nn.functional.fold({}, img.shape[-2:], 3, padding=1)"


def place(forward: Callable[..., Tensor], seed: int, **shapes: tuple[int, ...]) -> Place:
    """Random tensors in scope, the output and a grad_output among them; and every input's gradient."""
    draw = torch.Generator().manual_seed(seed)
    leaves = {n: torch.randn(s, generator=draw, dtype=torch.float64).requires_grad_() for n, s in shapes.items()}
    output = forward(**leaves)
    g = torch.randn(output.shape, generator=draw, dtype=torch.float64)
    gradients = torch.autograd.grad(output, list(leaves.values()), g)
    scope = {n: leaf.detach() for n, leaf in leaves.items()} | {"g": g, "y": output.detach()}
    return scope, dict(zip(leaves, gradients, strict=True))


def found(first: Place, second: Place, name: str, folds: tuple[str, ...] = ()) -> str | None:
    return find_line(first[0], first[1][name], (second[0], second[1][name]), name, folds)


def convolution(img: Tensor, kernel: Tensor) -> Tensor:
    return kernel.flatten(1) @ torch.nn.functional.unfold(img, 3, padding=1)


def conv_place(seed: int, n: int, c: int, o: int, h: int, w: int) -> Place:
    made = place(convolution, seed, img=(n, c, h, w), kernel=(o, c, 3, 3))
    made[0]["cols"] = torch.nn.functional.unfold(made[0]["img"], 3, padding=1)
    return made


def test_convolution_by_columns() -> None:
    first, second = conv_place(0, 1, 1, 1, 8, 8), conv_place(1, 3, 2, 4, 5, 6)
    assert found(first, second, "kernel") == "(g @ cols.mT).sum(0).view_as(kernel)"
    wanted = "torch.nn.functional.fold(kernel.flatten(1).T @ g, img.shape[-2:], 3, padding=1)"
    assert found(first, second, "img", (FOLD,)) == wanted
    assert found(first, second, "img") is None


def test_one_size_does_not_prove_a_line() -> None:
    # at batch 1 the product alone, reshaped, is right; only the second size asks for the sum
    first, other = conv_place(0, 1, 2, 4, 5, 6), conv_place(2, 1, 2, 4, 5, 6)
    assert found(first, other, "kernel") == "(g @ cols.mT).view_as(kernel)"
    assert found(first, conv_place(1, 3, 2, 4, 5, 6), "kernel") == "(g @ cols.mT).sum(0).view_as(kernel)"


@pytest.mark.parametrize(("name", "line"), [("x", "g @ w"), ("w", "g.T @ x"), ("b", "g.sum(0)")])
def test_linear(name: str, line: str) -> None:
    def linear(x: Tensor, w: Tensor, b: Tensor) -> Tensor:
        return x @ w.T + b

    places = [place(linear, seed, x=(n, 5), w=(o, 5), b=(o,)) for seed, n, o in ((0, 4, 3), (1, 2, 6))]
    assert found(places[0], places[1], name) == line


def test_einsum_where_no_product_of_matrices_does() -> None:
    def contraction(x: Tensor, w: Tensor) -> Tensor:
        return torch.einsum("nchw,ohc->now", x, w)

    shapes = [{"x": (2, 3, 4, 5), "w": (6, 4, 3)}, {"x": (3, 2, 5, 4), "w": (7, 5, 2)}]
    places = [place(contraction, seed, **shape) for seed, shape in enumerate(shapes)]
    line = found(places[0], places[1], "w")
    assert line is not None
    assert line.startswith("torch.einsum(")
    scope, truth = place(contraction, 5, x=(2, 6, 3, 4), w=(5, 3, 6))
    torch.testing.assert_close(eval(line, {"torch": torch}, scope), truth["w"])


def test_numpy_lines_are_numpy() -> None:
    def arrays(made: Place) -> tuple[dict[str, np.ndarray], Tensor]:
        return {name: tensor.numpy() for name, tensor in made[0].items()}, made[1]["kernel"]

    (scope, truth), second = arrays(conv_place(0, 2, 1, 3, 4, 5)), arrays(conv_place(1, 3, 2, 4, 5, 6))
    line = find_line(scope, truth, second, "kernel")
    assert line == "(g @ cols.mT).sum(0).reshape(kernel.shape)"
    assert eval(line, {}, scope).shape == (3, 1, 3, 3)


def test_nothing_is_found_for_what_is_no_contraction() -> None:
    places = [place(lambda x: torch.sin(x) * x, seed, x=(n, 3)) for seed, n in ((0, 4), (1, 5))]
    assert found(places[0], places[1], "x") is None


def test_tensors_of_many_axes_are_not_searched_for_ever():
    gradient = torch.randn(2, 3, 2, 2, 2, dtype=torch.float64)
    windows = torch.randn(2, 4, 2, 2, 2, 2, 2, 2, dtype=torch.float64)
    scope = {"dy": gradient, "windows": windows, "other": torch.randn(2, 2, 2, 2, 2, 2, 2, 2, dtype=torch.float64)}
    assert find_line(scope, torch.randn(3, 4, 2, 2, 2, dtype=torch.float64), (scope, gradient), "w") is None
    small = sum(1 for _ in candidates(scope, torch.randn(3, 4, 2, 2, 2), "w"))
    assert small < 5000
