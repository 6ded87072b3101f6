"""From one law, which says what a sample's gradient is made of, all the functions that answer with tensors."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from textwrap import dedent
from typing import Any, Concatenate, Generic, NamedTuple, ParamSpec, TypedDict, TypeVar

import torch
from torch import Tensor

from .. import _tensors
from .._context import by_hand
from .._errors import error
from .._operands import check_tensors
from ..functional._common import batched, check_call
from ..functional._sides import check_max_bytes
from ._factors import Kind
from ._use import MAX_BYTES, Use

P = ParamSpec("P")
R = TypeVar("R")
NEEDED = inspect.Parameter.empty


class Extra(TypedDict, total=False):
    """What functions take by keyword besides the law's own arguments, each only its own: for the types alone."""

    max_bytes: int
    other: Tensor
    coefficients: Tensor
    kind: Kind
    bias: bool


_KINDS = {key: kind.__forward_arg__ for key, kind in Extra.__annotations__.items()}  # as they are written


class Family(NamedTuple, Generic[P]):
    """The functions of one law."""

    weight: Callable[P, Tensor]
    sqnorm: Callable[P, Tensor]
    dot: Callable[P, Tensor]
    gram: Callable[P, Tensor]
    weighted: Callable[P, Tensor]


def family(law: Callable[Concatenate[str, P], Use]) -> Family[P]:
    """The functions of a law: what it takes after its first argument, which is the name to complain under, they take.

    `conv_nd` makes `conv_nd_weight` and so on. The law's docstring is that of the gradients, to which those of the
    others refer.
    """
    name = f"per_sample.{law.__name__}_weight"
    return Family(
        function(law, name, law.__doc__ or "", _gradients, max_bytes=MAX_BYTES),
        function(law, f"{name}_sqnorm", _SQNORM, _sqnorms, max_bytes=MAX_BYTES),
        function(law, f"{name}_dot", _DOT, _dot, other=NEEDED, max_bytes=MAX_BYTES),
        function(law, f"{name}_gram", _GRAM, _gram, max_bytes=MAX_BYTES),
        function(law, f"{name}_weighted", _WEIGHTED, _weighted, coefficients=NEEDED),
    )


_FURTHER = """
    Raises:
        HandgradError: where shapes, dtypes, devices or numbers do not go together.
"""
_SQNORM = f"""
    The squared norm of every sample's gradient with respect to the weight, without holding all gradients.

    A few samples at a time, by whichever way takes fewer products of numbers.

    Args:
        {{arguments}}: as in `{{law}}_weight`.
        max_bytes: what the work may take at a time beside operands and result, but at least one sample's share.

    Returns:
        (N,), real, in at least float32.
{_FURTHER}"""
_DOT = f"""
    The inner product of every sample's gradient with respect to the weight with one direction.

    Where the weight makes sums of products, it is ⟨dy[n], y⟩ of a forward pass with the direction as the weight, and
    takes no gradient.

    Args:
        {{arguments}}: as in `{{law}}_weight`.
        other: the direction, of the weight's size.
        max_bytes: how much of that forward pass's output is held at a time, but at least one sample.

    Returns:
        (N,), in at least float32; of complex numbers the gradient is conjugate.
{_FURTHER}"""
_GRAM = f"""
    The inner products of all samples' gradients with respect to the weight with each other.

    The diagonal of the result is that of `{{law}}_weight_sqnorm`.

    Args:
        {{arguments}}: as in `{{law}}_weight`.
        max_bytes: what the work may take at a time beside operands and result, but at least one sample's share and one
            channel of all gradients.

    Returns:
        (N, N), in at least float32; of complex numbers the row's gradient is conjugate.
{_FURTHER}"""
_WEIGHTED = f"""
    The sum of all samples' gradients with respect to the weight, each times its coefficient, in one pass.

    It is the ordinary gradient of dy[n] times the coefficients, as the gradient is linear in dy.

    Args:
        {{arguments}}: as in `{{law}}_weight`.
        coefficients: (N,), of any dtype that the operands' can hold.

    Returns:
        As the weight, in the operands' dtype.
{_FURTHER}"""


def _gradients(_: str, use: Use) -> Tensor:
    return use.gradients().to(use.like.dtype)


def _sqnorms(_: str, use: Use) -> Tensor:
    return use.sqnorms()


def _gram(_: str, use: Use) -> Tensor:
    return use.gram()


def _dot(op: str, use: Use, other: Tensor) -> Tensor:
    check_tensors(op, grad_output=use.like, other=other)
    if other.shape != use.shape:
        raise error(op, "other must have the size of the weight", other=other.shape, needed=use.shape)
    return use.dots(other)


def _weighted(op: str, use: Use, coefficients: Tensor) -> Tensor:
    return weighted(op, use, coefficients).to(use.like.dtype)


def weighted(op: str, use: Use, coefficients: Tensor) -> Tensor:
    """(*weight), in at least float32: Σ a[n] · dw[n]; raise unless the a are a tensor (N,) that it can hold."""
    _tensors.check_tensors(op, coefficients=coefficients)
    fitting = torch.can_cast(coefficients.dtype, use.dtype) and coefficients.device == use.like.device
    if coefficients.shape != (use.samples,) or not fitting:
        raise error(
            op,
            "coefficients must be one number for each sample, of the operands' kind",
            coefficients=_tensors.facts(coefficients),
            needed=((use.samples,), str(use.like.dtype)),
        )
    return use.weighted(coefficients)


def channel_bias(op: str, grad_output: Tensor, dims: int) -> Tensor:
    """(N, O, *L) or (O, *L) → (N, O): the bias met every output position of its channel once."""
    check_tensors(op, grad_output=grad_output)
    if grad_output.dim() not in (dims + 1, dims + 2):
        raise error(op, "grad_output must be (N, O, *L) or (O, *L)", grad_output=grad_output.shape)
    return batched(grad_output, dims).sum([*range(-dims, 0)])


def function(
    law: Callable[Concatenate[str, P], Use], name: str, text: str, answer: Callable[..., R], **extra: Any
) -> Callable[P, R]:
    """The function `name` of a law's arguments and `extra`: what `answer(op, use, **extra)` says of the law's use."""
    own = name.partition(".")[2]
    signature = _with(inspect.signature(law), extra, inspect.signature(answer).return_annotation)
    dims = "dims" in signature.parameters

    @by_hand()
    def call(*args: P.args, **kwargs: P.kwargs) -> R:
        check_call(own, signature, *args, **kwargs)
        given: dict[str, Any] = {key: kwargs.pop(key) for key in extra if key in kwargs}
        op = name.replace("_nd", f"{args[0]}d") if dims else name
        bound = given.pop("max_bytes", MAX_BYTES)
        check_max_bytes(op, bound)
        use = law(op, *args, **kwargs)
        use.max_bytes = bound
        return answer(op, use, **given)

    call.__name__ = call.__qualname__ = own
    call.__module__ = f"{__package__.partition('.')[0]}.{name.partition('.')[0]}"
    arguments = ", ".join(key for key in signature.parameters if key != "dims" and key not in extra)
    as_named = law.__name__.replace("_nd", "{n}d")
    call.__doc__ = dedent(text).strip().replace("{arguments}", arguments).replace("{law}", as_named)
    call.__signature__ = signature  # type: ignore[attr-defined]
    call.__annotations__ = {key: entry.annotation for key, entry in signature.parameters.items()}
    call.__annotations__["return"] = signature.return_annotation
    del call.__wrapped__  # type: ignore[attr-defined]  # it takes anything
    return call


def _with(law: inspect.Signature, extra: dict[str, Any], returns: object) -> inspect.Signature:
    """The law's signature without its first argument, and with what else is taken by keyword."""
    own = [entry for entry in law.parameters.values() if entry.kind is not entry.VAR_KEYWORD][1:]
    more = [
        inspect.Parameter(key, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=_KINDS[key])
        for key, default in extra.items()
    ]
    return law.replace(parameters=[*own, *more], return_annotation=returns)
