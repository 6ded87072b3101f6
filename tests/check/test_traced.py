"""NumPy code under autograd: the values are NumPy's, the gradients those of torch, and what is not known raises."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

from handgrad._check.subjects.traced import traced

Y = np.array([1, 0, 2, 1])
MASK = np.array([[1.0, 0.0, 1.0], [0.0, 1.0, 1.0], [1.0, 1.0, 0.0], [0.0, 0.0, 1.0]])


def softmax(x: Any) -> Any:
    e = np.exp(x - np.max(x, axis=1, keepdims=True))
    e /= e.sum(axis=1, keepdims=True)
    return e


def in_place(x: Any) -> Any:
    h = x * 1.0
    h *= 2
    h -= 1
    h += x
    h[np.arange(4), Y] = 0
    return h


CODE: dict[str, Callable[[Any], Any]] = {
    "softmax": softmax,
    "in place": in_place,
    "picked": lambda x: -np.log(softmax(x)[np.arange(4), Y]).mean(),
    "statistics": lambda x: (x - x.mean(0)) / np.sqrt(np.var(x, axis=0) + 1e-5) + x.std() + np.std(x, axis=1)[:, None],
    "arrays first": lambda x: MASK * x + np.float64(2) * x - MASK / (2 + x),
    "where": lambda x: np.where(x > 0, x, 0.1 * x) + np.clip(x, -0.5, 0.5) + np.maximum(0, x) + np.abs(x),
    "products": lambda x: x.T.dot(x) + np.dot(x.T, MASK) + np.einsum("ni,nj->ij", x, MASK) + x.T @ MASK,
    "dot of three axes": lambda x: np.dot(x.reshape(2, 2, 3), x[:3]),
    "axes": lambda x: x.reshape(2, 2, 3).transpose(0, 2, 1) + np.transpose(x.reshape(3, 2, 2), (1, 0, 2)).T.sum(),
    "joined": lambda x: np.concatenate([x, MASK], axis=1) + np.hstack([x, x]) + np.stack([x, x]).max(axis=0).sum(),
    "shapes": lambda x: x * x.shape[0] + x.size + np.expand_dims(x, 0).squeeze(0) + np.zeros_like(x) + x.copy(),
    "norms": lambda x: x / np.linalg.norm(x, axis=1, keepdims=True) + np.outer(x[0], x[1]).sum() + x.astype(float),
}


@pytest.mark.parametrize("code", CODE.values(), ids=CODE)
def test_values_and_gradients(code: Callable[[Any], Any]) -> None:
    generator = torch.Generator().manual_seed(1)
    x = torch.randn(4, 3, dtype=torch.float64, generator=generator)
    leaf = x.clone().requires_grad_()
    output = code(traced(leaf.clone()))
    np.testing.assert_allclose(output.detach().as_subclass(torch.Tensor).numpy(), code(x.numpy().copy()), rtol=1e-12)
    v, step = torch.randn(x.shape, dtype=torch.float64, generator=generator), 1e-6
    output.sum().backward()
    slope = (np.sum(code((x + step * v).numpy())) - np.sum(code((x - step * v).numpy()))) / (2 * step)
    assert float((leaf.grad * v).sum()) == pytest.approx(float(slope), rel=1e-6)


@pytest.mark.parametrize(
    "code",
    [
        lambda x: np.fft.fft(x),
        lambda x: np.add.reduce(x),
        lambda x: np.asarray(x) + 1,
        lambda x: np.exp(x, out=np.zeros((4, 3))),
    ],
)
def test_what_is_not_known_raises(code: Callable[[Any], Any]) -> None:
    with pytest.raises((TypeError, RuntimeError)):
        code(traced(torch.ones(4, 3, dtype=torch.float64).requires_grad_()))
