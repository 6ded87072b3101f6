"""Per-sample gradients and norms of every convolution by the known libraries, against one sample at a time.

    python benchmarks/per_sample_peers.py            print the tables of docs/per-sample-peers.md
    python benchmarks/per_sample_peers.py --write    renew them there

Each library is called as its documentation says, for a loss that is a sum over the samples, in float64, and its result
is compared with PyTorch's autograd of each sample alone. Libraries that are not installed are named and left out:
`pip install handgrad[peers]` brings the versions on the page.
"""

from __future__ import annotations

import re
import warnings
from collections import defaultdict
from collections.abc import Callable, Iterator
from importlib.metadata import PackageNotFoundError, version
from itertools import product
from math import inf
from pathlib import Path
from typing import Any, NamedTuple

import click
import torch
from torch import Tensor, nn

import handgrad as hg

PAGE = Path(__file__).parent.parent / "docs" / "per-sample-peers.md"
ROUNDING = 1e-10
Found = dict[str, Tensor]  # by the parameter's name: (N, *parameter), or (N,) of squared norms

# ---- the matrix: every geometry that a module of torch.nn can have -------------------------------------------------

SIZES = {"dense": (2, 3, 1), "groups": (4, 6, 2), "depthwise": (3, 6, 3)}  # C, O, G
GRIDS = {1: (7,), 2: (7, 8), 3: (4, 5, 6)}  # a stride of 3 leaves a remainder in one axis at least
ODD, EVEN = (3, 1, 3), (2, 3, 2)  # kernels: of the second, 'same' pads more at the end than at the start
SAMPLES = (5, 40)
ROWS = ["numbers", "'valid'", "'same'", "'same', uneven", "reflect", "replicate", "circular", "transposed"]


class Case(NamedTuple):
    """One module and how many samples go through it; `kind` and `row` are where it stands in the tables."""

    kind: str
    row: str
    samples: int
    cls: type[nn.Module]
    arguments: tuple[Any, ...]  # C, O, kernel
    settings: dict[str, Any]

    def __str__(self) -> str:
        settings = ", ".join(f"{name}={value!r}" for name, value in self.settings.items())
        return f"{self.cls.__name__}({', '.join(map(str, self.arguments))}, {settings}), N = {self.samples}"

    def module(self) -> nn.Module:
        """The same weights at every call."""
        torch.manual_seed(0)
        return self.cls(*self.arguments, **self.settings).double()

    def operands(self) -> tuple[Tensor, Tensor]:
        """x and dy, the same at every call."""
        module, grid = self.module(), GRIDS[len(self.arguments[2])]
        x = torch.randn(self.samples, self.arguments[0], *grid, dtype=torch.float64)
        return x, torch.randn_like(module(x))


def cases() -> Iterator[Case]:
    """dims × transposed × groups × padding × padding mode × stride × dilation × bias × N."""
    for dims, kind, bias, samples in product(GRIDS, SIZES, (True, False), SAMPLES):
        C, O, G = SIZES[kind]
        for row, kernel, settings in (*convolutions(dims), *transposed(dims)):
            cls = getattr(nn, f"Conv{'Transpose' if row == 'transposed' else ''}{dims}d")
            yield Case(kind, row, samples, cls, (C, O, kernel), {**settings, "groups": G, "bias": bias})


def convolutions(dims: int) -> Iterator[tuple[str, tuple[int, ...], dict[str, Any]]]:
    """Row, kernel and settings; 'same' takes no stride, and 'valid' no padding mode that would matter."""
    for stride, dilation in product((1, 3), (1, 2)):
        settings = {"stride": stride, "dilation": dilation}
        yield "numbers", EVEN[:dims], {"padding": 1, **settings}
        yield "'valid'", EVEN[:dims], {"padding": "valid", **settings}
        for mode in ("reflect", "replicate", "circular"):
            yield mode, EVEN[:dims], {"padding": 1, "padding_mode": mode, **settings}
    for dilation in (1, 2):
        yield "'same'", ODD[:dims], {"padding": "same", "dilation": dilation}
    yield "'same', uneven", EVEN[:dims], {"padding": "same"}


def transposed(dims: int) -> Iterator[tuple[str, tuple[int, ...], dict[str, Any]]]:
    """The same, with the output padding that a stride or a dilation allows, and without."""
    for stride, dilation in product((1, 3), (1, 2)):
        for extra in {0, max(stride, dilation) - 1}:
            settings = {"padding": 1, "stride": stride, "dilation": dilation, "output_padding": extra}
            yield "transposed", EVEN[:dims], settings


# ---- the contestants -----------------------------------------------------------------------------------------------


def loop(module: nn.Module, x: Tensor, dy: Tensor) -> Found:
    """One sample at a time by PyTorch's autograd: the truth."""
    names, parameters = zip(*module.named_parameters(), strict=True)
    one_by_one = [torch.autograd.grad(module(x[n : n + 1]), parameters, dy[n : n + 1]) for n in range(len(x))]
    return dict(zip(names, map(torch.stack, zip(*one_by_one, strict=True)), strict=True))


def squares(gradients: Found) -> Found:
    """(N, *parameter) → (N,)."""
    return {name: gradient.flatten(1).square().sum(1) for name, gradient in gradients.items()}


def opacus(module: nn.Module, x: Tensor, dy: Tensor, **options: Any) -> Found:
    """Its hooks; a module without a sampler of its own goes to functorch by itself."""
    from opacus.grad_sample import GradSampleModule

    sampled = GradSampleModule(module, loss_reduction="sum", **options)
    (sampled(x) * dy).sum().backward()
    return {name: parameter.grad_sample for name, parameter in module.named_parameters()}


def opacus_functorch(module: nn.Module, x: Tensor, dy: Tensor) -> Found:
    """Its other path, asked for."""
    return opacus(module, x, dy, force_functorch=True)


def opacus_ghost(module: nn.Module, x: Tensor, dy: Tensor) -> Found:
    """Its norms for clipping."""
    from opacus.grad_sample import GradSampleModuleFastGradientClipping

    sampled = GradSampleModuleFastGradientClipping(module, loss_reduction="sum", max_grad_norm=1.0)
    (sampled(x) * dy).sum().backward()
    return {name: parameter._norm_sample.square() for name, parameter in module.named_parameters()}


def backpack(module: nn.Module, x: Tensor, dy: Tensor, extension: str = "BatchGrad") -> Found:
    """The extension that `torch.nn` modules get."""
    import backpack
    from backpack import extensions

    made = getattr(extensions, extension)()
    backpack.extend(module)
    with backpack.backpack(made):
        (module(x) * dy).sum().backward()
    return {name: getattr(parameter, made.savefield) for name, parameter in module.named_parameters()}


def backpack_norms(module: nn.Module, x: Tensor, dy: Tensor) -> Found:
    """The same for squared norms."""
    return backpack(module, x, dy, "BatchL2Grad")


def expanded_weights(module: nn.Module, x: Tensor, dy: Tensor) -> Found:
    """What is in PyTorch itself, of no public name yet."""
    from torch.nn.utils._per_sample_grad import call_for_per_sample_grads

    (call_for_per_sample_grads(module, batch_size=len(x), loss_reduction="sum")(x) * dy).sum().backward()
    return {name: parameter.grad_sample for name, parameter in module.named_parameters()}


def torch_func(module: nn.Module, x: Tensor, dy: Tensor) -> Found:
    """vmap over grad, as PyTorch's tutorial does."""

    def loss(parameters: Found, x: Tensor, dy: Tensor) -> Tensor:
        y = torch.func.functional_call(module, parameters, x.unsqueeze(0))
        return (y * dy.unsqueeze(0)).sum()

    parameters = {name: parameter.detach() for name, parameter in module.named_parameters()}
    return dict(torch.func.vmap(torch.func.grad(loss), (None, 0, 0))(parameters, x, dy))


def ours(module: nn.Module, x: Tensor, dy: Tensor, norms: bool = False) -> Found:
    """`hg.per_sample`, with the module's settings."""
    names = ["stride", "padding", "dilation", "groups"]
    names.append("output_padding" if isinstance(module, nn.modules.conv._ConvTransposeNd) else "padding_mode")
    settings = {name: getattr(module, name) for name in names}
    name = type(module).__name__.removesuffix("d").lower().replace("convtranspose", "conv_transpose") + "d"
    weight = getattr(hg.per_sample, f"{name}_weight{'_sqnorm' if norms else ''}")
    found = {"weight": weight(x, module.weight.shape, dy, **settings)}
    if module.bias is not None:
        bias = getattr(hg.per_sample, f"{name}_bias")(dy)
        found["bias"] = bias.square().sum(1) if norms else bias
    return found


def our_norms(module: nn.Module, x: Tensor, dy: Tensor) -> Found:
    """The same for squared norms."""
    return ours(module, x, dy, norms=True)


class Peer(NamedTuple):
    """A column: a title, the package that must be there, and how it is called."""

    title: str
    package: str
    call: Callable[[nn.Module, Tensor, Tensor], Found]


TABLES = {
    "gradients": [
        Peer("Opacus, hooks", "opacus", opacus),
        Peer("Opacus, functorch", "opacus", opacus_functorch),
        Peer("BackPACK BatchGrad", "backpack-for-pytorch", backpack),
        Peer("ExpandedWeights", "torch", expanded_weights),
        Peer("torch.func", "torch", torch_func),
        Peer("handgrad", "handgrad", ours),
    ],
    "norms": [
        Peer("Opacus, ghost clipping", "opacus", opacus_ghost),
        Peer("BackPACK BatchL2Grad", "backpack-for-pytorch", backpack_norms),
        Peer("handgrad", "handgrad", our_norms),
    ],
}


# ---- the tables ----------------------------------------------------------------------------------------------------


class Cell:
    """What one column does in one row: how often it ran, how wrong it was, how often it raised."""

    def __init__(self) -> None:
        self.runs, self.worst, self.raised = 0, 0.0, 0

    def __str__(self) -> str:
        if self.raised == self.runs:
            return "raises"
        error = "< 1e-10" if self.worst < ROUNDING else f"**{self.worst:.1f}**"
        return f"{error}, {self.raised} of {self.runs} raise" if self.raised else error


class Results(NamedTuple):
    """`cells` by table, column, kind and row; `words` by column and message: how often, and where first."""

    cells: dict[tuple[str, str, str, str], Cell]
    words: dict[tuple[str, str], tuple[int, Case]]


def installed(peer: Peer) -> bool:
    """Whether its package is there."""
    try:
        return bool(version(peer.package))
    except PackageNotFoundError:
        return False


def compare() -> Results:
    """Every case through every column that is installed."""
    results = Results(defaultdict(Cell), {})
    for case in cases():
        x, dy = case.operands()
        gradients = loop(case.module(), x, dy)
        truths = {"gradients": gradients, "norms": squares(gradients)}
        for table, peers in TABLES.items():
            for peer in filter(installed, peers):
                _try(peer, case, (x, dy), truths[table], results.cells[table, peer.title, case.kind, case.row], results)
    return results


def _try(peer: Peer, case: Case, operands: tuple[Tensor, Tensor], truth: Found, cell: Cell, results: Results) -> None:
    cell.runs += 1
    try:
        cell.worst = max(cell.worst, apart(peer.call(case.module(), *operands), truth))
    except Exception as refusal:  # whatever a library raises is its answer
        cell.raised += 1
        key = peer.title, spoken(refusal)
        count, first = results.words.get(key, (0, case))
        results.words[key] = count + 1, first


def apart(found: Found, truth: Found) -> float:
    """The largest difference, relative to the largest entry of its parameter's truth."""
    if {name: value.shape for name, value in found.items()} != {name: value.shape for name, value in truth.items()}:
        return inf
    return max(((found[name].detach() - true).abs().max() / true.abs().max()).item() for name, true in truth.items())


def spoken(refusal: Exception) -> str:
    """The first line of an error, without its numbers: they vary with the case."""
    line = str(refusal).strip().partition("\n")[0]
    return f"{type(refusal).__name__}: {re.sub(r'(?<![A-Za-z_0-9])[0-9]+(, [0-9]+)*', '…', line)}"


def blocks(results: Results) -> dict[str, str]:
    """What the page has between its marks, by name."""
    found = {table: _table(table, results) for table in TABLES}
    words = results.words.items()
    found["words"] = "\n".join(
        f"- {title}: `{said}`, {n} times, first at `{case}`" for (title, said), (n, case) in words
    )
    packages = dict.fromkeys(peer.package for peers in TABLES.values() for peer in filter(installed, peers))
    found["versions"] = "\n".join(f"- {package} {version(package).partition('+')[0]}" for package in packages)
    return found


def _table(table: str, results: Results) -> str:
    titles = [peer.title for peer in TABLES[table] if installed(peer)]
    lines = [["weights", "padding", *titles], ["---"] * (2 + len(titles))]
    for kind, row in product(SIZES, ROWS):
        lines.append([kind, row, *(str(results.cells[table, title, kind, row]) for title in titles)])
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def renewed(page: str, found: dict[str, str]) -> str:
    """The page with each block between its marks."""
    for name, block in found.items():
        begin, end = f"<!-- {name} -->\n", f"<!-- /{name} -->"
        before, _, rest = page.partition(begin)
        page = f"{before}{begin}\n{block}\n\n{end}{rest.partition(end)[2]}"
    return page


@click.command(help=__doc__)
@click.option("--write", is_flag=True, help="Renew docs/per-sample-peers.md instead of printing.")
def main(write: bool) -> None:
    """Print the tables or renew the page."""
    missing = dict.fromkeys(peer.package for peers in TABLES.values() for peer in peers if not installed(peer))
    if missing:
        click.echo(f"not installed, left out: {', '.join(missing)}", err=True)
        if write:
            raise click.ClickException("the page shows all of them")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of hooks that are deprecated
        found = blocks(compare())
    if write:
        PAGE.write_text(renewed(PAGE.read_text(), found))
    else:
        click.echo("\n\n".join(found.values()))


if __name__ == "__main__":
    main()
