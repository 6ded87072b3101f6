"""What one backward pass collects, and what can be asked of it afterwards."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from functools import reduce

import torch
from torch import Tensor, nn

from .._context import by_hand
from .._errors import HandgradError, error
from .._tensors import check_tensors, facts
from .._watch import state_of
from ..functional._sides import check_max_bytes
from ._factors import Factors, Kind, factors
from ._family import weighted
from ._use import MAX_BYTES, Total, Use
from ._weights import Product

_COLLECTING: ContextVar[Samples | None] = ContextVar("collecting", default=None)


def collecting() -> Samples | None:
    """What collects in the backward pass that runs now."""
    return _COLLECTING.get()


@contextmanager
def collected_by(samples: Samples) -> Iterator[None]:
    """All that is handed over inside goes to `samples`."""
    if not isinstance(samples, Samples):
        raise error("backward", f"per_sample must be a `hg.per_sample.Samples`, got {type(samples).__name__}")
    token = _COLLECTING.set(samples)
    try:
        yield
    finally:
        _COLLECTING.reset(token)


class Samples:
    """Every sample's gradients of all parameters that a backward pass met, in whatever form they are asked for.

        samples = hg.per_sample.Samples()
        grad_x = backward(grad_y, per_sample=samples)
        norms = samples.sqnorm().sqrt()                                 # (N,)
        clipped = samples.weighted(1 / norms.clamp(min=1))              # {parameter: gradient}

    It keeps what the gradients are made of, and computes nothing until it is asked: there is no second pass, and all N
    gradients of a parameter are only held at once where `gradients` is called. A parameter that was met several times,
    in tied weights or a layer that stands twice, has the sum over these as its gradient. So one `Samples` may go
    through the backward passes of several networks in turn, but it serves one batch.

    The gradients are those of the loss that `grad_y` is the gradient of. A mean over the batch has 1/N in it: times N
    they are those of each sample's own loss.

    Args:
        accumulate: whether the backward pass also adds the batch's gradient into `.grad`, as it would without this;
            if not, `.grad` is left alone and the sum is never computed.
        max_bytes: what the work on one parameter may take at a time beside operands and result, but at least what one
            sample takes.

    Raises:
        HandgradError: where something that the gradients are made of has changed since the backward pass, and as the
            methods say.
    """

    def __init__(self, accumulate: bool = True, max_bytes: int = MAX_BYTES) -> None:
        check_max_bytes("Samples", max_bytes)
        self.accumulate = accumulate
        self.max_bytes = max_bytes
        self._uses: dict[nn.Parameter, list[Use]] = {}
        self._states: list[tuple[Tensor, object]] = []
        self._parameters: dict[nn.Parameter, object] = {}

    def collect(self, parameter: nn.Parameter, use: Use) -> None:
        """Take one use of a parameter; backward passes call this.

        Raises:
            HandgradError: if the use has another number of samples than the others, or its gradient another shape; and
                if the parameter has changed since an earlier use, as it does in an optimizer's step.
        """
        if self._parameters.setdefault(parameter, state_of(parameter)) != state_of(parameter):
            hint = "a `Samples` serves one batch; make a new one in every step"
            raise self._error("a parameter has changed since an earlier use", hint, shape=parameter.shape)
        if use.shape != parameter.shape:
            raise self._error("a gradient has another shape", gradient=use.shape, parameter=parameter.shape)
        known = next((uses[0].samples for uses in self._uses.values()), use.samples)
        if use.samples != known:
            hint = "an axis was joined with the batch, or a layer took an unbatched input's first axis for it"
            raise self._error("the uses disagree about the number of samples", hint, before=known, now=use.samples)
        use.max_bytes = self.max_bytes
        self._uses.setdefault(parameter, []).append(use)
        self._states += [(tensor, state_of(tensor)) for tensor in use.operands.values()]

    def parameters(self) -> list[nn.Parameter]:
        """The parameters that the pass met, the last layer's first."""
        return list(self._uses)

    @by_hand()
    def gradients(self) -> dict[nn.Parameter, Tensor]:
        """{parameter: (N, *shape)}, in the parameter's dtype."""
        return {parameter: use.gradients().to(parameter.dtype) for parameter, use in self._each()}

    @by_hand()
    def sqnorms(self) -> dict[nn.Parameter, Tensor]:
        """{parameter: (N,)}: the squared norms of each sample's gradients, in at least float32."""
        return {parameter: use.sqnorms() for parameter, use in self._each()}

    def sqnorm(self) -> Tensor:
        """(N,): the squared norm of each sample's gradient with respect to all parameters together."""
        return self._sum(self.sqnorms().values())

    @by_hand()
    def dot(self, directions: Mapping[nn.Parameter, Tensor]) -> Tensor:
        """(N,): the inner product of each sample's gradient with a direction, which has an entry for each parameter.

        Parameters without an entry do not count. Of complex numbers the gradient is conjugate.

        Raises:
            HandgradError: for what is no parameter, or one that the pass did not meet, or an entry that is not like it.
        """
        self._check_keys(directions)
        for parameter, direction in directions.items():
            check_tensors("Samples", direction=direction)
            fitting = torch.can_cast(direction.dtype, parameter.dtype) and direction.device == parameter.device
            if direction.shape != parameter.shape or not fitting:
                problem = "a direction is not like its parameter"
                raise self._error(problem, got=facts(direction), needed=facts(parameter))
        return self._sum(use.dots(directions[parameter]) for parameter, use in self._each(directions))

    @by_hand()
    def gram(self) -> Tensor:
        """(N, N): the inner products of all samples' gradients with each other, the first (row) conjugate."""
        return self._sum(use.gram() for _, use in self._each())

    @by_hand()
    def weighted(
        self, coefficients: Tensor | Mapping[nn.Parameter, Tensor], rounded: bool = True
    ) -> dict[nn.Parameter, Tensor]:
        """{parameter: shape}: Σ a[n] · gradient[n], with one a (N,) for all parameters or, in a mapping, one for each.

        Parameters without an entry in the mapping have none in the result.

        Args:
            coefficients: the a, or {parameter: a}.
            rounded: whether to the parameter's dtype, as `.grad` has it; if not, the result is in at least float32,
                for whoever adds more to it, or needs a bound on it to hold.

        Raises:
            HandgradError: for what is no parameter, or one that the pass did not meet, or coefficients that are not
                (N,).
        """
        mapping = coefficients if isinstance(coefficients, Mapping) else dict.fromkeys(self._uses, coefficients)
        self._check_keys(mapping)
        result = {}
        for parameter, use in self._each(mapping):
            total = weighted("Samples", use, mapping[parameter])
            result[parameter] = total.to(parameter.dtype) if rounded else total
        return result

    @by_hand()
    def factors(self, kind: Kind = "expand", bias: bool = False) -> dict[nn.Parameter, Factors]:
        """{weight: Factors}: the Kronecker factors of `hg.kfac`, of the weights of convolutions and linear layers.

        The positions of several uses of one weight are positions of one; so they are shared, whatever shared them.

        Args:
            kind: 'expand' or 'reduce'.
            bias: whether A has a row and a column more, for a bias as one more weight; not of transposed convolutions.

        Raises:
            HandgradError: for another kind, or a weight that was used with different numbers of groups, or
                transposed and not.
        """
        found = {}
        for parameter, _ in self._each():
            uses = [use.sides for use in self._uses[parameter] if isinstance(use, Product)]
            if len(uses) == len(self._uses[parameter]):
                found[parameter] = factors("Samples.factors", uses, kind, self.max_bytes, bias)
        return found

    def _each(self, wanted: Iterable[nn.Parameter] | None = None) -> Iterator[tuple[nn.Parameter, Use]]:
        """Parameters, all or some, each with the sum of its uses."""
        for tensor, before in self._states:
            if state_of(tensor) != before:
                problem = "what gradients are made of has changed since the backward pass"
                raise self._error(problem, "ask before anything is changed in place", shape=tensor.shape)
        for parameter in self._uses if wanted is None else wanted:
            uses = self._uses.get(parameter)
            if not uses:
                raise self._error("the backward pass did not meet a parameter", shape=parameter.shape)
            yield parameter, uses[0] if len(uses) == 1 else Total(uses)

    def _check_keys(self, mapping: Mapping[nn.Parameter, Tensor]) -> None:
        if not isinstance(mapping, Mapping):
            raise self._error("there must be an entry for each parameter, in a mapping", got=type(mapping).__name__)
        for key in mapping:
            if not isinstance(key, Tensor):
                hint = "`model.get_parameter(name)`" if isinstance(key, str) else None
                raise self._error("a key must be a parameter", hint, key=repr(key))

    def _sum(self, of_parameters: Iterable[Tensor]) -> Tensor:
        tensors = list(of_parameters)
        if not tensors:
            raise self._error("the backward pass met no parameter")
        return reduce(torch.add, tensors)

    def _error(self, problem: str, hint: str | None = None, **rows: object) -> HandgradError:
        return error("Samples", problem, hint, **rows)
