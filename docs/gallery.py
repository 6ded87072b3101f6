"""The pages of the gallery, made when the site is built (a hook of MkDocs), or into a folder: `gallery.py FOLDER`."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import torch
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files

import handgrad as hg

QUESTION = """import torch

torch.manual_seed(0)
img = torch.randn(1, 1, 28, 28)
kernel = torch.randn(1, 1, 3, 3)
img_unfolded = torch.nn.Unfold(3, padding=1)(img)
output = kernel.view(1, -1).matmul(img_unfolded)
grads_output = torch.randn(1, 1, 784)

grads_weights = img_unfolded.T.matmul(output)
"""


def law() -> hg.Trace:
    """The numbers of the derivation."""
    x = torch.tensor([[2, 7, 1, 8, 2, 8, 1, 8, 2]])
    w, dy = torch.tensor([[[1, 3, -2]]]), torch.tensor([[1, 10, 100]])
    return hg.explain(x, w, grad_output=dy, stride=3, dilation=2, padding=1, title="One axis")


def question() -> hg.Trace:
    """The question's own line, beside the right gradient, with what the check says about it."""
    names: dict[str, torch.Tensor] = {}
    exec(QUESTION.replace(".T.", ".permute(2, 1, 0)."), names)  # the same, without the framework's warning
    with tempfile.TemporaryDirectory() as folder:
        script = Path(folder) / "question.py"
        script.write_text(QUESTION)
        wrt = {"kernel": "grads_weights"}
        report = hg.check(script, output="output", grad_output="grads_output", wrt=wrt)
    dy = names["grads_output"].view(1, 1, 28, 28)
    title = "The question: a gradient of (784, 9, 784)"
    trace = hg.explain(names["img"], names["kernel"], grad_output=dy, padding=1, title=title)
    return trace.compare(weight=names["grads_weights"], findings=report.findings)


def digit() -> hg.Trace:
    """A hand-drawn seven, and four kernels that look for edges."""
    image = torch.zeros(28, 28)
    image[5:8, 6:21] = torch.tensor([0.6, 1.0, 0.8]).view(3, 1)
    for step in range(15):
        image[8 + step, 18 - step // 2 : 21 - step // 2] = torch.tensor([0.7, 1.0, 0.6])
    edges = torch.tensor([[[-1, -2, -1], [0, 0, 0], [1, 2, 1]], [[-1, 0, 1], [-2, 0, 2], [-1, 0, 1]]])
    return hg.explain(image.view(1, 1, 28, 28), edges.unsqueeze(1), (2,), padding=1, title="A digit, 28×28")


def flipped() -> hg.Trace:
    """A weight gradient that is turned around."""
    trace = hg.explain((1, 2, 5, 6), (3, 2, 3, 2), stride=2, title="A weight gradient that is turned around")
    return trace.compare(weight=trace["grad_weight"].flip(2, 3))


def lost() -> hg.Trace:
    """A batch of which one sample is left."""
    trace = hg.explain((2, 1, 4, 4), (1, 1, 2, 2), title="A batch of which one sample is left")
    first = hg.explain(trace["input"][:1], trace["weight"], grad_output=trace["grad_output"][:1])
    return trace.compare(weight=first["grad_weight"])


PAGES: dict[str, Callable[[], hg.Trace]] = {
    "strided": lambda: hg.explain((1, 2, 5, 7), (3, 2, 3, 2), (3,), stride=2, title="Strided, several channels"),
    "padded": lambda: hg.explain((1, 1, 4, 4), (1, 1, 3, 3), (1,), padding=1, title="Padded: where windows overlap"),
    "dilated": lambda: hg.explain(
        (1, 4, 6, 6), (2, 2, 2, 2), dilation=(2, 3), groups=2, title="Dilated, in two groups"
    ),
    "reflect": lambda: hg.explain((1, 1, 4, 5), (1, 1, 3, 3), padding=1, padding_mode="reflect", title="Reflected"),
    "transposed": lambda: hg.explain(
        (1, 2, 2, 3), (2, 1, 3, 3), (1,), stride=2, padding=1, transposed=True, title="Transposed: roles exchanged"
    ),
    "slices": lambda: hg.explain((1, 1, 3, 4, 4), (2, 1, 2, 2, 2), stride=(1, 2, 2), title="Three axes, as slices"),
    "batch": lambda: hg.explain((3, 2, 6), (2, 2, 3), (2,), title="A batch of sequences"),
    "large": lambda: hg.explain((1, 64, 28, 28), (64, 64, 3, 3), padding=1, title="Too large to be shown whole"),
    "law": law,
    "digit": digit,
    "question": question,
    "flipped": flipped,
    "lost": lost,
}


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """MkDocs asks this once it knows its own files."""
    for name, trace in PAGES.items():
        files.append(File.generated(config, f"explain/{name}.html", content=trace().to_html()))
    return files


if __name__ == "__main__":
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    for name, trace in PAGES.items():
        print(trace().save(folder / f"{name}.html"))
