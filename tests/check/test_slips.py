"""Slips that any code can have: named from inputs, output and the true backward pass alone, and with the operation."""

# ruff: noqa: ARG001, ARG005 - a backward pass is given what it may not need
from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from making import case, cases_of
from torch import Tensor
from torch.nn import functional as F

from handgrad import check
from handgrad._check.diagnose import diagnose

KNOWN = pytest.mark.parametrize("known", [True, False], ids=["known", "unknown"])


def causes(operation: str, role: str, wrong: Callable[..., Any], known: bool) -> list[str]:
    cases = cases_of(operation, role, wrong, known)
    bad = [one for one in cases if not one.is_right(role)]
    assert bad, "the slip does not show in any setting"
    return [finding.cause for finding in diagnose(bad, role, cases)]


def linear_dw(g: Tensor, input: Tensor) -> Tensor:
    return g.T @ input


LINEAR_WEIGHT: list[tuple[str, str, Callable[..., Any]]] = [
    ("missing-batch-sum", "one gradient a sample", lambda g, input, **_: torch.einsum("no,ni->noi", g, input)),
    ("output-instead-of-grad-output", "y", lambda g, input, weight, bias: (input @ weight.T + bias).T @ input),
    ("grad-output-ignored", "ones", lambda g, input, **_: torch.ones_like(g).T @ input),
    ("one-sample-only", "last", lambda g, input, **_: torch.outer(g[-1], input[-1])),
    ("one-sample-only", "first", lambda g, input, **_: torch.outer(g[0], input[0])),
    ("mean-instead-of-sum", "/N", lambda g, input, **_: g.T @ input / len(g)),
    ("mean-instead-of-sum", "/(N·O)", lambda g, input, **_: g.T @ input / g.numel()),
    ("scale-factor", "2", lambda g, input, **_: 2 * g.T @ input),
    ("scale-factor", "N", lambda g, input, **_: len(g) * g.T @ input),
    ("scale-factor", "1/√I", lambda g, input, **_: g.T @ input / input.shape[1] ** 0.5),
    ("wrong-sign", "", lambda g, input, **_: -g.T @ input),
    ("transposed", "", lambda g, input, **_: input.T @ g),
    ("wrong-rank", "kept axis", lambda g, input, **_: (g.T @ input)[None]),
    ("wrong-rank", "flat", lambda g, input, **_: (g.T @ input).flatten()),
    ("regularizer-included", "λw", lambda g, input, weight, **_: g.T @ input + 0.01 * weight),
    ("upstream-applied-twice", "g²", lambda g, input, **_: (g * g).T @ input),
    ("reshape-instead-of-permute", "", lambda g, input, **_: (input.T @ g).reshape(g.shape[1], input.shape[1])),
    ("wrong-reduction-axes", "a sum too many", lambda g, input, **_: (g.T @ input).sum(0)),
    ("wrong-reduction-axes", "everything", lambda g, input, **_: (g.T @ input).sum()),
    ("tail-lost", "", lambda g, input, **_: (g.T @ input)[:, :-1]),
    ("wrong-reduction-axes", "over inputs", lambda g, input, **_: torch.einsum("no,ni->no", g, input)),
]


@KNOWN
@pytest.mark.parametrize(
    ("cause", "wrong"), [(c, w) for c, _, w in LINEAR_WEIGHT], ids=[f"{c} {i}" for c, i, _ in LINEAR_WEIGHT]
)
def test_a_slip_in_a_weight_gradient_is_named(cause, wrong, known):
    assert causes("linear", "weight", wrong, known) == [cause]


BIAS = [
    ("missing-batch-sum", lambda g, **_: g),
    ("wrong-reduction-axes", lambda g, **_: g.sum(1)),
    ("wrong-reduction-axes", lambda g, **_: g.sum()),
    ("mean-instead-of-sum", lambda g, **_: g.mean(0)),
    ("wrong-rank", lambda g, **_: g.sum(0, keepdim=True)),
    ("one-sample-only", lambda g, **_: g[-1]),
]


@KNOWN
@pytest.mark.parametrize(("cause", "wrong"), BIAS)
def test_a_slip_in_a_bias_gradient_is_named(cause, wrong, known):
    assert causes("linear", "bias", wrong, known) == [cause]


CONV_BIAS = [
    ("missing-batch-sum", lambda g, **_: g.sum((2, 3))),
    ("wrong-reduction-axes", lambda g, **_: g.sum(0)),
    ("wrong-reduction-axes", lambda g, **_: g),
    ("mean-instead-of-sum", lambda g, **_: g.mean((0, 2, 3))),
    ("mean-instead-of-sum", lambda g, **_: g.sum((0, 2, 3)) / g.shape[0]),
]


@KNOWN
@pytest.mark.parametrize(("cause", "wrong"), CONV_BIAS)
def test_a_slip_in_the_bias_gradient_of_a_convolution_is_named(cause, wrong, known):
    assert causes("conv2d", "bias", wrong, known) == [cause]


@KNOWN
def test_the_weight_updated_before_the_input_gradient_is_named(known):
    def wrong(g, input, weight, bias):
        weight = weight - 0.1 * g.T @ input
        return g @ weight

    assert causes("linear", "input", wrong, known) == ["updated-weight"]


def product_cases(wrong: Callable[..., Any], *sizes: int) -> list[Any]:
    def forward(a: Tensor, b: Tensor) -> Tensor:
        return a @ b

    return [
        case(
            forward,
            {"a": torch.randn(n, n, dtype=torch.float64), "b": torch.randn(n, n, dtype=torch.float64)},
            "a",
            wrong,
        )
        for n in sizes
    ]


PRODUCTS = [
    ("wrong-operand-order", lambda g, a, b: b.T @ g),
    ("wrong-operand-order", lambda g, a, b: b @ g),
    ("transposed", lambda g, a, b: g @ b),
    ("transposed", lambda g, a, b: b @ g.T),
    ("output-instead-of-grad-output", lambda g, a, b: a @ b @ b.T),
    ("input-instead-of-grad-output", lambda g, a, b: a @ b.T),
    ("wrong-return-order", lambda g, a, b: a.T @ g),
]


@pytest.mark.parametrize(("cause", "wrong"), PRODUCTS)
def test_factors_of_a_square_product(cause, wrong):
    assert [f.cause for f in diagnose(product_cases(wrong, 4, 5), "a")] == [cause]


def test_all_axes_reversed_is_told_from_two_exchanged():
    def forward(x: Tensor) -> Tensor:
        return x**2

    shapes = ((2, 3, 4), (3, 5, 2))

    def cases(wrong: Callable[..., Any]) -> list[Any]:
        return [case(forward, {"x": torch.randn(s, dtype=torch.float64)}, "x", wrong) for s in shapes]

    reverse = cases(lambda g, x: (2 * g * x).permute(2, 1, 0))
    exchanged = cases(lambda g, x: (2 * g * x).mT)
    assert [f.cause for f in diagnose(reverse, "x")] == ["reversed-axes"]
    assert [f.cause for f in diagnose(exchanged, "x")] == ["transposed"]


ACTIVATIONS = [
    ("relu", "mask-missing", lambda g, input: g),
    ("relu", "mask-from-gradient", lambda g, input: g * (g > 0)),
    ("relu", "mask-from-wrong-tensor", lambda g, input: g * (input < 0)),
    ("leaky_relu", "mask-missing", lambda g, input: g),
    ("leaky_relu", "mask-from-wrong-tensor", lambda g, input: torch.where(input > 0, 0.01 * g, g)),
    ("leaky_relu", "mask-from-gradient", lambda g, input: torch.where(g > 0, g, 0.0 * g)),
    ("sigmoid", "derivative-of-activation-wrong", lambda g, input: g),
    ("sigmoid", "derivative-of-activation-wrong", lambda g, input: g * input.sigmoid() * (1 + input.sigmoid())),
    ("sigmoid", "derivative-of-activation-wrong", lambda g, input: g * input * (1 - input)),
    ("sigmoid", "derivative-of-activation-wrong", lambda g, input: g * dsigmoid(torch.sigmoid(input))),
    ("tanh", "derivative-of-activation-wrong", lambda g, input: g * (1 - torch.tanh(input))),
    ("tanh", "derivative-of-activation-wrong", lambda g, input: g * (1 - input**2)),
    ("silu", "derivative-of-activation-wrong", lambda g, input: g * torch.sigmoid(input)),
    ("gelu", "derivative-of-activation-wrong", lambda g, input: g * (input + 0.3) / (1 + input**2)),
    ("tanh", "derivative-of-activation-wrong", lambda g, input: g / torch.cosh(input)),
    ("tanh", "upstream-applied-twice", lambda g, input: g * g * (1 - torch.tanh(input) ** 2)),
    ("sigmoid", "grad-output-ignored", lambda g, input: dsigmoid(input)),
    ("sigmoid", "wrong-sign", lambda g, input: -g * dsigmoid(input)),
    ("exp", "output-instead-of-grad-output", lambda g, input: input.exp() ** 2),
]


def dsigmoid(x: Tensor) -> Tensor:
    return torch.sigmoid(x) * (1 - torch.sigmoid(x))


@KNOWN
@pytest.mark.parametrize(("name", "cause", "wrong"), ACTIVATIONS)
def test_a_slip_in_an_activation_is_named(name, cause, wrong, known):
    assert causes(name, "input", wrong, known) == [cause]


def test_a_mask_of_another_tensor_is_named():
    def forward(x: Tensor, z: Tensor) -> Tensor:
        return F.relu(x) + z

    cases = [
        case(forward, {"x": torch.randn(s, dtype=torch.float64), "z": torch.randn(s, dtype=torch.float64)}, "x", wrong)
        for s in ((4, 5), (3, 7))
        for wrong in [lambda g, x, z: g * (z > 0)]
    ]
    (finding,) = diagnose(cases, "x")
    assert (finding.cause, "`z` > 0" in finding.message) == ("mask-from-wrong-tensor", True)


def of_sizes(
    forward: Callable[..., Tensor], wrong: Callable[..., Tensor], *shapes: dict[str, tuple[int, ...]], **extra: Any
):
    """The findings for the first input, on a draw of each of these shapes."""
    cases = []
    for sizes in shapes:
        inputs = {name: torch.randn(size, dtype=torch.float64) for name, size in sizes.items()}
        cases.append(case(forward, inputs, next(iter(inputs)), wrong, **extra))
    return diagnose(cases, next(iter(shapes[0])))


def named(findings) -> list[str]:
    return [finding.cause for finding in findings]


def test_a_slope_for_each_channel_goes_by_x_and_not_by_grad_output():
    def forward(x: Tensor, a: Tensor) -> Tensor:
        return torch.where(x > 0, x, a * x)

    found = of_sizes(
        forward, lambda g, x, a: torch.where(g > 0, g, a * g), {"x": (4, 5), "a": (5,)}, {"x": (3, 7), "a": (7,)}
    )
    assert named(found) == ["mask-from-gradient"]


def cut(x: Tensor) -> Tensor:
    return x.clamp(-0.5, 0.5) + 0.1 * x**3


@pytest.mark.parametrize(
    ("wrong", "expected"),
    [
        (lambda g, x: g * (1 + 0.3 * x**2), "derivative-of-activation-wrong"),
        (lambda g, x: g * (cut(x) ** 2 + torch.arange(x.shape[1])), "unexplained"),
    ],
    ids=["of x", "of the place as well"],
)
def test_a_derivative_that_no_formula_gives_depends_on_x_alone(wrong, expected):
    assert named(of_sizes(cut, wrong, {"x": (2, 3)}, {"x": (3, 2)})) == [expected]


def test_the_last_two_axes_are_exchanged_and_then_all_reversed():
    shapes = {"x": (2, 3, 4), "w": (4, 5)}, {"x": (3, 2, 5), "w": (5, 2)}
    wrong = lambda g, x, w: (w @ g.mT).permute(2, 1, 0)  # noqa: E731
    assert named(of_sizes(lambda x, w: x @ w, wrong, *shapes, code="return (w @ g.mT).T")) == ["reversed-axes"]
    other = "return (g @ w.T).permute(1, 2, 0)"
    assert named(of_sizes(lambda x, w: x @ w, wrong, *shapes, code=other)) == ["transposed"]


def margins(s: Tensor) -> Tensor:
    return (s[:, 1:] - s[:, :1] + 1).relu().sum()


def test_a_term_that_is_added_and_should_be_taken_off():
    def wrong(g: Tensor, s: Tensor) -> Tensor:
        on = (s[:, 1:] - s[:, :1] + 1 > 0).double()
        return g * torch.cat([on.sum(1, keepdim=True), on], 1)

    (finding,) = of_sizes(margins, wrong, {"s": (4, 5)}, {"s": (6, 3)})
    assert (finding.cause, "the sign of some entries" in finding.message) == ("unexplained", True)


def test_the_sign_of_an_absolute_value_is_its_derivative():
    forward = lambda x, t: (x - t).abs().sum()  # noqa: E731
    shapes = {"x": (4, 5), "t": (4, 5)}, {"x": (3, 2), "t": (3, 2)}
    found = of_sizes(forward, lambda g, x, t: g * torch.ones_like(x), *shapes)
    assert named(found) == ["derivative-of-activation-wrong"]


def test_a_vector_from_its_end():
    forward = lambda h, x: F.conv1d(x[:, None], h[None, None])[:, 0]  # noqa: E731
    wrong = lambda g, h, x: F.conv1d(x[None], g[:, None], groups=len(x)).sum((0, 1)).flip(0)  # noqa: E731
    assert named(of_sizes(forward, wrong, {"h": (3,), "x": (2, 8)}, {"h": (4,), "x": (3, 7)})) == ["kernel-flipped"]


@pytest.mark.parametrize(
    ("axes", "expected"),
    [((0, 2), "wrong-reduction-axes"), ((1,), "missing-batch-sum"), ((0, 1, 2), "wrong-reduction-axes")],
)
def test_what_a_scale_is_multiplied_with_is_summed_over_other_axes(axes, expected):
    shapes = ({"a": (n,), "x": (n + 1, n - 1, n)} for n in (4, 5))
    found = of_sizes(lambda a, x: a * x.tanh(), lambda g, a, x: (g * x.tanh()).sum(axes), *shapes)
    assert named(found) == [expected]


@pytest.mark.parametrize("width", [(), (3,), (2, 2)])
def test_rows_of_any_shape_that_are_picked_twice(width):
    def overwritten(g: Tensor, v: Tensor, i: Tensor) -> Tensor:
        dv = torch.zeros_like(v)
        for place, row in enumerate(i.tolist()):
            dv[row] = g[place]
        return dv

    report = check(
        (lambda v, i: v[i], lambda g, v, i: (overwritten(g, v, i), None)),
        inputs=(torch.randn(4, *width), torch.tensor([1, 0, 1, 3, 3, 3])),
    )
    assert report.findings[0].cause == "overwrite-instead-of-accumulate"


def frames(x: Tensor) -> Tensor:
    return x.unfold(1, 4, 2)


def test_windows_that_an_array_of_indices_adds_once():
    def wrong(g: Tensor, x: Tensor) -> Tensor:
        dx, index = torch.zeros_like(x), torch.arange(x.shape[1]).unfold(0, 4, 2)
        dx[:, index] += g
        return dx

    assert named(of_sizes(frames, wrong, {"x": (2, 10)}, {"x": (3, 13)})) == ["overwrite-instead-of-accumulate"]


def test_windows_that_are_averaged_where_the_last_entry_is_in_none():
    def wrong(g: Tensor, x: Tensor) -> Tensor:
        return folded(g, x) / folded(torch.ones_like(g), x).clamp(min=1)

    def folded(g: Tensor, x: Tensor) -> Tensor:
        return sum(F.pad(g[:, p], (2 * p, x.shape[1] - 2 * p - 4)) for p in range(g.shape[1]))

    assert named(of_sizes(frames, wrong, {"x": (2, 10)}, {"x": (3, 13)})) == ["averaged-overlap"]


def test_a_square_input_that_is_transposed_wherever_it_is_used():
    found = of_sizes(
        lambda x, p: p @ x @ p.T, lambda g, x, p: p @ g @ p.T, *({"x": (n, n), "p": (n, n)} for n in (3, 4))
    )
    assert named(found) == ["transposed"]


def test_windows_with_a_weight_that_are_averaged():
    forward = lambda x, w: x.unfold(1, len(w), 1) @ w  # noqa: E731

    def spread(g: Tensor, w: Tensor) -> Tensor:
        return sum(c * F.pad(g, (k, len(w) - 1 - k)) for k, c in enumerate(w))

    wrong = lambda g, x, w: spread(g, w) / spread(torch.ones_like(g), torch.ones_like(w))  # noqa: E731
    assert named(of_sizes(forward, wrong, {"x": (2, 9), "w": (3,)}, {"x": (3, 8), "w": (4,)})) == ["averaged-overlap"]


def test_windows_that_are_averaged_are_counted_by_the_backward_pass_of_ones():
    forward = lambda x: x.unfold(1, 3, 1).sum(-1)  # noqa: E731

    def spread(g: Tensor, x: Tensor) -> Tensor:
        return sum(F.pad(g, (k, 2 - k)) for k in range(3))

    found = of_sizes(forward, lambda g, x: spread(g, x) / spread(torch.ones_like(g), x), {"x": (2, 8)}, {"x": (3, 6)})
    assert named(found) == ["averaged-overlap"]


def test_a_gradient_of_a_length_of_its_own_is_not_scaled_but_not_linear():
    found = of_sizes(
        lambda x, w: x @ w, lambda g, x, w: g @ w.T / g.norm(), *({"x": (n, 3), "w": (3, 2)} for n in (4, 5))
    )
    assert named(found) == ["not-linear-in-grad-output", "unexplained"]


def soft(x: Tensor) -> Tensor:
    return x.softmax(-1)


SOFTMAX = [
    ("softmax", "softmax-diagonal-only", lambda g, input, dim: g * soft(input) * (1 - soft(input))),
    (
        "softmax",
        "wrong-reduction-axes",
        lambda g, input, dim: soft(input) * (g - (g * soft(input)).sum(0, keepdim=True)),
    ),
    ("softmax", "wrong-reduction-axes", lambda g, input, dim: soft(input) * (g - (g * soft(input)).sum())),
    ("softmax", "derivative-of-activation-wrong", lambda g, input, dim: g - soft(input) * g.sum(-1, keepdim=True)),
    (
        "log_softmax",
        "derivative-of-activation-wrong",
        lambda g, input, dim: soft(input) * (g - (g * soft(input)).sum(-1, keepdim=True)),
    ),
    ("log_softmax", "softmax-diagonal-only", lambda g, input, dim: g * (1 - soft(input))),
    ("log_softmax", "wrong-reduction-axes", lambda g, input, dim: g - soft(input) * g.sum(0, keepdim=True)),
]


@pytest.mark.parametrize(("name", "cause", "wrong"), SOFTMAX)
def test_a_slip_in_softmax_is_named(name, cause, wrong):
    assert causes(name, "input", wrong, True) == [cause]


@pytest.mark.parametrize(
    ("name", "wrong"),
    [
        ("softmax", lambda g, p: p * (g - (g * p).mean(-1, keepdim=True))),
        ("log_softmax", lambda g, p: g - p * g.mean(-1, keepdim=True)),
    ],
)
def test_a_mean_in_softmax_is_told_without_a_word_for_it(name, wrong):
    cases = cases_of(name, "input", lambda g, input, **_: wrong(g, soft(input)))
    (finding,) = diagnose(cases, "input")
    assert finding.cause == "unexplained"
    assert "the sum in softmax's derivative is taken to be a mean" in finding.message


@KNOWN
def test_a_decay_of_the_weights_beside_a_mean(known):
    wrong = causes("linear", "weight", lambda g, input, weight, **_: g.T @ input / len(g) + 0.3 * weight, known)
    assert wrong == ["regularizer-included", "mean-instead-of-sum"]


@KNOWN
def test_a_sign_and_a_mean_are_two_slips_and_no_multiple_that_varies(known):
    wrong = causes("linear", "bias", lambda g, **_: -g.flatten(0, -2).mean(0), known)
    assert wrong == ["wrong-sign", "mean-instead-of-sum"]


def hot(input: Tensor, target: Tensor) -> Tensor:
    return F.one_hot(target, input.shape[1]).double()


CROSS_ENTROPY = [
    ("scale-factor", lambda g, input, target: g * (soft(input) - hot(input, target))),
    ("wrong-sign", lambda g, input, target: g * (hot(input, target) - soft(input)) / len(input)),
    ("grad-output-ignored", lambda g, input, target: (soft(input) - hot(input, target)) / len(input)),
    ("derivative-of-activation-wrong", lambda g, input, target: g * soft(input) / len(input)),
    ("softmax-diagonal-only", lambda g, input, target: -g * hot(input, target) * (1 - soft(input)) / len(input)),
]


@pytest.mark.parametrize(("cause", "wrong"), CROSS_ENTROPY)
def test_a_slip_in_cross_entropy_is_named(cause, wrong):
    assert causes("cross_entropy", "input", wrong, True) == [cause]


def test_a_sum_over_samples_that_was_averaged_is_a_mean():
    def forward(x: Tensor) -> Tensor:
        return (x**2).sum()

    cases = [
        case(forward, {"x": torch.randn(n, 3, dtype=torch.float64)}, "x", lambda g, x: 2 * g * x / len(x))
        for n in (4, 5)
    ]
    assert [f.cause for f in diagnose(cases, "x")] == ["mean-instead-of-sum"]


def hatted(x: Tensor, axes: tuple[int, ...]) -> tuple[Tensor, Tensor]:
    sigma = (x.var(axes, unbiased=False, keepdim=True) + 1e-5).sqrt()
    return (x - x.mean(axes, keepdim=True)) / sigma, sigma


def batch_dx(g, input, weight, bias, gamma=True, mean=True, variance=True, over=None):
    axes = (0, *range(2, input.dim()))
    x, sigma = hatted(input, axes)
    g = g * weight.reshape(1, -1, *[1] * (input.dim() - 2)) if gamma else g
    axes = axes if over is None else over
    out = g - mean * g.mean(axes, keepdim=True) - variance * x * (g * x).mean(axes, keepdim=True)
    return out / sigma


BATCH_NORM = [
    ("input", ["missing-mean-term"], lambda g, **o: batch_dx(g, **o, mean=False)),
    ("input", ["missing-variance-term"], lambda g, **o: batch_dx(g, **o, variance=False)),
    ("input", ["gamma-missing"], lambda g, **o: batch_dx(g, **o, gamma=False)),
    (
        "input",
        ["missing-mean-term", "missing-variance-term"],
        lambda g, **o: batch_dx(g, **o, mean=False, variance=False),
    ),
    ("input", ["wrong-reduction-axes"], lambda g, **o: batch_dx(g, **o, over=(1,))),
    ("weight", ["wrong-reduction-axes"], lambda g, input, **_: (g * hatted(input, (0, *range(2, g.dim())))[0]).sum()),
    ("weight", ["mean-instead-of-sum"], lambda g, input, **_: dgamma(g, input) / (g.numel() / g.shape[1])),
]


def dgamma(g: Tensor, x: Tensor) -> Tensor:
    axes = (0, *range(2, g.dim()))
    return (g * hatted(x, axes)[0]).sum(axes)


@pytest.mark.parametrize(("role", "expected", "wrong"), BATCH_NORM)
def test_a_slip_in_batch_norm_is_named(role, expected, wrong):
    assert causes("batch_norm", role, wrong, True) == expected


def layer_dx(g, input, weight, bias, normalized_shape, mean=True, variance=True, gamma=True):
    x, sigma = hatted(input, (-1,))
    g = g * weight if gamma else g
    return (g - mean * g.mean(-1, keepdim=True) - variance * x * (g * x).mean(-1, keepdim=True)) / sigma


LAYER_NORM = [
    ("input", "missing-mean-term", lambda g, **o: layer_dx(g, **o, mean=False)),
    ("input", "missing-variance-term", lambda g, **o: layer_dx(g, **o, variance=False)),
    ("input", "gamma-missing", lambda g, **o: layer_dx(g, **o, gamma=False)),
    ("bias", "mean-instead-of-sum", lambda g, **o: g.reshape(-1, g.shape[-1]).mean(0)),
]


@pytest.mark.parametrize(("role", "cause", "wrong"), LAYER_NORM)
def test_a_slip_in_layer_norm_is_named(role, cause, wrong):
    assert causes("layer_norm", role, wrong, True) == [cause]


def attention_weights(q, k):
    return (q @ k.mT / q.shape[-1] ** 0.5).softmax(-1)


def dscores(g, q, k, v):
    p, dp = attention_weights(q, k), g @ v.mT
    return p * (dp - (dp * p).sum(-1, keepdim=True))


def diagonal_dq(g, query, key, value):
    p, dp = attention_weights(query, key), g @ value.mT
    return dp * p * (1 - p) @ key / query.shape[-1] ** 0.5


ATTENTION = [
    ("query", ["softmax-diagonal-only"], diagonal_dq),
    ("query", ["scale-factor"], lambda g, query, key, value: dscores(g, query, key, value) @ key),
    ("key", ["transposed"], lambda g, query, key, value: self_only(g, query, key, value, dk_turned)),
    ("value", ["transposed"], lambda g, query, key, value: self_only(g, query, key, value, dv_turned)),
]


def dk_turned(g, q, k, v):
    return dscores(g, q, k, v) @ q / q.shape[-1] ** 0.5


def dv_turned(g, q, k, v):
    return attention_weights(q, k) @ g


def self_only(g, q, k, v, wrong):
    """The truth where the slip could not run."""
    if q.shape[-2] == k.shape[-2]:
        return wrong(g, q, k, v)
    return attention_weights(q, k).mT @ g if wrong is dv_turned else dscores(g, q, k, v).mT @ q / q.shape[-1] ** 0.5


@pytest.mark.parametrize(("role", "expected", "wrong"), ATTENTION)
def test_a_slip_in_attention_is_named(role, expected, wrong):
    assert causes("attention", role, wrong, True) == expected


def test_a_repeated_row_of_an_embedding_is_overwritten():
    def wrong(g, index, weight):
        dw = torch.zeros_like(weight)
        dw[index.flatten()] = g.reshape(-1, g.shape[-1])
        return dw

    assert causes("embedding", "weight", wrong, True) == ["overwrite-instead-of-accumulate"]


def test_ties_of_a_maximum():
    def every(g, input, dim):
        return g.unsqueeze(dim) * (input == input.amax(dim, keepdim=True))

    def shared(g, input, dim):
        ties = (input == input.amax(dim, keepdim=True)).double()
        return g.unsqueeze(dim) * ties / ties.sum(dim, keepdim=True)

    def first(g, input, dim):
        return torch.zeros_like(input).scatter(dim, input.argmax(dim, keepdim=True), g.unsqueeze(dim))

    assert causes("amax", "input", every, True) == ["ties-counted-twice"]
    for right in (shared, first):
        assert not diagnose(cases_of("amax", "input", right), "input")


def composed_dx(g, input, weight, bias, slope):
    return (g * slope(input @ weight.T + bias, input, weight)) @ weight


COMPOSED = [
    ("linear+relu", "mask-missing", lambda z, x, w: 1),
    ("linear+relu", "mask-from-wrong-tensor", lambda z, x, w: (x @ w.T > 0).double()),
    ("linear+relu", "mask-from-wrong-tensor", lambda z, x, w: (z < 0).double()),
    ("linear+sigmoid", "derivative-of-activation-wrong", lambda z, x, w: 1),
    ("linear+sigmoid", "derivative-of-activation-wrong", lambda z, x, w: z * (1 - z)),
    ("linear+tanh", "derivative-of-activation-wrong", lambda z, x, w: 1 - z.tanh()),
    ("linear+tanh", "mean-instead-of-sum", lambda z, x, w: (1 - z.tanh() ** 2) / len(x)),
]


@pytest.mark.parametrize(("name", "cause", "slope"), COMPOSED)
def test_a_slip_in_an_activation_inside_a_layer_is_named(name, cause, slope):
    def dx(g, **operands):
        return composed_dx(g, **operands, slope=slope)

    def dw(g, input, weight, bias):
        return (g * slope(input @ weight.T + bias, input, weight)).T @ input

    assert causes(name, "input", dx, True) == [cause]
    assert causes(name, "weight", dw, True) == [cause]


def test_a_mask_missing_inside_a_two_layer_network_is_named():
    def dw1(g, input, weight1, bias1, weight2, bias2):
        return (g @ weight2).T @ input

    def from_gradient(g, input, weight1, bias1, weight2, bias2):
        dz = g @ weight2
        return (dz * (dz > 0)).T @ input

    assert causes("linear+relu+linear", "weight1", dw1, True) == ["mask-missing"]
    assert causes("linear+relu+linear", "weight1", from_gradient, True) == ["mask-from-gradient"]


def test_a_scale_gradient_that_is_not_summed_is_named_without_knowing_the_operation():
    def unsummed(g, input, weight, bias):
        return g * hatted(input, (0, *range(2, input.dim())))[0]

    cases = cases_of("batch_norm", "weight", unsummed, False, only="R")
    assert [f.cause for f in diagnose(cases, "weight")] == ["wrong-reduction-axes"]


def test_a_result_multiplied_by_grad_output_again_is_named():
    def wrong(g, input, dim):
        return soft(input) * (g - (g * soft(input)).sum(-1, keepdim=True)) * g

    assert causes("softmax", "input", wrong, True) == ["upstream-applied-twice"]


def test_a_scale_gradient_that_keeps_the_wrong_axis_is_named():
    def wrong(g, input, weight, bias):
        return (g * hatted(input, (0, *range(2, input.dim())))[0]).sum((0, 1, 2))

    cases = cases_of("batch_norm", "weight", wrong, True, only="R")
    (finding,) = diagnose(cases, "weight")
    assert finding.cause == "wrong-reduction-axes"
    assert "summed over axes (0, 1, 2) where the axes (0, 2, 3)" in finding.message


def blocks_to_space(x):
    """(N, C·2·2, H, W) → (N, C, 2·H, 2·W)."""
    n, _, h, w = x.shape
    return x.reshape(n, -1, 2, 2, h, w).permute(0, 1, 4, 2, 5, 3).reshape(n, -1, 2 * h, 2 * w)


@pytest.mark.parametrize(
    ("wrong", "cause"),
    [
        (lambda g, x: g.reshape(x.shape), "reshape-instead-of-permute"),
        (  # the block's rows and columns exchanged
            lambda g, x: F.pixel_unshuffle(g, 2).reshape(*x.shape[:1], -1, 2, 2, *x.shape[2:]).mT.reshape(x.shape),
            "reshape-instead-of-permute",
        ),
        (lambda g, x: F.pixel_unshuffle(g, 2).roll(1, 1), "unexplained"),  # in another order, but by no reshape
    ],
)
def test_numbers_in_another_order_of_whatever_axes(wrong, cause):
    draws = [
        case(blocks_to_space, {"x": torch.randn(shape, dtype=torch.float64)}, "x", wrong)
        for shape in ((2, 8, 3, 5), (3, 4, 2, 3))
    ]
    assert [finding.cause for finding in diagnose(draws, "x")] == [cause]
