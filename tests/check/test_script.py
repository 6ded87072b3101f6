"""Flat scripts: what is wrong in each, in words and in a line to paste; the oracle is autograd in the test itself."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from more_scripts import FRESH
from scripts import MORE, SCRIPTS, Script
from torch import Tensor

from handgrad import HandgradError
from handgrad._check.report import Gradient, Report
from handgrad._check.request import Request
from handgrad._check.script import check_script, trace_script
from handgrad._check.target import check_target

BY_NAME = {script.name: script for script in SCRIPTS}
_REPORTS: dict[str, Report] = {}


@pytest.fixture
def write(tmp_path: Path) -> Any:
    def write(source: str) -> str:
        path = tmp_path / "posted.py"
        path.write_text(source)
        return str(path)

    return write


def report_of(script: Script, write: Any) -> Report:
    """The report on a script at its own batch, made once."""
    if script.name not in _REPORTS:
        path = write(script.source.replace("BATCH", str(script.batch)))
        _REPORTS[script.name] = check_script(path, script.output, script.grad_output, script.wrt)
    return _REPORTS[script.name]


class Inputs(dict[str, Any]):
    """A script's tensors as leaves of autograd, by attribute."""

    def __getattr__(self, name: str) -> Tensor:
        return self.__getitem__(name)

    def __missing__(self, name: str) -> Tensor:
        value: Any = eval(name, self.names)
        self[name] = torch.as_tensor(value).detach().clone().double().requires_grad_()
        return self[name]

    names: dict[str, Any]


def run(source: str) -> dict[str, Any]:
    """The names of a script, run in float64."""
    names: dict[str, Any] = {}
    torch.set_default_dtype(torch.float64)
    try:
        torch.manual_seed(0)
        exec(compile(source, "pasted.py", "exec"), names)
    finally:
        torch.set_default_dtype(torch.float32)
    return names


def autograd(script: Script, names: dict[str, Any], name: str) -> Tensor:
    inputs = Inputs()
    inputs.names = names
    output = script.forward(inputs)
    grad_output = torch.as_tensor(names[script.grad_output]) if script.grad_output else torch.ones_like(output)
    (gradient,) = torch.autograd.grad(output, [inputs[name]], grad_output.reshape(output.shape))
    return gradient


def pasted(source: str, fix: str, line_of_finding: int) -> str:
    """The source with each line of a fix in place of the one that assigns the same, or at the end.

    Where several do, it is the one that the finding points at, or the last.
    """
    lines = source.splitlines()
    for line in fix.splitlines():
        target = re.split(r" \+?= ", line)[0].replace(" ", "")
        same = [i for i, old in enumerate(lines) if re.split(r" \+?= ", old.strip())[0].replace(" ", "") == target]
        if same:
            at = line_of_finding - 1 if line_of_finding - 1 in same else same[-1]
            indent = len(lines[at]) - len(lines[at].lstrip())
            lines[at] = " " * indent + line
        else:
            lines.append(line)
    return "\n".join(lines)


def gradient_of(report: Report, name: str) -> Gradient:
    return next(gradient for gradient in report.gradients if gradient.name == name)


CLAIMS = [(script.name, name) for script in SCRIPTS for name in script.wrt]


@pytest.mark.parametrize(("script", "name"), CLAIMS)
def test_causes(script: str, name: str, write: Any) -> None:
    gradient = gradient_of(report_of(BY_NAME[script], write), name)
    wanted = BY_NAME[script].causes[name]
    assert tuple(finding.cause for finding in gradient.findings) == wanted
    assert gradient.verdict == ("wrong" if wanted else "correct")


FIXED = [(s.name, name) for s in SCRIPTS for name, causes in s.causes.items() if causes and s.fixed]


@pytest.mark.parametrize("batch", [1, 3])
@pytest.mark.parametrize(("script", "name"), FIXED)
def test_fix_runs_and_equals_autograd(script: str, name: str, batch: int, write: Any) -> None:
    case = BY_NAME[script]
    gradient = gradient_of(report_of(case, write), name)
    fix, place = gradient.fix, gradient.findings[0].location
    assert fix is not None
    assert place is not None
    if "BATCH" not in case.source:
        batch = case.batch
    source = pasted(case.source.replace("BATCH", str(batch)), fix, place.line)
    names = run(_without_other_claims(source, case, name))
    value = torch.as_tensor(eval(case.wrt[name], names))
    wanted = autograd(case, names, name)
    assert value.shape == wanted.shape
    torch.testing.assert_close(value.double(), wanted, rtol=1e-9, atol=1e-9)


def _without_other_claims(source: str, case: Script, name: str) -> str:
    """The source without the lines of claims that are themselves wrong, since those may raise at another batch."""
    others = {e for n, e in case.wrt.items() if n != name and case.causes[n] and e != case.wrt[name]}
    return "\n".join(line for line in source.splitlines() if line.split(" = ")[0] not in others)


@pytest.mark.parametrize("more", MORE + FRESH, ids=[more[0] for more in MORE + FRESH])
def test_first_cause(more: Any, write: Any) -> None:
    _, source, output, grad_output, wrt, first = more
    report = check_script(write(source), output, grad_output, wrt)
    found = {g.name: g.findings[0].cause for g in report.gradients if g.findings}
    assert found == first
    assert report.verdict == ("wrong" if first else "correct")


def test_the_question_in_full(write: Any) -> None:
    report = report_of(BY_NAME["question"], write)
    weight, image = report.gradients
    assert report.verdict == "wrong"
    assert weight.fix == "grads_weights = (grads_output @ img_unfolded.mT).sum(0).view_as(kernel)"
    assert weight.shape == (784, 9, 784)
    assert weight.expected_shape == (1, 1, 3, 3)
    latent = [finding for finding in weight.findings if finding.evidence.get("latent")]
    assert [finding.cause for finding in latent] == ["missing-batch-sum"]
    assert "when the batch is larger than 1" in latent[0].message
    assert {finding.location.line for finding in weight.findings if finding.location} == {10}
    assert image.note == "`grads_next_layer` is right with respect to `img_unfolded` (1, 9, 784)"
    assert image.findings[0].evidence["right_for"] == "img_unfolded"
    assert image.fix is not None
    assert "torch.nn.functional.fold(" in image.fix


def test_trace_of_the_question(write: Any) -> None:
    trace = report_of(BY_NAME["question"], write).trace
    by_name = {entry["name"]: entry for entry in trace}
    assert by_name["img_unfolded"]["shape"] == [1, 9, 784]
    assert by_name["grads_weights"]["line"] == 10
    assert by_name["grads_weights"]["text"] == "grads_weights = img_unfolded.T.matmul(output)"
    assert "reverses all 3 axes" in by_name["grads_weights"]["note"]
    assert by_name["output"]["note"] is None


def test_right_for_the_posted_sizes_only(write: Any) -> None:
    source = """
import torch
x = torch.randn(1, 4)
w = torch.randn(4, 3)
b = torch.randn(3)
y = x @ w + b
g = torch.randn(1, 3)
dw = x.T @ g
db = g.squeeze(0)
"""
    report = check_script(write(source), "y", "g", {"w": "dw", "b": "db"})
    assert report.ok  # for the script as posted; no finding, but a note
    weight, bias = report.gradients
    assert (weight.note, bias.findings) == (None, ())
    assert bias.note == "right for your sizes, wrong when the batch is larger than 1: missing-batch-sum"
    assert bias.fix == "db = g.sum(0)"


def test_a_shape_is_wrong_at_every_size(write: Any) -> None:
    source = """
import torch
x, t, w = torch.randn(8, 3), torch.randn(8, 1), torch.randn(3, 1)
pred = x @ w
loss = ((pred - t) ** 2).sum()
gw = (x * 2 * (pred - t)).sum(0)
"""
    (gradient,) = check_script(write(source), "loss", None, {"w": "gw"}).gradients
    (finding,) = gradient.findings
    assert finding.cause == "wrong-rank"
    assert "latent" not in finding.evidence
    assert "hide" not in finding.message


def test_a_dilation_that_should_be_a_stride_does_not_run(write: Any) -> None:
    source = """
import torch
import torch.nn.functional as F
x, w = torch.randn(2, 3, 17), torch.randn(4, 3, 3)
y = F.conv1d(x, w, dilation=2)
g = torch.randn(2, 4, 13)
gw = F.conv1d(x.transpose(0, 1), g.transpose(0, 1), dilation=2).transpose(0, 1)
"""
    report = check_script(write(source), "y", "g", {"w": "gw"})
    assert report.verdict == "error"
    assert [finding.cause for finding in report.gradients[0].findings] == ["stride-dilation-swapped"]
    assert report.gradients[0].fix == "gw = F.conv1d(x.transpose(0, 1), g.transpose(0, 1), stride=2).transpose(0, 1)"


def test_failing_line_ends_the_trace_and_keeps_the_exception(write: Any) -> None:
    source = """
import torch
x = torch.randn(4, 5)
w = torch.randn(5, 3)
y = x @ w
z = y @ w
late = z + 1
"""
    report = trace_script(write(source))
    assert report.verdict == "error"
    assert [entry["name"] for entry in report.trace] == ["x", "w", "y"]
    assert report.message is not None
    assert "RuntimeError: mat1 and mat2 shapes cannot be multiplied (4x3 and 5x3)" in report.message
    assert "in `y @ w`: y (4, 3), w (5, 3)" in report.message
    assert "in `y @ w` the inner sizes 3 and 5 disagree" in report.message


def test_axes_have_their_meaning(write: Any) -> None:
    source = """
import torch
img = torch.randn(2, 3, 6, 5)
kernel = torch.randn(4, 3, 3, 3)
columns = torch.nn.Unfold(3)(img)
output = kernel.view(4, -1) @ columns
grads_output = torch.randn(2, 4, 12)
dkernel = columns.mT @ grads_output
"""
    report = check_script(write(source), "output", "grads_output", {"kernel": "dkernel"})
    assert "the inner sizes 27 and 4 disagree: (2, 12, 27) = (N, L, C·K) times (2, 4, 12)" in str(report.message)
    assert [finding.cause for finding in report.gradients[0].findings] == ["wrong-operand-order", "missing-batch-sum"]


def test_failing_claim_is_repaired_all_the_same(write: Any) -> None:
    report = report_of(BY_NAME["attention"], write)
    assert report.verdict == "error"
    assert "in `g @ q`: g (2, 4, 5), q (2, 4, 6)" in str(report.message)
    assert gradient_of(report, "k").fix == "dk = g.mT @ q"


@pytest.mark.parametrize(
    ("line", "kind"),
    [("raise SystemExit(3)", "SystemExit: 3"), ("y = (", "SyntaxError"), ("raise KeyError('w')", "KeyError: 'w'")],
)
def test_whatever_a_script_raises_is_reported(line: str, kind: str, write: Any) -> None:
    report = check_script(write(f"import torch\nx = torch.ones(3)\n{line}\n"), "y", None, {"x": "dx"})
    assert report.verdict == "error"
    assert kind in str(report.message)


def test_unknown_names_list_those_there_are(write: Any) -> None:
    path = write("import torch\nx = torch.ones(3)\ny = x * 2\ndx = torch.ones(3) * 2\ng = torch.ones(3)\n")
    with pytest.raises(HandgradError, match=r"no variable `z`[\s\S]*variables: dx, g, torch, x, y"):
        check_script(path, "y", "g", {"z": "dx"})
    with pytest.raises(HandgradError, match="no variable `out`"):
        check_script(path, "out", "g", {"x": "dx"})
    with pytest.raises(HandgradError, match="no variable `gradx`"):
        check_script(path, "y", "g", {"x": "gradx"})
    with pytest.raises(HandgradError, match="`y` is no scalar, so it takes a --grad-output"):
        check_script(path, "y", None, {"x": "dx"})


def test_grad_output_of_another_shape(write: Any) -> None:
    path = write("import torch\nx = torch.ones(3)\ny = x * 2\ng = torch.ones(3, 1)\ndx = 2 * g\n")
    with pytest.raises(HandgradError, match="`g` does not have the shape of `y`"):
        check_script(path, "y", "g", {"x": "dx"})


def test_not_a_tensor(write: Any) -> None:
    path = write("import torch\nx = 'three'\ny = torch.ones(3)\ng = torch.ones(3)\ndx = g\n")
    with pytest.raises(HandgradError, match="`x` is not a tensor of floating-point numbers"):
        check_script(path, "y", "g", {"x": "dx"})


def test_forward_that_autograd_does_not_see_is_differenced(write: Any) -> None:
    source = """
import torch
x = torch.randn(4, 3)
w = torch.randn(3, 2)
y = torch.from_numpy(x.detach().numpy() @ w.detach().numpy())
g = torch.randn(4, 2)
dw = x.T @ g
dx = g @ w.T * 3
"""
    report = check_script(write(source), "y", "g", {"w": "dw", "x": "dx"})
    assert [gradient.verdict for gradient in report.gradients] == ["correct", "wrong"]
    assert report.gradients[1].findings[0].cause == "scale-factor"


def test_partial_autograd_is_not_believed(write: Any) -> None:
    source = """
import torch
x = torch.randn(4, 3)
y = x * x.detach()
g = torch.randn(4, 3)
dx = 2 * x * g
"""
    assert check_script(write(source), "y", "g", {"x": "dx"}).ok


def test_float32_and_unseeded_scripts_are_no_finding(write: Any) -> None:
    source = """
import numpy as np
rng = np.random.default_rng()
x = rng.standard_normal((6, 4)).astype(np.float32)
w = np.random.rand(4, 3).astype('float32')
y = np.exp(x @ w)
dy = np.random.randn(6, 3).astype(np.float32)
dw = x.T @ (dy * y)
"""
    assert check_script(write(source), "y", "dy", {"w": "dw"}).ok


def test_printing_goes_to_standard_error_once(write: Any, capsys: pytest.CaptureFixture[str]) -> None:
    source = "import torch\nx = torch.ones(3)\ny = x * 2\nprint('hello')\ng = torch.ones(3)\ndx = 2 * g\n"
    assert check_script(write(source), "y", "g", {"x": "dx"}).ok
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err == "hello\n"


def test_nothing_is_left_behind(write: Any) -> None:
    before = torch.get_default_dtype(), torch.get_rng_state(), np.random.get_state()[1].tolist()  # type: ignore[union-attr]
    report_of(BY_NAME["linear_mean"], write)
    check_script(write(BY_NAME["linear_mean"].source.replace("BATCH", "5")), "out", "grad_out", {"weight": "grad_x"})
    assert torch.get_default_dtype() == before[0]
    assert torch.equal(torch.get_rng_state(), before[1])
    assert np.random.get_state()[1].tolist() == before[2]  # type: ignore[union-attr]


def test_trace_notes_broadcasting_and_loops(write: Any) -> None:
    source = """
import torch
y = torch.randn(4, 1)
t = torch.randn(4)
d = y - t
total = torch.zeros(1)
for i in range(3):
    total = total + i
"""
    trace = {entry["text"]: entry for entry in trace_script(write(source)).trace}
    assert "(4, 1) and (4,) are broadcast to (4, 4)" in trace["d = y - t"]["note"]
    assert trace["total = total + i"]["note"] == "first of 3 times"


def test_a_line_that_goes_is_part_of_the_fix(write: Any) -> None:
    source = BY_NAME["updated_weight"].source.replace("BATCH", "3").replace("dh * (1 - h ** 2)", "dh")
    source = source.replace("np.tanh(x @ W1)", "np.maximum(0, x @ W1)")
    (gradient,) = check_script(write(source), "y", "dy", {"W1": "dW1"}).gradients
    assert [finding.cause for finding in gradient.findings] == ["updated-weight", "mask-missing"]
    assert gradient.fix is not None
    assert gradient.fix.splitlines()[0] == "# without `W2 -= 0.1 * dW2` before it"


def test_a_scalar_output_needs_no_grad_output(write: Any) -> None:
    path = write(BY_NAME["mse_factor"].source.replace("BATCH", "4"))
    report = check_target(Request(path, output="loss", wrt=("w=dw",)))
    assert [finding.cause for finding in report.findings] == ["scale-factor"]
    with pytest.raises(HandgradError, match="a flat script needs --output and --wrt VARIABLE=GRADIENT"):
        check_target(Request(path, wrt=("w=dw",)))


def test_a_trace_says_that_nothing_was_checked(write: Any) -> None:
    report = trace_script(write("import torch\nx = torch.randn(3, 4)\ny = x @ x.T\n"))
    assert report.verdict == "inconclusive"
    assert "no gradient was checked: 2 tensor lines; name gradients with --output" in str(report)


def test_verbose_keeps_the_arrays(write: Any) -> None:
    path = write("import torch\nx = torch.ones(2)\ny = 2 * x\ng = torch.ones(2)\ndx = 3 * g\n")
    (finding,) = check_target(Request(path, output="y", grad_output="g", wrt=("x=dx",), verbose=True)).findings
    assert finding.evidence["user_values"] == [3.0, 3.0]
    assert finding.evidence["true_values"] == [2.0, 2.0]
    (finding,) = check_target(Request(path, output="y", grad_output="g", wrt=("x=dx",))).findings
    assert "true_values" not in finding.evidence


@pytest.mark.parametrize(
    ("n", "i", "o", "line", "cause"),
    [
        (4, 4, 4, "dw = x.T @ dy / len(x)", "mean-instead-of-sum"),
        (4, 4, 4, "dw = x.T @ dy / x.shape[1]", "scale-factor"),
        (5, 3, 2, "dw = x.T @ dy / dy.shape[1]", "scale-factor"),
    ],
)
def test_constant_of_sizes_that_are_all_alike(n: int, i: int, o: int, line: str, cause: str, write: Any) -> None:
    source = f"""
import torch

x = torch.randn({n}, {i})
w = torch.randn({i}, {o})
y = x @ w
dy = torch.randn(*y.shape)
{line}
"""
    report = check_script(write(source), output="y", grad_output="dy", wrt={"w": "dw"})
    assert [finding.cause for finding in report.findings] == [cause]


def test_image_transposed_is_no_kernel_transposed(write: Any) -> None:
    source = """
import torch
import torch.nn.functional as F

x = torch.randn(1, 1, 8, 8)
w = torch.randn(1, 1, 3, 3)
y = F.conv2d(x, w, padding=1)
dy = torch.randn(*y.shape)
dx = F.conv_transpose2d(dy.transpose(2, 3), w, padding=1)
dw = torch.nn.grad.conv2d_weight(x, w.shape, dy, padding=1).mT
"""
    report = check_script(write(source), output="y", grad_output="dy", wrt={"x": "dx", "w": "dw"})
    causes = [gradient_of(report, name).findings[0].cause for name in ("x", "w")]
    assert causes == ["height-width-swapped", "kernel-axes-transposed"]
