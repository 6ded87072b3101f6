"""What processes of their own do in the tests of handgrad's kernels; each function fails or returns.

python -c "import at_work; at_work.several_threads()"
"""

from __future__ import annotations

import json
import multiprocessing
import os
import signal
import subprocess
import sys
import threading
import warnings
from collections.abc import Callable, Sequence
from math import prod
from pathlib import Path

import torch
from geometries import drawn
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from handgrad._algorithms import gemm
from handgrad._errors import HandgradWarning
from handgrad._geometry import ConvGeometry

# So small that no operator of PyTorch takes a second thread: in a forked child each that does hangs, which is its own
SEEDS = [seed for seed in range(90) if max(map(prod, drawn(seed).sizes)) < 4000]


def run(
    call: str, module: str = "at_work", timeout: float = 300, **environment: str
) -> subprocess.CompletedProcess[str]:
    """A function of a module beside this one, in a process of its own; who hangs is killed: TimeoutExpired."""
    here = Path(__file__).parent
    sources = environment.get("PYTHONPATH", os.environ.get("PYTHONPATH", ""))
    path = os.pathsep.join([str(here), str(here.parent), sources])
    command = [sys.executable, "-c", f"import {module}; {module}.{call}"]
    environment = os.environ | environment | {"PYTHONPATH": path}
    process = subprocess.Popen(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
    )
    try:
        out, err = process.communicate(timeout=timeout)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)  # its children too
        raise
    return subprocess.CompletedProcess(command, process.returncode, out, err)


LINE = ConvGeometry((3,), (2,), (2,), (1,), (1,), ((0, 0),), 1)


def succeeds(call: str, module: str = "at_work", **environment: str) -> str:
    """What it printed."""
    done = run(call, module, **environment)
    assert done.returncode == 0, done.stderr
    return done.stdout


def computed(seed: int) -> list[Tensor]:
    """y, dw and dx of a drawn convolution."""
    case = drawn(seed)
    (x, w, dy), g = case.operands(torch.float32), case.geometry
    return [gemm.conv(x, w, g), gemm.conv_weight(x, dy, g), gemm.conv_input(w, dy, g)]


def all_equal(found: Sequence[Tensor], truth: Sequence[Tensor]) -> bool:
    return all(map(torch.equal, found, truth))


def in_threads(functions: Sequence[Callable[[], None]]) -> None:
    """All at once; the first error is raised when all have ended."""
    errors: list[BaseException] = []

    def guarded(function: Callable[[], None]) -> None:
        try:
            torch.set_num_threads(2)  # OpenMP counts for each thread of Python by itself
            function()
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=guarded, args=[function]) for function in functions]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if errors:
        raise errors[0]


def several_threads() -> None:
    """Eight of them load the kernels at the same moment, and all find what one alone finds later."""
    found: list[dict[int, list[Tensor]]] = [{} for _ in range(8)]

    def work(mine: int) -> None:
        for seed in (*SEEDS[mine * 7 :], *SEEDS[: mine * 7]):
            found[mine][seed] = computed(seed)

    in_threads([lambda mine=mine: work(mine) for mine in range(8)])  # type: ignore[misc]  # the default binds
    torch.set_num_threads(1)
    for seed in SEEDS:
        truth = computed(seed)
        assert all(all_equal(results[seed], truth) for results in found), seed


def beside_torch() -> None:
    """PyTorch's own operators use the same OpenMP library before and after, in two threads of Python."""
    torch.set_num_threads(1)
    truth, matrix = {seed: computed(seed) for seed in SEEDS}, torch.randn(300, 300)
    product = matrix.double() @ matrix.double()

    def work() -> None:
        for seed in SEEDS:
            assert torch.allclose(matrix @ matrix, product.float(), atol=1e-3)
            assert all_equal(computed(seed), truth[seed]), seed
            torch.randn(100_000).exp_().sum()

    torch.set_num_threads(2)
    work()
    in_threads([work, work])


def _in_child(work: Callable[[], bool]) -> int:
    """A forked child's process id; it ends with 0 if `work` is true."""
    child = os.fork()
    if child == 0:
        code = 1
        try:
            code = 0 if work() else 2
        finally:
            os._exit(code)
    return child


def _ended_well(child: int) -> bool:
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def forked() -> None:
    """Children of a process whose threads have worked, and theirs; the parent goes on."""
    torch.set_num_threads(2)
    truth = {seed: computed(seed) for seed in SEEDS}

    def right() -> bool:
        return all(all_equal(computed(seed), truth[seed]) for seed in SEEDS)

    children = [_in_child(right) for _ in range(3)]
    children.append(_in_child(lambda: _ended_well(_in_child(right)) and right()))
    assert right()
    assert all(map(_ended_well, children))
    assert right()


def forked_from_a_busy_process(times: int = 200) -> None:
    """While another thread calls kernels, whatever it holds at that moment."""
    stop, truth = threading.Event(), computed(1)

    def work() -> None:
        while not stop.is_set():
            computed(1)

    busy = threading.Thread(target=work)
    busy.start()
    try:
        assert all(_ended_well(_in_child(lambda: all_equal(computed(1), truth))) for _ in range(times))
    finally:
        stop.set()
        busy.join()


def one_call() -> None:
    """Print what the smallest use of a kernel gave, warned of, and imported."""
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        y = [gemm.conv(torch.full((1, 1, 3), 3.0), torch.full((1, 1, 2), 2.0), LINE) for _ in range(2)]
    told = [str(warning.message) for warning in seen if warning.category is HandgradWarning]
    print(json.dumps({"y": y[1].flatten().tolist(), "told": told, "numba": "numba" in sys.modules}))


class Convolved(Dataset[list[Tensor]]):
    """A data set that is computed by the kernels."""

    def __len__(self) -> int:
        return len(SEEDS)

    def __getitem__(self, index: int) -> list[Tensor]:
        return computed(SEEDS[index])


def in_workers() -> None:
    """Workers of a DataLoader, after the parent's threads have worked."""
    torch.set_num_threads(2)
    truth = [computed(seed) for seed in SEEDS]
    loader = DataLoader(Convolved(), None, num_workers=2, multiprocessing_context="fork")
    for seed, found, true in zip(SEEDS, loader, truth, strict=True):
        assert all_equal(found, true), seed


def in_a_pool() -> None:
    """As `in_workers`, in multiprocessing's own pool."""
    torch.set_num_threads(2)
    truth = [computed(seed) for seed in SEEDS]
    with multiprocessing.get_context("fork").Pool(2) as pool:
        found = pool.map(_lists, SEEDS)
    assert found == [[tensor.tolist() for tensor in tensors] for tensors in truth]


def _lists(seed: int) -> list[object]:
    return [tensor.tolist() for tensor in computed(seed)]
