"""Lines of PyTorch that compute each result, to copy: as loops, with columns, and as another convolution.

They run: after `setup`, each snippet computes one result by its symbol. Whatever the padding is, they work on the
padded image (`xp`, of a transposed convolution `dyp`) and crop or copy back at the end, so that between the two there
is the law alone.
"""

from __future__ import annotations

from .._geometry import spans
from .code_names import Names, loop_over, ranges, text, times
from .trace import Trace

FORMS = {
    "loops": "Loops over the law",
    "columns": "Columns and a matrix product",
    "convolution": "As another convolution",
}
_NUMBERS = 600  # of all operands together, in `setup`


def setup(trace: Trace) -> str:
    """The imports, and the operands: their numbers, or tensors of their sizes where these are many."""
    lines = ["from itertools import product", "import torch", "import torch.nn.functional as F", ""]
    names = [name for name in ("input", "weight", "bias", "grad_output") if name in trace.boxes]
    few = sum(trace[name].numel() for name in names) <= _NUMBERS
    for name in names:
        box = trace.boxes[name]
        whole = bool((box.values == box.values.round()).all())
        values = box.values.long().tolist() if whole else box.values.tolist()
        lines.append(
            f"{box.symbol} = torch.tensor({values}, dtype=torch.float64)"
            if few
            else f"{box.symbol} = torch.randn({', '.join(map(str, box.shape))}, dtype=torch.float64)  # {name}"
        )
    return text(lines)


def snippets(trace: Trace, result: str) -> dict[str, str]:
    """The code of one result in each form, and as `einsum` the product alone, to be run after `columns`."""
    names = Names(trace)
    if result == "grad_bias":
        return _bias(names)
    if result == "grad_weight":
        return _weight(names)
    return (_gather if result == trace.roles.gathered else _scatter)(names, result)


def _gather(names: Names, result: str) -> dict[str, str]:
    """y = w · cols."""
    geometry, y = names.trace.geometry, names.trace.boxes[result].symbol
    ones = ", ".join(["-1", *["1"] * names.dims])
    bias = result == "output" and "bias" in names.trace.boxes
    add = [f"y += b.view({ones})"] if bias else []
    together = ".flatten(1, 2)" if names.groups > 1 else ""
    conv = names.settings(geometry.stride, geometry.dilation) + names.grouped
    statement = f"{y}[{names.map_at}] += w[{names.weight_at}] * {names.image}p[{names.image_at}]"
    return {
        "loops": text([
            names.pad,
            f"{y} = torch.zeros({names.shape(result)}, dtype=w.dtype)",
            *names.loops(statement),
            *add,
        ]),
        "columns": text([
            names.pad,
            *names.unfold,
            names.rows,
            f"{y} = (rows @ {names.blocks('cols', 1)}){together}.view({names.shape(result)})",
            *add,
        ]),
        "convolution": text([names.pad, f"{y} = F.conv{names.dims}d({names.image}p, w{', b' if bias else ''}{conv})"]),
        "einsum": text([
            f'{y} = torch.einsum("{names.g}ok,n{names.g}kl->n{names.g}ol", rows, {names.blocks("cols", 1)})'
            f"{together}.view({names.shape(result)})",
            *add,
        ]),
    }  # fmt: skip


def _scatter(names: Names, result: str) -> dict[str, str]:
    """cols = wᵀ · dy, and dx is their fold."""
    trace, dx, dy = names.trace, names.trace.boxes[result].symbol, names.map
    ones = ", ".join(["-1", *["1"] * names.dims])
    bias = result == "output" and "bias" in trace.boxes
    end = names.unpad(dx) + ([f"y = y + b.view({ones})"] if bias else [])
    empty = f"{dx}p = torch.zeros({', '.join(map(str, (*names.padded[:2], *names.grid)))}, dtype=w.dtype)"
    statement = f"{dx}p[{names.image_at}] += w[{names.weight_at}] * {dy}[{names.map_at}]"
    together = ".flatten(1, 2)" if names.groups > 1 else ""
    windows = names.blocks(f"{dy}.flatten(2)", 1)
    return {
        "loops": text([empty, *names.loops(statement), *end]),
        "columns": text([names.rows, f"cols = (rows.mT @ {windows}){together}", *_fold(names, dx), *end]),
        "convolution": text([*_spread(names, dx), *end]),
        "einsum": text([
            f'cols = torch.einsum("{names.g}ok,n{names.g}ol->n{names.g}kl", rows, {windows}){together}',
            *_fold(names, dx),
            *end,
        ]),
    }  # fmt: skip


def _fold(names: Names, dx: str) -> list[str]:
    """Columns added to where they come from, on the padded grid."""
    geometry, padded = names.trace.geometry, (*names.padded[:2], *names.grid)
    if names.dims < 3:
        kernel, settings, flat = names.flat
        size = names.grid if names.dims == 2 else (1, *names.grid)
        return [f"{dx}p = F.fold(cols, {size}, {kernel}{settings}){'.squeeze(2)' if flat else ''}"]
    reach = ", ".join(
        f"{times(k, d)} : {times(k, d)} + {s * (length - 1) + 1} : {s}"
        for k, d, s, length in zip("klm", geometry.dilation, geometry.stride, geometry.output, strict=True)
    )
    return [
        f"cols = cols.view{(*padded[:2], *geometry.kernel, *geometry.output)}",
        f"{dx}p = torch.zeros({', '.join(map(str, padded))}, dtype=w.dtype)",
        f"for {names.k} in {loop_over(ranges(geometry.kernel))}:",
        f"    {dx}p[:, :, {reach}] += cols[:, :, {names.k}]",
    ]


def _spread(names: Names, dx: str) -> list[str]:
    """The convolution of dy with the kernel turned around: what was the stride is how far dy's entries are apart."""
    geometry, dy = names.trace.geometry, names.map
    spread = [stride * (length - 1) + 1 for stride, length in zip(geometry.stride, geometry.output, strict=True)]
    span = spans(geometry.kernel, geometry.dilation)
    beyond = [size - n - s + 1 for size, n, s in zip(names.grid, spread, span, strict=True)]
    ends = tuple(end for s, more in reversed(list(zip(span, beyond, strict=True))) for end in (s - 1, s - 1 + more))
    turned = f"w.flip({', '.join(str(2 + axis) for axis in range(names.dims))})"
    if names.groups > 1:
        turned += f".unflatten(0, ({names.groups}, -1)).transpose(1, 2).flatten(0, 1)"
    else:
        turned += ".transpose(0, 1)"
    apart, lines = dy, []
    if set(geometry.stride) != {1}:
        apart = f"{dy}s"
        shape = (*names.trace.boxes[names.trace.roles.map].shape[:2], *spread)
        lines = [f"{apart} = torch.zeros({', '.join(map(str, shape))}, dtype={dy}.dtype)  # a stride apart"]
        lines.append(f"{apart}[:, :, {', '.join(f'::{stride}' for stride in geometry.stride)}] = {dy}")
    settings = names.settings((1,) * names.dims, geometry.dilation) + names.grouped
    return [*lines, f"{dx}p = F.conv{names.dims}d(F.pad({apart}, {ends}), {turned}{settings})"]


def _weight(names: Names) -> dict[str, str]:
    """dw = Σ dy · colsᵀ; as a convolution stride and dilation change places, and so do samples and channels."""
    geometry, dy = names.trace.geometry, names.map
    statement = f"dw[{names.weight_at}] += {dy}[{names.map_at}] * {names.image}p[{names.image_at}]"
    windows, cols = names.blocks(f"{dy}.flatten(2)", 1), names.blocks("cols", 1)
    samples = f"{names.image}p.transpose(0, 1)"
    if names.groups > 1:  # (N, C, …) → (C/G, G·N, …)
        samples = f"{names.image}p.unflatten(1, ({names.groups}, -1)).transpose(0, 2).flatten(1, 2)"
    crop = ", ".join(f":{k}" for k in geometry.kernel)
    conv = names.settings(geometry.dilation, geometry.stride) + names.grouped
    return {
        "loops": text([names.pad, "dw = torch.zeros_like(w)", *names.loops(statement)]),
        "columns": text([names.pad, *names.unfold, f"dw = ({windows} @ {cols}.mT).sum(0).view(w.shape)"]),
        "convolution": text([
            names.pad,
            f"dw = F.conv{names.dims}d({samples}, {dy}.transpose(0, 1){conv})",
            f"dw = dw.transpose(0, 1)[:, :, {crop}]",
        ]),
        "einsum": text([
            f'dw = torch.einsum("n{names.g}ol,n{names.g}kl->{names.g}ok", {windows}, {cols}).view(w.shape)',
        ]),
    }  # fmt: skip


def _bias(names: Names) -> dict[str, str]:
    """db = Σ dy."""
    shape = names.trace.boxes["grad_output"].shape
    channels, grid = names.shape("bias"), ranges((*shape[:1], *shape[2:]))
    return {
        "loops": text([
            f"db = torch.zeros({channels}, dtype=dy.dtype)",
            f"for n, {names.p} in product({grid}):",
            f"    db += dy[n, :, {names.p}]",
        ]),
        "columns": text(["db = dy.flatten(2).sum((0, 2))"]),
        "convolution": text([
            f"ones = torch.ones(1, {shape[0]}, {', '.join(map(str, shape[2:]))}, dtype=dy.dtype)",
            f"db = F.conv{names.dims}d(dy.transpose(0, 1), ones).flatten()  # the whole of it is one window",
        ]),
        "einsum": text(['db = torch.einsum("nol->o", dy.flatten(2))']),
    }  # fmt: skip
