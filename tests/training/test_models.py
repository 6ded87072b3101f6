"""Networks from TOML: what may be left out is inferred, what is wrong is named by file, layer and argument."""

import tomllib
from pathlib import Path

import pytest
import torch
from torch import nn

from handgrad import HandgradError
from handgrad._training import models
from handgrad._training.verify import verify

EXAMPLES = Path(__file__).parents[2] / "examples" / "models"
SHAPES = [(1, 8, 8), (1, 28, 28), (3, 32, 32), (1, 5, 9)]


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("name", models.NAMED)
def test_the_named_ones_adapt_to_size_channels_and_classes(name, shape):
    model, _ = models.read(name).build(shape, classes=7)
    logits, backward = model(torch.randn(4, *shape))
    assert logits.shape == (4, 7)
    assert backward(torch.ones(4, 7)).shape == (4, *shape)
    assert model.training


@pytest.mark.parametrize("path", sorted(EXAMPLES.glob("*.toml")), ids=lambda path: path.stem)
@pytest.mark.parametrize("shape", SHAPES)
def test_the_examples_do_so_too_and_their_gradients_are_right(path, shape):
    torch.manual_seed(0)
    model, _ = models.read(str(path)).build(shape, classes=7)
    assert verify(model, torch.randn(4, *shape), torch.arange(4))[0].error < 1e-10


def written(folder, text):
    """A description from a file with this text."""
    (folder / "net.toml").write_text(text)
    return models.read(str(folder / "net.toml"))


EVERYTHING = """
[[layers]]
type = "Conv2d"
out_channels = 6
kernel_size = [3, 5]
padding = "same"
padding_mode = "circular"

[[layers]]
type = "GroupNorm"
num_groups = 2

[[layers]]
type = "GELU"
approximate = "tanh"

[[layers]]
type = "ConvTranspose2d"
out_channels = 4
kernel_size = 2
stride = 2

[[layers]]
type = "BatchNorm2d"

[[layers]]
type = "LayerNorm"

[[layers]]
type = "AdaptiveAvgPool2d"
output_size = [2, 3]

[[layers]]
type = "Flatten"

[[layers]]
type = "BatchNorm1d"

[[layers]]
type = "Linear"
out_features = 5

[[layers]]
type = "Linear"
"""


def test_whatever_follows_from_the_input_may_be_left_out(tmp_path):
    model, resolved = written(tmp_path, EVERYTHING).build((3, 8, 6), classes=4)
    assert resolved.layers[0] == {
        "type": "Conv2d",
        "in_channels": 3,
        "out_channels": 6,
        "kernel_size": (3, 5),
        "padding": "same",
        "padding_mode": "circular",
    }
    inferred = {
        index: {key: entry[key] for key in models.INFERRED if key in entry}
        for index, entry in enumerate(resolved.layers)
    }
    assert inferred == {
        0: {"in_channels": 3},
        1: {"num_channels": 6},
        2: {},
        3: {"in_channels": 6},
        4: {"num_features": 4},
        5: {"normalized_shape": (4, 16, 12)},
        6: {},
        7: {},
        8: {"num_features": 24},
        9: {"in_features": 24},
        10: {"in_features": 5},
    }
    assert resolved.layers[10]["out_features"] == 4
    assert model(torch.randn(2, 3, 8, 6))[0].shape == (2, 4)


def test_the_resolved_description_builds_the_same_network_from_the_same_seed(tmp_path):
    torch.manual_seed(3)
    first, resolved = written(tmp_path, EVERYTHING).build((3, 8, 6), classes=4)
    torch.manual_seed(3)
    second, again = written(tmp_path, resolved.toml()).build((3, 8, 6), classes=4)
    assert again.layers == resolved.layers
    assert tomllib.loads(again.toml()) == tomllib.loads(resolved.toml())
    assert all(
        torch.equal(a, b) for a, b in zip(first.state_dict().values(), second.state_dict().values(), strict=True)
    )


def test_building_leaves_running_statistics_and_the_generator_alone(tmp_path):
    torch.manual_seed(3)
    plain = nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2), nn.Flatten(), nn.Dropout(), nn.Linear(72, 3))
    after = torch.get_rng_state()
    torch.manual_seed(3)
    text = '[[layers]]\ntype = "Conv2d"\nout_channels = 2\nkernel_size = 3\n[[layers]]\ntype = "BatchNorm2d"\n'
    text += '[[layers]]\ntype = "Flatten"\n[[layers]]\ntype = "Dropout"\n[[layers]]\ntype = "Linear"\n'
    model, _ = written(tmp_path, text).build((1, 8, 8), classes=3)
    assert torch.equal(torch.get_rng_state(), after)
    for name, tensor in plain.state_dict().items():
        assert torch.equal(model.state_dict()[name], tensor)


def test_the_python_text_is_the_same_network(tmp_path):
    model, resolved = written(tmp_path, EVERYTHING).build((3, 8, 6), classes=4)
    plain = eval(resolved.python(), {"nn": nn})
    plain.load_state_dict(model.state_dict())
    x = torch.randn(2, 3, 8, 6)
    torch.testing.assert_close(plain.eval()(x), model.eval()(x)[0])


def layer(text):
    """One layer before the Flatten and Linear that every network here ends with."""
    return f'[[layers]]\n{text}\n[[layers]]\ntype = "Flatten"\n[[layers]]\ntype = "Linear"\n'


WRONG = {
    "no layers": ("", r"net\.toml: no \[\[layers\]\] in it"),
    "not a list": ("layers = 3", r"net\.toml: no \[\[layers\]\] in it"),
    "not tables": ("layers = [3]", r"net\.toml: no \[\[layers\]\] in it"),
    "key": (
        "lr = 1\n" + layer('type = "ReLU"'),
        r"net\.toml: unknown key 'lr'; a model has \[\[layers\]\] and nothing else",
    ),
    "no type": (layer("kernel_size = 3"), r"layer 0: has no type, such as type = \"Conv2d\""),
    "typing": (layer('type = "Conv2D"'), r"layer 0: unknown type 'Conv2D'; did you mean Conv2d\?"),
    "type": (layer('type = "Zzz"'), r"layer 0: unknown type 'Zzz'; there are AdaptiveAvgPool1d, .*BatchNorm2d, .*Tanh"),
    "type's type": (layer("type = [1]"), r"layer 0: unknown type '\[1\]'"),
    "container": (layer('type = "Sequential"'), r"layer 0: unknown type 'Sequential'"),
    "argument": (
        layer('type = "Conv2d"\nout_channels = 2\nkernel = 3'),
        r"layer 0: Conv2d has no argument 'kernel'; it takes in_channels, out_channels, kernel_size, stride, padding,",
    ),
    "device": (layer('type = "Conv2d"\ndevice = "cpu"'), r"layer 0: Conv2d has no argument 'device'"),
    "none taken": (layer('type = "Tanh"\nslope = 1'), r"layer 0: Tanh has no argument 'slope'; it takes none"),
    "missing": (
        layer('type = "Conv2d"\nout_channels = 2'),
        r"layer 0 \(Conv2d\), input \(2, 1, 8, 8\): .*missing 1 required positional argument: 'kernel_size'",
    ),
    "value": (
        layer('type = "Conv2d"\nout_channels = "a"\nkernel_size = 3'),
        r"layer 0 \(Conv2d\), input \(2, 1, 8, 8\): ",
    ),
    "groups": (
        layer('type = "Conv2d"\nout_channels = 3\nkernel_size = 3\ngroups = 2'),
        r"layer 0 \(Conv2d\), .*groups",
    ),
    "given": (
        layer('type = "Conv2d"\nin_channels = 3\nout_channels = 2\nkernel_size = 3'),
        r"(?s)layer 0 \(Conv2d\), input \(2, 1, 8, 8\): conv2d: input and weight disagree about channels",
    ),
    "eps": (
        layer('type = "GroupNorm"\nnum_groups = 1\neps = -1'),
        r"layer 0 \(GroupNorm\), input \(2, 1, 8, 8\): eps must be above 0, got -1$",
    ),
    "no eps": (layer('type = "LayerNorm"\neps = 0.0'), r"layer 0 \(LayerNorm\), .*: eps must be above 0, got 0\.0$"),
    "momentum": (
        layer('type = "BatchNorm2d"\nmomentum = 1.5'),
        r"layer 0 \(BatchNorm2d\), .*: momentum must be from 0 to 1, got 1\.5$",
    ),
    "infinite": (
        layer('type = "LeakyReLU"\nnegative_slope = inf'),
        r"layer 0 \(LeakyReLU\), .*: negative_slope must be a finite number, got inf$",
    ),
    "too large": (
        layer('type = "Conv2d"\nout_channels = 2\nkernel_size = 9'),
        r"layer 0 \(Conv2d\), input \(2, 1, 8, 8\): ",
    ),
    "pooled away": (layer('type = "MaxPool2d"\nkernel_size = 9'), r"layer 0 \(MaxPool2d\), input \(2, 1, 8, 8\): "),
    "inner width": (
        layer('type = "Flatten"\n[[layers]]\ntype = "Linear"'),
        r"layer 1 \(Linear\), input \(2, 64\): .*missing 1 required positional argument: 'out_features'",
    ),
    "no end": (
        '[[layers]]\ntype = "ReLU"',
        r"the last layer gives \(N, 1, 8, 8\) for each image, but 3 classes need \(N, 3\)",
    ),
    "no flatten": (
        '[[layers]]\ntype = "Linear"',
        r"the last layer gives \(N, 1, 8, 3\).*end with Flatten and a Linear",
    ),
    "classes": (
        layer('type = "ReLU"') + "out_features = 4",
        r"the last layer gives \(N, 4\) for each image, but 3 classes need \(N, 3\)",
    ),
}


@pytest.mark.parametrize("case", WRONG)
def test_what_is_wrong_is_named(tmp_path, case):
    text, message = WRONG[case]
    with pytest.raises(HandgradError, match=message) as error:
        written(tmp_path, text).build((1, 8, 8), classes=3)
    assert str(error.value).startswith(str(tmp_path / "net.toml"))


def test_what_is_no_model():
    with pytest.raises(HandgradError, match=r"--model resnet: neither cnn nor cnn-group nor lenet nor a \.toml file"):
        models.read("resnet")
    with pytest.raises(HandgradError, match=r"gone\.toml: cannot be read: No such file or directory"):
        models.read("gone.toml")


@pytest.mark.parametrize("line", ['type = "Dropout"\np = nan', 'type = "BatchNorm2d"\nmomentum = "a"'])
def test_what_breaks_in_training_alone_is_told_before_it(tmp_path, line):
    path = tmp_path / "net.toml"
    path.write_text(f"[[layers]]\n{line}\n")
    with pytest.raises(HandgradError, match=r"net\.toml: layer 0 \((Dropout|BatchNorm2d)\), input \(2, 1, 8, 8\): "):
        models.read(str(path)).build((1, 8, 8), 4)
