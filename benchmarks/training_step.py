"""One training step of a whole network: explicit layers against autograd, in time and in peak memory.

    python benchmarks/training_step.py [--network cnn,resnet20] [--against eager,channels-last,compile] [--batch 64]

The CNN has convolutions 1 → 32 → 64 on 28², as in MNIST tutorials; ResNet-20 is CIFAR's (He et al. 2015, section 4.2,
with projections as shortcuts) on 32². A step is the forward pass, the backward pass and SGD with momentum. All start
from the same weights; before it is timed, each must have made the step that autograd makes in float64. Explicit
training frees each activation when its backward pass has run, and computes again what follows from others that are
kept. All run as in `handgrad train`: memory that is freed stays in the process, whose pages are handed out only once.

Memory is what one step takes beyond weights, momentum and images: each contestant in a process of its own, which gives
back what is freed, after two steps. `compile` needs a C++ compiler; whoever cannot run is named and left out.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import click
import torch
import torch.nn.functional as F
from rich.console import Console
from rich.table import Table
from torch import Tensor, nn

import handgrad as hg
from handgrad import layers
from handgrad._bench import memory
from handgrad._bench.race import race
from handgrad._training.memory import keep_freed

Step = Callable[[], object]
SGD = {"lr": 1e-3, "momentum": 0.9}
ROUNDING = 0.03  # where a ReLU's input is 0 but for rounding its gradient flips; ResNet-20's change moves by up to 0.01


def cnn() -> layers.Sequential:
    """(N, 1, 28, 28) → (N, 10)."""
    return layers.Sequential(
        layers.Sequential(layers.Conv2d(1, 32, 3, padding=1), layers.ReLU(), layers.MaxPool2d(2)),
        layers.Sequential(layers.Conv2d(32, 64, 3, padding=1), layers.ReLU(), layers.MaxPool2d(2)),
        layers.Flatten(),
        layers.Linear(64 * 7 * 7, 10),
    )


def resnet20() -> layers.Sequential:
    """(N, 3, 32, 32) → (N, 10): a convolution, nine blocks of two, one linear layer."""
    blocks = [
        _block(C, O, 1 + (O > C)) for C, O in ((16, 16),) * 3 + ((16, 32), *((32, 32),) * 2, (32, 64), *((64, 64),) * 2)
    ]
    return layers.Sequential(
        layers.Sequential(*_conv_norm(3, 16, 3, 1), layers.ReLU()),
        *blocks,
        layers.AdaptiveAvgPool2d(1),
        layers.Flatten(),
        layers.Linear(64, 10),
    )


def _conv_norm(C: int, O: int, kernel: int, stride: int) -> tuple[layers.Layer, ...]:
    return layers.Conv2d(C, O, kernel, stride, kernel // 2, bias=False), layers.BatchNorm2d(O)


def _block(C: int, O: int, stride: int) -> layers.Sequential:
    body = layers.Sequential(*_conv_norm(C, O, 3, stride), layers.ReLU(), *_conv_norm(O, O, 3, 1))
    shortcut = layers.Sequential(*_conv_norm(C, O, 1, stride)) if C != O else None
    return layers.Sequential(layers.Residual(body, shortcut), layers.ReLU())


NETWORKS = {"cnn": (cnn, (1, 28, 28)), "resnet20": (resnet20, (3, 32, 32))}


def explicit(net: layers.Sequential, images: Tensor, labels: Tensor) -> tuple[nn.Module, Step]:
    """No autograd: what a layer keeps goes when its backward pass has run, and nobody asks for the images' gradient.

    In channels-last, which the layers keep and in which pooling and the framework's own convolutions are faster.
    """
    net, images = net.to(memory_format=torch.channels_last), images.to(memory_format=torch.channels_last)
    optimizer = torch.optim.SGD(net.parameters(), **SGD)

    def step() -> None:
        output, backward = net(images)
        _, loss_backward = hg.losses.cross_entropy(output, labels)
        backward(loss_backward(), needs_input=False, once=True)
        optimizer.step()
        optimizer.zero_grad()

    return net, step


def eager(net: layers.Sequential, images: Tensor, labels: Tensor) -> tuple[nn.Module, Step]:
    """Autograd, as in every tutorial."""
    module = layers.to_torch(net)
    return module, _by_autograd(module, lambda: F.cross_entropy(module(images), labels))


def channels_last(net: layers.Sequential, images: Tensor, labels: Tensor) -> tuple[nn.Module, Step]:
    """The same, network and images in channels-last."""
    module = layers.to_torch(net).to(memory_format=torch.channels_last)
    images = images.to(memory_format=torch.channels_last)
    return module, _by_autograd(module, lambda: F.cross_entropy(module(images), labels))


def compiled(net: layers.Sequential, images: Tensor, labels: Tensor) -> tuple[nn.Module, Step]:
    """The same through `torch.compile`, forward and backward."""
    module = layers.to_torch(net)
    loss = torch.compile(lambda images: F.cross_entropy(module(images), labels))
    return module, _by_autograd(module, lambda: loss(images))


def _by_autograd(module: nn.Module, loss: Callable[[], Tensor]) -> Step:
    optimizer = torch.optim.SGD(module.parameters(), **SGD)

    def step() -> None:
        optimizer.zero_grad()
        loss().backward()
        optimizer.step()

    return step


CONTESTANTS = {"handgrad": explicit, "eager": eager, "channels-last": channels_last, "compile": compiled}


def enter(name: str, network: str, batch: int) -> tuple[nn.Module, Step]:
    """A contestant's network, always with the same weights and images, and its step."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        make, size = NETWORKS[network]
        net, images, labels = make(), torch.randn(batch, *size), torch.randint(10, (batch,))
    return CONTESTANTS[name](net, images, labels)


def check(name: str, network: str, batch: int) -> tuple[Step, float]:
    """The contestant's step after its first one, whose error against autograd in float64 is returned too.

    The error is that of the whole change of the weights, relative. Raises `ValueError` if it is more than rounding.
    """
    module, step = enter(name, network, batch)
    before = _weights(module)
    step()
    change, wanted = _weights(module) - before, _true_change(network, batch)
    error = float((change - wanted).norm() / wanted.norm())
    if not error < ROUNDING:
        raise ValueError(f"the weights' change is off by {error:.1e}")
    return step, error


def _true_change(network: str, batch: int) -> Tensor:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        make, size = NETWORKS[network]
        net, images, labels = make(), torch.randn(batch, *size), torch.randint(10, (batch,))
    module, step = eager(net.double(), images.double(), labels)
    before = _weights(module)
    step()
    return _weights(module) - before


def _weights(module: nn.Module) -> Tensor:
    """All in one vector, a copy; a layer and its ordinary module have them in the same order."""
    return torch.cat([weight.detach().double().flatten() for weight in module.parameters()])


def peak_memory(name: str, network: str, batch: int, threads: int) -> int:
    """Bytes that one step takes, in a process of its own."""
    command = [sys.executable, __file__, "--network", network, "--batch", batch, "--threads", threads, "--grown", name]
    done = subprocess.run(
        [str(part) for part in command], capture_output=True, text=True, check=True, env=os.environ | memory.ENVIRONMENT
    )
    return int(done.stdout.splitlines()[-1])


def grown(name: str, network: str, batch: int) -> int:
    """In this process: by how much the largest resident set grows in the third step."""
    _, step = enter(name, network, batch)
    step()
    step()
    return memory.growth(step)[1]


def measure(network: str, names: list[str], batch: int, threads: int, seconds: float) -> dict[str, dict[str, object]]:
    """Everybody's error, fastest and median seconds, and bytes; or the reason why not."""
    found: dict[str, dict[str, object]] = {}
    steps: dict[str, Step] = {}
    for name in names:
        try:
            steps[name], error = check(name, network, batch)
            found[name] = {"error": error, "bytes": peak_memory(name, network, batch, threads)}
        except Exception as problem:  # a compiler that is not there, for one: the others go on
            found[name] = {"reason": f"{type(problem).__name__}: {str(problem).strip().partition(chr(10))[0]}"}
            steps.pop(name, None)
    for name, times in race(steps, seconds, repeats=5).items():
        found[name] |= {"best": min(times), "median": sorted(times)[len(times) // 2], "steps": len(times)}
    return found


def show(network: str, batch: int, found: dict[str, dict[str, object]]) -> None:
    """A table, handgrad's advantage in time and memory beside each of the others; below it who was left out."""
    table = Table("", title=f"{network}, batch {batch}")
    for column in ("fastest ms", "median ms", "handgrad ×", "MiB", "handgrad's share"):
        table.add_column(column, justify="right")
    ours = found["handgrad"]
    for name, result in found.items():
        if "reason" not in result:
            times = (f"{1e3 * result[key]:.1f}" for key in ("best", "median"))
            compared = ("–", "–")
            if "reason" not in ours:
                compared = (f"{result['best'] / ours['best']:.2f}", f"{ours['bytes'] / max(1, result['bytes']):.2f}")
            table.add_row(name, *times, compared[0], f"{result['bytes'] / 2**20:.1f}", compared[1])
    Console().print(table)
    for name, result in found.items():
        if "reason" in result:
            click.echo(f"left out: {name}: {result['reason']}")


@click.command()
@click.option("--network", default="cnn,resnet20", help="One or both.")
@click.option("--against", default="eager,channels-last,compile", help="Who else.")
@click.option("--batch", type=click.IntRange(1), default=64)
@click.option("--threads", type=click.IntRange(1), default=torch.get_num_threads)
@click.option("--seconds", type=float, default=3.0, help="For each contestant.")
@click.option("--json", "file", type=click.Path(path_type=Path, dir_okay=False), help="Write what was measured.")
@click.option("--grown", "one", hidden=True, help="Print the bytes that this one takes, and nothing else.")
def main(network: str, against: str, batch: int, threads: int, seconds: float, file: Path | None, one: str) -> None:
    """Race one training step."""
    torch.set_num_threads(threads)
    if one:
        print(grown(one, network, batch))
        return
    keep_freed()
    whole = {}
    for name in _known(network, NETWORKS):
        names = ["handgrad", *_known(against, CONTESTANTS)]
        whole[name] = measure(name, names, batch, threads, seconds)
        show(name, batch, whole[name])
    if file:
        file.write_text(json.dumps({"batch": batch, "threads": threads, "networks": whole}, indent=1) + "\n")


def _known(text: str, known: dict[str, object]) -> list[str]:
    names = text.split(",")
    for name in names:
        if name not in known:
            raise click.BadParameter(f"{name!r} is none of {', '.join(known)}")
    return names


if __name__ == "__main__":
    main()
