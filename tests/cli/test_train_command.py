"""`handgrad train`: what it writes and says, how it is stopped, how it goes on."""

import io
import json
import math
import re
import signal
import subprocess
import sys
import time
import tomllib
from pathlib import Path

import pytest
import tiny_runs
import torch
from click.testing import CliRunner
from commands import run
from rich.console import Console

from handgrad._cli import main, progress
from handgrad._training import session

pytestmark = pytest.mark.slow
COLOUR = "\x1b[38;5;"


@pytest.fixture
def told(tmp_path, monkeypatch):
    """The options of a tiny run, whose folder is to be given; the test runs beside its data."""
    monkeypatch.chdir(tmp_path)
    tiny_runs.config(tmp_path)
    return ["train", "--data", "data", "--model", "tiny.toml", "--epochs", "2", "--batch-size", "8", "--no-verify"]


def resolved(folder):
    return tomllib.loads((Path(folder) / "config.toml").read_text())


def test_bad_data_is_one_line_that_names_the_file(tmp_path, told):
    (tmp_path / "data" / "train-images-idx3-ubyte").write_bytes(b"\0\0\x08\x03" + bytes(9))
    result = run(*told, "--out", "run", exit_code=2)
    assert result.stderr == "error: data/train-images-idx3-ubyte: truncated: 13 bytes, but its header alone takes 16\n"
    assert not Path("run").exists()


def test_a_run_from_start_to_end(told):
    result = run(*told, "--out", "run")
    lines = result.output.splitlines()
    assert lines[0] == "data   data: 40 images to train on, 20 to test, 1x8x8, 4 classes"
    assert lines[1].startswith("model  tiny.toml: ")
    assert [line[:22] for line in lines[2:4]] == ["epoch 1/2  train loss ", "epoch 2/2  train loss "]
    assert "test accuracy" in result.output
    for name in ("curves.png", "confusion.png", "filters.png"):
        assert f"picture: run/{name}" in lines
    assert {path.name for path in Path("run").iterdir()} == {
        *("config.toml", "model.toml", "run.json", "metrics.jsonl", "checkpoints"),
        *("curves.png", "confusion.png", "filters.png"),
    }
    assert json.loads(Path("run/run.json").read_text())["finished"]


def test_verification_says_the_worst_error(told):
    assert "verified" not in run(*told, "--out", "quiet").output
    result = run(*told, "--verify", "--out", "run")
    assert "verified 14 gradients against autograd in float64: worst relative error " in result.output


def test_a_wrong_gradient_stops_the_run_before_it_begins(told, monkeypatch):
    from handgrad import layers

    def lazy(_self, input):
        return torch.relu(input), lambda grad: grad

    monkeypatch.setattr(layers.ReLU, "forward", lazy)
    result = run(*told, "--verify", "--out", "run", exit_code=1)
    assert result.stderr.startswith("error: layer 2 (ReLU): the gradient of input is wrong: ")
    assert not Path("run").exists()


def test_a_loss_that_diverges_is_one_line(told):
    result = run(*told, "--optimizer", "sgd", "--lr", "1e30", "--out", "run", exit_code=1)
    assert result.stderr.startswith("error: epoch 1, batch ")


def test_the_saved_configuration_repeats_the_run(told):
    run(*told, "--seed", 3, "--augment-shift", 1, "--out", "first")
    run("train", "--config", "first/config.toml", "--out", "second")
    first, second = tiny_runs.content(Path("first")), tiny_runs.content(Path("second"))
    for name in ("config.toml", "run.json"):
        first.pop(name), second.pop(name)
    assert first == second
    assert resolved("first") == resolved("second")
    assert resolved("first")["model"] == "model.toml"
    assert Path(resolved("first")["data"]).is_absolute()


def test_the_out_folder_may_come_from_the_file_and_is_not_saved(told):
    Path("run.toml").write_text('out = "there"')
    run(*told, "--config", "run.toml")
    assert "out" not in resolved("there")


def test_a_folder_that_is_not_empty_is_refused_at_once(told, monkeypatch):
    run(*told, "--out", "run")
    before = tiny_runs.content(Path("run"))
    monkeypatch.setattr(session, "prepare", lambda *_: pytest.fail("the data was read"))
    result = run(*told, "--out", "run", exit_code=2)
    assert result.stderr == "error: run: not empty, and no run is overwritten; --resume continues one\n"
    assert tiny_runs.content(Path("run")) == before


def test_the_default_folder_is_dated(told):
    run(*told)
    (folder,) = Path("runs").iterdir()
    assert (folder / "run.json").exists()


def test_a_finished_run_says_so(told):
    run(*told, "--out", "run")
    before = tiny_runs.content(Path("run"))
    result = run("train", "--resume", "run")
    assert result.output.startswith("run is finished: 2 epochs, test accuracy ")
    assert tiny_runs.content(Path("run")) == before


def test_nothing_may_be_said_beside_resume(told):
    run(*told, "--out", "run")
    Path("empty.toml").write_text("")
    for more in (["--lr", "1"], ["--verify"], ["--config", "empty.toml"], ["--out", "other"]):
        result = run("train", "--resume", "run", *more, exit_code=2)
        assert f"--resume goes on with the run's own options; leave out {more[0]}" in " ".join(result.stderr.split())


def stop_at(monkeypatch, batch, number):
    """Send this process a signal after so many batches, as Ctrl-C does."""
    seen = []

    def batch_done(_self, _session):
        seen.append(1)
        if len(seen) == batch:
            signal.raise_signal(number)

    monkeypatch.setattr(progress.Lines, "batch_done", batch_done)


@pytest.mark.parametrize(
    ("batch", "number", "exit_code"), [(1, signal.SIGINT, 130), (10, signal.SIGINT, 130), (7, signal.SIGTERM, 143)]
)
def test_a_signal_saves_and_says_how_to_go_on(told, monkeypatch, batch, number, exit_code):
    run(*told, "--out", "whole run")
    handlers = [signal.getsignal(one) for one in (signal.SIGINT, signal.SIGTERM)]
    with monkeypatch.context() as patch:
        stop_at(patch, batch, number)
        result = run(*told, "--out", "stopped run", exit_code=exit_code)
    assert "stopped and saved; to go on:\n  handgrad train --resume 'stopped run'\n" in result.output
    assert [signal.getsignal(one) for one in (signal.SIGINT, signal.SIGTERM)] == handlers
    assert "going on after" in run("train", "--resume", "stopped run").output
    assert tiny_runs.content(Path("stopped run")) == tiny_runs.content(Path("whole run"))


PRIVATE = ["--private", "--max-grad-norm", "0.5", "--noise-multiplier", "1.5", "--delta", "0.01", "--accountant", "rdp"]
PRIVATE_RUN = ["train", "--data", "data", "--model", "private.toml", "--epochs", "2", "--batch-size", "8", *PRIVATE]


def test_a_private_run_from_start_to_end(told):  # noqa: ARG001
    Path("private.toml").write_text(tiny_runs.PRIVATE_MODEL)
    result = run(*PRIVATE_RUN, "--out", "run")
    lines = result.stdout.splitlines()
    epsilon = json.loads(Path("run/run.json").read_text())["result"]["epsilon"]
    shown = f"{math.ceil(100 * epsilon) / 100:.2f}"
    assert shown != f"{epsilon:.2f}"  # or it would not be seen in which direction
    assert lines[2] == (
        f"privacy ε = {shown} at δ = 0.01 after 10 steps: noise multiplier 1.5, flat clipping to 0.5, "
        "each image in a batch with probability 0.2"
    )
    assert lines[3].startswith("verified 14 gradients against autograd in float64")
    assert f"  ε {shown}  " in lines[5]
    assert f"the weights are private, ε = {shown} at δ = 0.01; the figures and pictures here are not" in lines
    assert result.stderr == "warning: whoever knows --seed can take the noise away; --secure-noise has no seed\n"


def test_a_private_run_warns_of_a_large_delta_and_of_no_seed(told):  # noqa: ARG001
    Path("private.toml").write_text(tiny_runs.PRIVATE_MODEL)
    result = run(*PRIVATE_RUN, "--delta", "0.025", "--secure-noise", "--no-verify", "--out", "run")
    assert result.stderr == "warning: δ = 0.025 is not below 1/40: so much lets whole images out\n"


def test_a_private_run_taken_up_says_what_is_spent(told, monkeypatch):  # noqa: ARG001
    Path("private.toml").write_text(tiny_runs.PRIVATE_MODEL)
    run(*PRIVATE_RUN, "--target-epsilon", 3, "--out", "whole", exit_code=2)  # both
    target = [*PRIVATE_RUN, "--target-epsilon", "3", "--delta", "0.001"]
    target = [part for part in target if part not in ("--noise-multiplier", "1.5")]
    assert run(*target, "--out", "whole").stdout.startswith("looking for the noise that keeps the run within ε = 3\n")
    with monkeypatch.context() as patch:
        stop_at(patch, 7, signal.SIGINT)
        run(*target, "--out", "stopped", exit_code=130)
    monkeypatch.setattr("handgrad._training.private.accounting.noise_multiplier", lambda *_: pytest.fail("looked for"))
    result = run("train", "--resume", "stopped")
    assert "looking for" not in result.stdout
    assert re.search(r"going on after 1 epochs and 2 of 5 batches, ε 2\.\d\d so far\n", result.stdout)
    assert tiny_runs.content(Path("stopped")) == tiny_runs.content(Path("whole"))


def test_the_noise_scale_stands_with_every_epoch(told):
    Path("tiny.toml").write_text(tiny_runs.PRIVATE_MODEL)
    result = run(*told, "--grad-noise-scale", "--out", "run")
    lines = [json.loads(line) for line in Path("run/metrics.jsonl").read_text().splitlines()]
    for epoch, line in enumerate(lines):
        assert f"  noise scale {line['grad_noise_scale']:.3g}  " in result.stdout.splitlines()[2 + epoch]


def test_the_second_ctrl_c_ends_it_at_once(told, monkeypatch):
    def batch_done(_self, _session):
        signal.raise_signal(signal.SIGINT)
        signal.raise_signal(signal.SIGINT)

    monkeypatch.setattr(progress.Lines, "batch_done", batch_done)
    result = CliRunner().invoke(main, [*told, "--out", "run"])
    assert result.exit_code == 1
    assert "Aborted!" in result.output


def test_a_damaged_checkpoint_is_told_of_on_the_way(told, monkeypatch):
    run(*told, "--out", "whole")
    with monkeypatch.context() as patch:
        stop_at(patch, 7, signal.SIGINT)
        run(*told, "--out", "stopped", exit_code=130)
    newest = max(Path("stopped/checkpoints").iterdir())
    newest.write_bytes(newest.read_bytes()[:-9])
    result = run("train", "--resume", "stopped")
    assert f"warning: {newest}: damaged or truncated" in result.stderr
    assert tiny_runs.content(Path("stopped")) == tiny_runs.content(Path("whole"))


def spawn(args, **options):
    """The command in a process of its own."""
    command = [sys.executable, "-m", "handgrad", *args]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, **options)


def wait_for(process, folder, condition):
    deadline = time.monotonic() + 120
    while not condition(folder):
        assert process.poll() is None, process.stdout.read()
        assert time.monotonic() < deadline
        time.sleep(0.002)


def test_killed_in_mid_epoch_and_resumed_equals_the_uninterrupted_run(told):
    long = [*told, "--save-every", "0", "--epochs", "15"]
    process = spawn([*long, "--out", "killed"])
    wait_for(process, Path("killed/checkpoints"), lambda folder: list(folder.glob("00003-00000002*")))
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    assert not Path("killed/curves.png").exists()
    run("train", "--resume", "killed")
    run(*long, "--out", "whole")
    assert tiny_runs.content(Path("killed")) == tiny_runs.content(Path("whole"))


def test_ctrl_c_in_another_process(told):
    process = spawn([*told, "--epochs", "2000", "--out", "stopped"])
    wait_for(process, Path("stopped/metrics.jsonl"), Path.exists)
    process.send_signal(signal.SIGINT)
    output, _ = process.communicate(timeout=60)
    assert process.returncode == 130
    assert output.endswith("stopped and saved; to go on:\n  handgrad train --resume stopped\n")
    assert "Traceback" not in output


def in_terminal(monkeypatch, args, **environment):
    """What the command writes to a terminal."""
    written = io.StringIO()
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    with monkeypatch.context() as patch:
        patch.setattr(progress, "Console", lambda: Console(file=written, force_terminal=True, width=110))
        output = run(*args).output
    return written.getvalue(), output


def test_a_bar_in_a_terminal_and_no_colour_if_that_is_wished(told, monkeypatch):
    monkeypatch.delenv("NO_COLOR", raising=False)
    written, _ = in_terminal(monkeypatch, [*told, "--out", "colour"], TERM="xterm-256color")
    bar = written[written.rindex("epoch 2/2") : written.rindex("left")]
    assert "images/s  loss " in bar
    assert "accuracy " in bar
    assert "epoch 1/2  train loss" in written
    assert COLOUR in written
    written, _ = in_terminal(monkeypatch, [*told, "--out", "plain"], NO_COLOR="1")
    assert "images/s  loss " in written
    assert COLOUR not in written


def test_plain_lines_in_a_terminal_that_cannot_move_its_cursor(told, monkeypatch):
    written, output = in_terminal(monkeypatch, [*told, "--out", "run"], TERM="dumb")
    assert "images/s" not in written
    assert "epoch 2/2  train loss" in output


def test_a_resumed_bar_begins_where_the_run_was(tmp_path):
    session = tiny_runs.prepared(tiny_runs.config(tmp_path))
    session.progress.epoch, session.progress.position = 1, 2
    (task,) = progress.Bar(Console(), session)._bar.tasks
    assert (task.completed, task.total, task.fields["epoch"]) == (7, 10, 2)


def test_a_bar_before_any_image_was_seen(tmp_path):
    """As when the first private batch is empty."""
    session = tiny_runs.prepared(tiny_runs.config(tmp_path))
    bar = progress.Bar(Console(), session)
    bar.batch_done(session)
    (task,) = bar._bar.tasks
    assert (task.completed, task.fields["loss"], task.fields["accuracy"]) == (1, "-", "-")
