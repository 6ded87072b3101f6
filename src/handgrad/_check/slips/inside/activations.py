"""Functions of one entry in the middle of a forward pass: an activation, a dropout, a clipped value."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial

import torch
from torch import Tensor

from ..activation import Activation, slopes
from ..elementwise import activation_slips
from .elsewhere import at_another
from .places import Place, close, local, probe, same_shape, value
from .recording import Record, Step

_LINEAR = {
    "add", "sub", "neg", "mul", "multiply", "subtract", "div", "divide", "true_divide", "clone", "contiguous", "double",
    "float", "to", "as_subclass", "matmul", "mm", "bmm", "dot", "tensordot", "einsum", "linear", "sum", "mean",
    "getitem", "reshape", "view", "flatten", "permute", "transpose", "T", "t", "mT", "stack", "cat", "hstack",
    "unsqueeze", "squeeze", "split", "chunk", "unbind", "expand", "expand_as", "positive", "tensor_split", "tril",
    "triu",
}  # fmt: skip
_ARITHMETIC = {"log", "div", "divide", "true_divide", "reciprocal", "pow", "square", "sqrt", "rsqrt", "mul", "multiply"}
REDUCTIONS = {"sum", "mean", "var", "std", "norm", "amax", "max", "amin", "min", "logsumexp", "vector_norm"}
_MOST = 60  # places; more are a loop over entries
_Pairs = Mapping[tuple[int, int], Tensor]  # (source, step) → the derivative


def places(record: Record) -> Iterator[Place]:
    """Each stretch of steps that works entry by entry and is not linear."""
    pairs = elementwise(record)
    for (source, index), derivative in pairs.items():
        if not is_arithmetic(record, source, index) and (is_mask(derivative) or not _weighs(record, index)):
            masks = record.steps[index].sources == (source,) and is_mask(derivative)
            if masks or (_ends(record, pairs, source, index) and _begins(record, pairs, source, index)):
                yield _place(record, record.steps[source], record.steps[index], derivative)


def elementwise(record: Record) -> _Pairs:
    """Every two tensors between which all works entry by entry and is not linear, with the derivative."""
    if record.pairs is None:
        record.pairs = _find(record)
    return record.pairs


def _find(record: Record) -> _Pairs:
    found: dict[tuple[int, int], Tensor] = {}
    for step in record.steps.values():
        for source in same_shape(record, step) if len(found) < _MOST else ():
            derivative = local(step, source, torch.ones_like(step.tensor))
            v = probe(step)
            if close(local(step, source, v), v * derivative) and _says_something(record, source, step, derivative):
                found[source.index, step.index] = derivative
    return found


def _says_something(record: Record, source: Step, step: Step, derivative: Tensor) -> bool:
    """Whether it is no mere sum or multiple; a mask with zeros is more than that."""
    return is_mask(derivative) or any(not is_linear(between) for between in _between(record, source, step))


def is_mask(derivative: Tensor) -> bool:
    """Whether it lets some entries through and others not."""
    return len(slopes(derivative)) == 2 and bool((derivative == 0).any())


def _between(record: Record, source: Step, step: Step) -> Iterator[Step]:
    todo, seen = [step.index], {source.index}
    while todo:
        index = todo.pop()
        if index not in seen:
            seen.add(index)
            yield record.steps[index]
            todo += record.steps[index].sources


def is_linear(step: Step) -> bool:
    """Whether a step is linear in what depends on the input."""
    if step.name not in _LINEAR:
        return False
    if step.name in ("div", "divide", "true_divide") and len(step.args) > 1 and _active(step.args[1], step):
        return False
    return step.name in ("add", "sub", "subtract", "stack", "cat", "hstack") or len(step.sources) < 2


def _active(argument: object, step: Step) -> bool:
    return (
        isinstance(argument, Tensor) and argument.requires_grad and bool(step.sources) and argument.grad_fn is not None
    )


def is_arithmetic(record: Record, source: int, index: int) -> bool:
    """Whether there are logarithms, quotients and roots only, as in losses and of variances: no activation."""
    names = {one.name for one in _between(record, record.steps[source], record.steps[index]) if not is_linear(one)}
    return bool(names) and names <= _ARITHMETIC


def _ends(record: Record, pairs: _Pairs, source: int, index: int) -> bool:
    """Whether more than one step uses the result, or one that is not more of the same; or it is a step by itself."""
    step, users = record.steps[index], record.consumers[index]
    alone = step.sources == (source,) and not is_linear(step) and step.name not in ("exp", "pow", "reciprocal", "abs")
    return alone or len(users) != 1 or any((source, user) not in pairs or _weighs(record, user) for user in users)


def _weighs(record: Record, index: int) -> bool:
    """Whether a step multiplies by a tensor that has nothing to do with the input, as a gate does with a state."""
    step = record.steps[index]
    others = [one for one in step.args if isinstance(one, Tensor) and one.numel() > 1]
    return step.name in ("mul", "multiply") and len(step.sources) == 1 and not step.direct and len(others) > 1


def _begins(record: Record, pairs: _Pairs, source: int, index: int) -> bool:
    """Whether a derivative would be written in terms of this tensor: not if it is half of a formula itself."""
    if record.steps[source].name == "neg":  # written in terms of what it negates
        return False
    nearer = [begin for begin, end in pairs if end == index and begin > source and record.steps[begin].name != "neg"]
    if any((source, begin) not in pairs for begin in nearer):  # it is a multiple of what comes later, or a sum
        return False
    return all(end != source or _ends(record, pairs, begin, end) for begin, end in pairs)


def _place(record: Record, source: Step, step: Step, derivative: Tensor) -> Place:
    z, a = value(source), value(step)
    slips = dict(
        activation_slips(Activation(z, a, derivative, _others(record, source, step, derivative), None), briefly=True)
    )
    slips |= at_another(record, source, step, derivative)
    kind = tuple(sorted({one.name for one in _between(record, source, step) if not is_linear(one)}))
    keys = ((source.site, step.site), ("all", kind), ("here", step.site[:1], kind))
    where = f"at `{step.name}`, line {step.line}"
    return Place(step.index, source.index, partial(torch.mul, derivative), slips, keys, where)


def _others(record: Record, source: Step, step: Step, derivative: Tensor) -> dict[str, Tensor]:
    """What else of that shape a mask could be made from, where there is one."""
    if len(slopes(derivative)) > 2:
        return {}
    own, found = [value(source), value(step)], dict[str, Tensor]()
    made = {f"`{word}`, line {line}": output for word, _, output, site, line in record.calls if site}
    for label, one in {**{f"`{name}`": leaf for name, leaf in record.leaves.items()}, **made}.items():
        if isinstance(one, Tensor) and one.shape == step.tensor.shape and one.is_floating_point():
            plain = one.detach().as_subclass(Tensor)
            # what has the signs of the right tensor makes the right mask
            if not any(plain.sign().equal(known.sign()) for known in own) and not any(map(plain.equal, found.values())):
                found[label] = plain
    return found
