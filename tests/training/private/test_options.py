"""What goes together and what does not."""

import pytest
import tiny_runs

from handgrad import HandgradError
from handgrad._training.config import Config
from handgrad._training.private import accounting, options

WHOLE = tiny_runs.PRIVATE


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"private": False}, "--max-grad-norm is for --private, which is not set"),
        ({"max_grad_norm": None}, "--private needs --max-grad-norm"),
        ({"delta": None}, "--private needs --delta"),
        (
            {"noise_multiplier": None},
            "--private needs --noise-multiplier or --target-epsilon, which finds it, and not both",
        ),
        (
            {"target_epsilon": 3.0},
            "--private needs --noise-multiplier or --target-epsilon, which finds it, and not both",
        ),
        (
            {"grad_noise_scale": True},
            "--grad-noise-scale tells of the images' own gradients, which --private keeps secret",
        ),
    ],
)
def test_refused(changes, message):
    with pytest.raises(HandgradError) as error:
        options.check(Config(**WHOLE | changes))
    assert str(error.value) == message


@pytest.mark.parametrize(
    "more",
    [
        {"noise_multiplier": 1.0},
        {"target_epsilon": 3.0},
        {"delta": 1e-5},
        {"clipping": "per-layer"},
        {"accountant": "rdp"},
        {"secure_noise": True},
        {"max_physical_batch_size": 7},
    ],
)
def test_an_option_of_private_runs_alone(more):
    (name,) = more
    with pytest.raises(HandgradError, match=f"^--{name.replace('_', '-')} is for --private, which is not set$"):
        options.check(Config(**more))


def test_what_goes_together():
    options.check(Config())
    options.check(Config(grad_noise_scale=True))
    options.check(Config(**WHOLE))
    options.check(Config(**WHOLE | {"noise_multiplier": None, "target_epsilon": 3.0, "clipping": "per-layer"}))


@pytest.mark.parametrize("option", ["--private", "--grad-noise-scale"])
def test_batch_normalization_is_refused_with_the_reason_and_what_may_stand_for_it(tmp_path, option):
    given = WHOLE if option == "--private" else {"grad_noise_scale": True}
    told = tiny_runs.config(tmp_path, **given)
    (tmp_path / "tiny.toml").write_text(tiny_runs.MODEL.replace("out_channels = 3", "out_channels = 6"))
    with pytest.raises(HandgradError) as error:
        tiny_runs.prepared(told)
    assert str(error.value) == (
        f"{option}: layer 1 (BatchNorm2d) mixes the images of a batch, so that no gradient is one image's own. "
        'In its place: type = "GroupNorm", num_groups = 2; or --model cnn-group, where that is done'
    )
    named = 'type = "GroupNorm"\nnum_groups = 2'
    (tmp_path / "tiny.toml").write_text((tmp_path / "tiny.toml").read_text().replace('type = "BatchNorm2d"', named))
    tiny_runs.prepared(told)  # what was said helps


def test_a_batch_of_more_images_than_there_are(tmp_path):
    with pytest.raises(HandgradError, match="--batch-size 41: more than the 40 images to train on"):
        tiny_runs.prepared(tiny_runs.config(tmp_path, **WHOLE, batch_size=41))
    tiny_runs.prepared(tiny_runs.config(tmp_path, **WHOLE, batch_size=40))


def test_the_mechanism_of_the_options(tmp_path):
    told = tiny_runs.config(tmp_path, **WHOLE)
    assert options.mechanism(told, 40) == accounting.Mechanism("rdp", 8 / 40, 1.0, 0.5, 1e-3)


def test_the_noise_of_a_target_keeps_the_whole_run_within_it(tmp_path):
    session = tiny_runs.prepared(
        tiny_runs.config(tmp_path, **WHOLE | {"noise_multiplier": None, "target_epsilon": 2.0}, epochs=3)
    )
    assert session.batches == 5
    assert 1.99 < session.privacy.epsilon(3 * 5) <= 2.0
