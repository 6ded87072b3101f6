"""Which argument of a function is what: tensors by name, options by the words people use for them."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ..._errors import error
from .calling import call
from .returned import is_gradient_name

if TYPE_CHECKING:
    from .outputs import Outputs

# The words for an option, and the first of them is the framework's.
OPTION_WORDS: dict[str, tuple[str, ...]] = {
    "stride": ("stride", "strides", "s"),
    "padding": ("padding", "pad", "pads", "p"),
    "dilation": ("dilation", "dilations", "dil", "d"),
    "groups": ("groups", "group", "num_groups", "n_groups", "g"),
    "kernel_size": ("kernel_size", "kernel", "ksize", "pool_size", "window", "window_size", "size", "k"),
    "output_padding": ("output_padding",),
    "eps": ("eps", "epsilon"),
    "dim": ("dim", "axis"),
}
# A dictionary of options, as courses pass them: forward(x, w, b, conv_param).
_DICTIONARIES = ("_param", "_params", "config", "cfg", "opts", "options", "hparams", "hparameters")
_GRADS = ("grad", "dout", "dy", "g", "upstream", "delta", "dz", "error", "d_out", "gout", "gy", "dldy")
_OUTPUTS = ("output", "out", "y", "outputs")
RATES = ("lr", "learning_rate", "learn_rate", "eta", "alpha", "rate", "step_size")
RATE = 0.5  # the learning rate for a `backward(grad, lr)`; a power of two, so that dividing by it is exact


def signature(function: Callable[..., Any]) -> list[inspect.Parameter]:
    """The parameters of a function; of one that is not written in Python those that it needs, or `*inputs`."""
    try:
        found = list(inspect.signature(function).parameters.values())
    except (ValueError, TypeError):
        return [inspect.Parameter("inputs", inspect.Parameter.VAR_POSITIONAL)]
    base = function.func if isinstance(function, functools.partial) else function
    in_python = hasattr(base, "__code__") or hasattr(type(base).__call__, "__code__")
    # to np.tanh(x, out=None, dtype=None, …) the defaults must not even be handed
    return found if in_python else [p for p in found if p.default is p.empty]


def name_of(function: Callable[..., Any]) -> str:
    """A function's name; of a partial one or an object that can be called, its kind."""
    return str(getattr(function, "__name__", type(function).__name__))


def parameters(function: Callable[..., Any], skip: int = 0) -> list[inspect.Parameter]:
    """The parameters that a call can fill by position, without the first `skip`."""
    kinds = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    found = [p for p in signature(function) if p.kind in kinds]
    return found[skip:]


def _keyword_only(function: Callable[..., Any]) -> list[inspect.Parameter]:
    return [p for p in signature(function) if p.kind is inspect.Parameter.KEYWORD_ONLY]


def invoke(stage: str, function: Callable[..., Any], arguments: Mapping[str, Any]) -> Any:
    """A call with arguments that `bind` made: by position, and by keyword those that are keyword-only."""
    kinds = {p.name: p.kind for p in signature(function)}
    keywords = {n: v for n, v in arguments.items() if kinds.get(n) is inspect.Parameter.KEYWORD_ONLY}
    return call(stage, function, *(v for n, v in arguments.items() if n not in keywords), **keywords)


def rest(function: Callable[..., Any]) -> str | None:
    """The name of the function's `*args`, if it has any."""
    return next((p.name for p in signature(function) if p.kind is inspect.Parameter.VAR_POSITIONAL), None)


def option_of(name: str) -> str | None:
    """The option that a parameter's name means: `pad` means padding."""
    return next((option for option, words in OPTION_WORDS.items() if name in words), None)


def accepted(names: Sequence[str], inputs: Sequence[str]) -> frozenset[str]:
    """The options that a signature takes, beside its inputs; a dictionary of options takes them all."""
    rest = [name for name in names if name not in inputs]
    if any(name.endswith(_DICTIONARIES) for name in rest):
        return frozenset(OPTION_WORDS)
    return frozenset(option for name in rest if (option := option_of(name)))


def bind(
    function: Callable[..., Any], inputs: Mapping[str, Any], options: Mapping[str, Any], skip: int = 0
) -> dict[str, Any]:
    """The arguments of a forward call, by name and in order: inputs, then options, then its own defaults.

    Raises `HandgradError` if a parameter is neither.
    """
    if rest(function) is not None:
        return dict(inputs)
    known = parameters(function, skip) + _keyword_only(function)
    left = [name for name in inputs if name not in {p.name for p in known}]
    arguments: dict[str, Any] = {}
    for parameter in known:
        if parameter.name in inputs:
            arguments[parameter.name] = inputs[parameter.name]
        elif (value := _option(parameter, options)) is not None:
            arguments[parameter.name] = value
        elif parameter.default is not inspect.Parameter.empty and not left:
            arguments[parameter.name] = parameter.default
        elif left:
            arguments[parameter.name] = inputs[left.pop(0)]
        else:
            raise error(
                "check",
                f"nothing is given for the argument `{parameter.name}` of `{name_of(function)}`",
                hint=f"--input {parameter.name}=2x3, or an example_inputs() in the file",
                given=", ".join(inputs),
            )
    return arguments


def _option(parameter: inspect.Parameter, options: Mapping[str, Any]) -> Any:
    if parameter.name in options:
        return options[parameter.name]
    if parameter.name.endswith(_DICTIONARIES):
        return dictionary(options)
    option = option_of(parameter.name) or ""
    if option in options:
        return options[option]
    # an option without a default that nobody gave is the framework's: stride 1, padding 0
    return _PLAIN.get(option) if parameter.default is inspect.Parameter.empty else None


_PLAIN = {"stride": 1, "padding": 0, "dilation": 1, "groups": 1, "eps": 1e-5, "dim": -1}


def dictionary(options: Mapping[str, Any]) -> dict[str, Any]:
    """All options under every word for them, as `conv_param["pad"]` and `bn_param["mode"]` want them."""
    full: dict[str, Any] = {"mode": "train"}
    for option, value in ({"stride": 1, "padding": 0} | dict(options)).items():
        full |= dict.fromkeys(OPTION_WORDS.get(option, (option,)), value)
        if option == "kernel_size":
            full["pool_height"], full["pool_width"] = value if isinstance(value, tuple) else (value, value)
    return full


def bind_backward(
    function: Callable[..., Any],
    grads: Sequence[Any],
    arguments: Mapping[str, Any],
    outputs: Outputs,
    options: Mapping[str, Any],
) -> list[Any]:
    """The arguments of a backward call.

    `arguments` are those of the forward call and `outputs` what it returned, a cache among it. The gradients come
    first, one for each output; the rest is told by name where the names say it, else by position.
    """
    grads, extras = [tuple(grads)] if outputs.bundled else list(grads), outputs.extras
    if rest(function) is not None:
        return [*grads, *(extras or arguments.values())] if len(grads) == 1 else grads
    known = parameters(function)
    needed = [p for p in known if p.default is inspect.Parameter.empty]
    places = _grad_places(known, arguments, len(grads))
    others = [p.name for i, p in enumerate(needed) if i not in places]
    is_cached = not all(name in arguments for name in others)
    if extras and is_cached and len(needed) == len(extras) + len(grads) <= len(known):
        cached, order = iter(extras), places if len(places) == len(grads) else list(range(len(grads)))
        return [grads[order.index(i)] if i in order else next(cached) for i in range(len(needed))]
    if extras and len(needed) == len(extras) and not _is_grad(needed[0].name):
        return list(extras)
    values = {**outputs.named, **{f"{name}": value for name, value in arguments.items()}}
    if len(extras) == 1 and len(known) > 1:
        cache = next((p.name for p in known if p.name in _CACHES), None)
        values |= {cache: extras[0]} if cache else {}
    by_name = [_by_name(p, values, outputs.values[0], options) for i, p in enumerate(known) if i not in places]
    if all(found is not _MISSING for found in by_name):
        for place, grad in zip(places, grads, strict=False):
            by_name.insert(place, grad)
        while by_name and by_name[-1] is _DEFAULT:
            by_name.pop()
        return [known[i].default if value is _DEFAULT else value for i, value in enumerate(by_name)]
    return [*grads, *list(arguments.values())[: len(known) - len(grads)]]


_MISSING, _DEFAULT = object(), object()
_CACHES = ("cache", "ctx", "saved", "memory", "context")


def _is_grad(name: str) -> bool:
    return name.lower().startswith(_GRADS)


def _grad_places(known: Sequence[inspect.Parameter], values: Mapping[str, Any], count: int) -> list[int]:
    """Where the gradients of the outputs go: first, unless that name is an input's or a cache's, or as they are named.

    Nowhere if every name is an input's.
    """
    unknown = [index for index, p in enumerate(known) if p.name not in values]
    named = [index for index in unknown if _is_grad(known[index].name) or is_gradient_name(known[index].name)]
    if count > 1:
        return named[:count] if len(named) >= count else list(range(count))
    if not known or (0 in unknown and not (known[0].name in _CACHES and named)):
        return [0] if known else []
    return named[:1]


def _by_name(parameter: inspect.Parameter, values: Mapping[str, Any], output: Any, options: Mapping[str, Any]) -> Any:
    name = parameter.name
    if name in values:
        return values[name]
    if name in RATES:
        return RATE
    if name in _OUTPUTS:
        return output
    if (value := _option(parameter, options)) is not None:
        return value
    return _MISSING if parameter.default is inspect.Parameter.empty else _DEFAULT
