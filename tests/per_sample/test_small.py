"""Linear layers, normalizations and embeddings against one sample at a time, by the framework's autograd in float64."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from handgrad import per_sample
from oracles import assert_equal

close = partial(assert_equal, tolerance=1e-10)


def normal(*size: int) -> Tensor:
    return torch.randn(size, dtype=torch.float64)


def tokens(*size: int, rows: int = 7) -> Tensor:
    return torch.randint(rows, size)


class Case(NamedTuple):
    """How the framework computes, with a weight and a bias, and what our functions take between input and dy."""

    family: str
    why: str
    input: Callable[[], Tensor]
    weight: tuple[int, ...]
    framework: Callable[[Tensor, Tensor, Tensor], Tensor]
    settings: tuple[Any, ...]
    options: dict[str, Any] = {}  # noqa: RUF012
    bias: tuple[Any, ...] | None = ()  # what `_bias` takes before dy; None where there is none

    @property
    def one(self) -> bool:
        """Whether a sample may come without a batch: where it has no positions that could be taken for one."""
        return self.why in ("one position", "no positions") and self.family in ("linear", "layer_norm", "embedding")

    def __str__(self) -> str:
        return f"{self.family}: {self.why}"


MEAN, VAR = normal(4), torch.rand(4, dtype=torch.float64) + 0.5
CASES = [
    Case("linear", "one position", partial(normal, 3, 5), (2, 5), F.linear, ((2, 5),)),
    Case("linear", "many positions", partial(normal, 3, 4, 2, 5), (6, 5), F.linear, ((6, 5),)),
    Case("linear", "no input features", partial(normal, 3, 0), (6, 0), F.linear, ((6, 0),)),
    Case("linear", "not one position", partial(normal, 3, 0, 5), (6, 5), F.linear, ((6, 5),)),
    Case("linear", "no samples", partial(normal, 0, 5), (6, 5), F.linear, ((6, 5),)),
    Case("batch_norm", "no positions", partial(normal, 3, 4), (4,),
         lambda x, w, b: F.batch_norm(x, MEAN, VAR, w, b, eps=0.1), (MEAN, VAR), {"eps": 0.1}),
    Case("batch_norm", "positions", partial(normal, 3, 4, 5, 2), (4,),
         lambda x, w, b: F.batch_norm(x, MEAN, VAR, w, b), (MEAN, VAR)),
    Case("group_norm", "positions", partial(normal, 3, 6, 5, 2), (6,),
         lambda x, w, b: F.group_norm(x, 2, w, b, 0.1), (2,), {"eps": 0.1}),
    Case("group_norm", "no positions", partial(normal, 3, 6), (6,), lambda x, w, b: F.group_norm(x, 3, w, b), (3,)),
    Case("layer_norm", "positions", partial(normal, 3, 5, 2, 4), (2, 4),
         lambda x, w, b: F.layer_norm(x, (2, 4), w, b, 0.1), ((2, 4),), {"eps": 0.1}, ((2, 4),)),
    Case("layer_norm", "one position", partial(normal, 3, 4), (4,),
         lambda x, w, b: F.layer_norm(x, (4,), w, b), ((4,),), {}, ((4,),)),
    Case("layer_norm", "no samples", partial(normal, 0, 4), (4,),
         lambda x, w, b: F.layer_norm(x, (4,), w, b), ((4,),), {}, ((4,),)),
    Case("embedding", "positions", partial(tokens, 3, 5, 2), (7, 4),
         lambda x, w, _: F.embedding(x, w), ((7, 4),), {}, None),
    Case("embedding", "one position", partial(tokens, 6), (7, 4),
         lambda x, w, _: F.embedding(x, w), ((7, 4),), {}, None),
    Case("embedding", "few rows, many twice", partial(tokens, 3, 9, rows=2), (7, 4),
         lambda x, w, _: F.embedding(x, w), ((7, 4),), {}, None),
    Case("embedding", "padding", partial(tokens, 3, 9), (7, 4),
         lambda x, w, _: F.embedding(x, w, -3), ((7, 4),), {"padding_idx": -3}, None),
    Case("embedding", "no samples", partial(tokens, 0, 9), (7, 4),
         lambda x, w, _: F.embedding(x, w), ((7, 4),), {}, None),
]  # fmt: skip
every_case = pytest.mark.parametrize("case", CASES, ids=str)


class Drawn:
    """Operands of a case, and every sample's gradients by autograd of that sample alone."""

    def __init__(self, case: Case, one: bool = False) -> None:
        self.x = case.input()[:1] if one else case.input()
        self.w = normal(*case.weight).requires_grad_()
        self.b = normal(*(case.weight[:1] if case.family == "linear" else case.weight)).requires_grad_()
        self.dy = torch.randn_like(case.framework(self.x, self.w, self.b))
        found = [self.grads(case, n) for n in range(len(self.x))]
        self.dw = torch.stack([dw for dw, _ in found]) if found else self.w.new_zeros(0, *self.w.shape)
        self.db = torch.stack([db for _, db in found]) if found else self.b.new_zeros(0, *self.b.shape)

    def grads(self, case: Case, n: int) -> tuple[Tensor, Tensor]:
        y = case.framework(self.x[n : n + 1], self.w, self.b)
        grads = torch.autograd.grad((y * self.dy[n : n + 1]).sum(), (self.w, self.b), allow_unused=True)
        return tuple(
            torch.zeros_like(of) if grad is None else grad for grad, of in zip(grads, (self.w, self.b), strict=True)
        )


def check(case: Case, drawn: Drawn, x: Tensor, dy: Tensor, **bounds: int) -> None:
    of = partial(getattr, per_sample)
    flat, v, a = drawn.dw.flatten(1), torch.randn_like(drawn.w), normal(len(drawn.x))
    weight = partial(lambda name, **more: of(name)(x, *case.settings, dy, **case.options, **more))
    name = f"{case.family}_weight"
    close(weight(name, **bounds), drawn.dw)
    close(weight(f"{name}_sqnorm", **bounds), flat.square().sum(1))
    close(weight(f"{name}_dot", **bounds, other=v), flat @ v.detach().flatten())
    close(weight(f"{name}_gram", **bounds), flat @ flat.mT)
    close(weight(f"{name}_weighted", coefficients=a), torch.tensordot(a, drawn.dw, 1))
    if case.bias is not None:
        close(of(f"{case.family}_bias")(*case.bias, dy), drawn.db)


@every_case
@pytest.mark.parametrize("max_bytes", [1, 1 << 20])
def test_per_sample(case: Case, max_bytes: int) -> None:
    drawn = Drawn(case)
    check(case, drawn, drawn.x, drawn.dy, max_bytes=max_bytes)


@pytest.mark.parametrize("case", [case for case in CASES if case.one], ids=str)
def test_one_sample_without_a_batch(case: Case) -> None:
    drawn = Drawn(case, one=True)
    check(case, drawn, drawn.x[0], drawn.dy[0])


KINDS = ("weight", "weight_sqnorm", "weight_dot", "weight_gram", "weight_weighted")


def answers(case: Case, x: Tensor, dy: Tensor, w: Tensor, a: Tensor, kind: torch.dtype) -> dict[str, Tensor]:
    """What every function of a family says of operands of some dtype; integers stay."""
    x = x if case.family == "embedding" else x.to(kind)
    settings = [entry.to(kind) if isinstance(entry, Tensor) else entry for entry in case.settings]
    more = {"weight_dot": {"other": w.detach().to(kind)}, "weight_weighted": {"coefficients": a}}
    call = lambda of: getattr(per_sample, f"{case.family}_{of}")  # noqa: E731
    found = {of: call(of)(x, *settings, dy.to(kind), **case.options, **more.get(of, {})) for of in KINDS}
    return found if case.bias is None else found | {"bias": call("bias")(*case.bias, dy.to(kind))}


@every_case
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_halves_are_summed_in_float32_and_rounded_at_most_once(case: Case, dtype: torch.dtype) -> None:
    drawn = Drawn(case)
    x = drawn.x if case.family == "embedding" else drawn.x.to(dtype).double()
    running = [entry.to(dtype).double() if isinstance(entry, Tensor) else entry for entry in case.settings]
    case, a = case._replace(settings=tuple(running)), torch.randn(len(x))
    operands = x, drawn.dy.to(dtype).double(), drawn.w.to(dtype).double(), a
    truth = answers(case, *operands, torch.float64)
    for of, half in answers(case, *operands, dtype).items():
        rounded = of in ("weight", "bias", "weight_weighted")
        assert half.dtype == (dtype if rounded else torch.float32), of
        assert_equal(half.double(), truth[of], torch.finfo(dtype).eps if rounded else 1e-4)


@every_case
def test_no_result_has_a_graph_and_autocast_changes_nothing(case: Case) -> None:
    drawn = Drawn(case)
    operands = drawn.x, drawn.dy.requires_grad_(), drawn.w, torch.randn(len(drawn.x))
    expected = answers(case, *operands, torch.float32)
    with torch.autocast("cpu", torch.bfloat16):
        for of, answer in answers(case, *operands, torch.float32).items():
            assert answer.equal(expected[of]), of
            assert not answer.requires_grad, of
