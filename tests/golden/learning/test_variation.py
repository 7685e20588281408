"""Recipes of training: shifts and noise of training images, schedules, decay, averaged weights."""

from dataclasses import replace

import numpy as np
import pytest

from apical import cli
from apical.golden.errors import MisuseError
from apical.golden.learning.data import load
from apical.golden.learning.fixed import default_fixed_config, train_fixed
from apical.golden.learning.float import default_config, train
from apical.golden.learning.loop import first_images, held_out
from apical.golden.learning.variation import check_varied, varied
from apical.golden.network import layered
from apical.golden.systems.settings import FixedTrainingConfig, TrainingConfig

SIZES = (64, 12, 10)


@pytest.fixture(scope="module")
def few():
    return first_images(load("digits"), 100, 40)


def trained(few, **changes):
    config = default_config("digits", SIZES, epochs=3, batch=20, **changes)
    return train(layered(SIZES), few, config)


def test_images_move_whole_and_nothing_comes_in():
    images = np.zeros((500, 25), np.float32)
    images[:, 12] = 1  # the middle of 5 x 5
    config = TrainingConfig(image_shift=1, seed=3)
    moved = varied(images, config, 0)
    at = moved.reshape(-1, 5, 5)
    assert (moved.sum(axis=1) == 1).all() and at[:, 1:4, 1:4].sum() == 500
    assert (at.sum(axis=0)[1:4, 1:4] > 30).all()  # 9 places, each about 56 times
    np.testing.assert_array_equal(moved, varied(images, config, 0))
    assert (moved != varied(images, config, 1)).any()
    edge = np.zeros((500, 25), np.float32)
    edge[:, 0] = 1
    assert set(varied(edge, config, 0).sum(axis=1)) == {0.0, 1.0}


def test_a_shift_is_the_roll_of_an_image_in_a_frame():
    rng = np.random.default_rng(0)
    images = rng.integers(0, 4096, (60, 64)).astype(np.int16)
    moves = np.random.default_rng([0x5647, 0, 4]).integers(-2, 3, (60, 2))
    moved = varied(images, TrainingConfig(image_shift=2), 4, 4096)
    assert moved.dtype == np.int16
    for image, found, move in zip(images, moved, moves, strict=True):
        framed = np.pad(image.reshape(8, 8), 2)
        np.testing.assert_array_equal(np.roll(framed, move, (0, 1))[2:-2, 2:-2].ravel(), found)


def test_noise_has_its_deviation_and_stays_in_range():
    images = np.full((200, 64), 0.5, np.float32)
    noisy = varied(images, TrainingConfig(image_noise=0.1), 0)
    assert noisy.std() == pytest.approx(0.1, rel=0.05) and 0 <= noisy.min() <= noisy.max() <= 1
    raw = varied(np.full((200, 64), 2048, np.int16), TrainingConfig(image_noise=0.1), 0, 4096)
    assert raw.std() == pytest.approx(410, rel=0.05) and raw.dtype == np.int16
    assert varied(images, TrainingConfig(), 0) is images


def test_rates_follow_their_schedule():
    config = TrainingConfig(epochs=4, decay=0.5)
    shares = {name: [replace(config, schedule=name).share(n) for n in range(5)]
              for name in ("exponential", "linear", "cosine")}
    assert shares["exponential"] == [1, 0.5, 0.25, 0.125, 0.0625]
    assert shares["linear"] == [1, 0.75, 0.5, 0.25, 0]
    np.testing.assert_allclose(shares["cosine"], [1, 0.853553, 0.5, 0.146447, 0], atol=1e-6)
    assert replace(config, rates=(0.2,), schedule="linear").at(1).rates == (0.15000000000000002,)


def test_every_recipe_changes_the_weights_and_repeats(few):
    plain = trained(few)
    for changes in ({"image_shift": 1}, {"image_noise": 0.2}, {"weight_decay": 0.01},
                    {"average": 2}, {"schedule": "linear"}):
        first, again = trained(few, **changes), trained(few, **changes)
        np.testing.assert_array_equal(first.weights["W1"], again.weights["W1"])
        assert (first.weights["W1"] != plain.weights["W1"]).any(), changes
        # Recipes that only change what is kept see the same first epochs.
        if "average" in changes:
            assert first.test_errors[:2] == plain.test_errors[:2]


def test_weight_decay_shrinks_couplings_alone(few):
    decayed = trained(few, weight_decay=0.01, rates=(0.0,))
    kept = trained(few, rates=(0.0,))
    shares = np.prod([(1 - 0.01 * 0.97 ** n) ** 5 for n in range(3)])
    np.testing.assert_allclose(decayed.weights["W1"], kept.weights["W1"] * shares, rtol=1e-5)
    np.testing.assert_array_equal(decayed.weights["b1"], kept.weights["b1"])


def test_the_average_is_that_of_the_last_epochs(few):
    network, ends = layered(SIZES), []
    for epochs in (2, 3):
        ends.append(train(network, few, default_config("digits", SIZES, epochs=epochs,
                                                       batch=20)).weights["W2"])
    np.testing.assert_allclose(trained(few, average=2).weights["W2"], np.mean(ends, axis=0),
                               atol=1e-6)


def test_raw_integers_see_the_same_shifts_and_resume(few, tmp_path):
    config = default_fixed_config("digits", SIZES, epochs=2, image_shift=1)
    network, path = layered(SIZES), tmp_path / "check.npz"
    whole = train_fixed(network, few, config)
    train_fixed(network, few, replace(config, epochs=1), checkpoint=path)
    resumed = train_fixed(network, few, config, resume=path)
    assert resumed.signature == whole.signature
    plain = train_fixed(network, few, replace(config, image_shift=0))
    assert plain.signature != whole.signature
    with pytest.raises(MisuseError, match="image_shift"):
        train_fixed(network, few, replace(config, image_shift=0), resume=path)


def test_held_out_images_are_training_images_no_more(few):
    held = held_out(few, 30)
    np.testing.assert_array_equal(held.test, few.train[70:])
    np.testing.assert_array_equal(held.test_labels, few.train_labels[70:])
    assert len(held.train) == len(held.train_labels) == 70
    for count in (0, 100):
        with pytest.raises(MisuseError, match="cannot be held out"):
            held_out(few, count)


def test_settings_of_before_keep_their_identity():
    later = {"schedule", "weight_decay", "image_shift", "image_noise", "average"}
    assert not later & set(TrainingConfig().identity())
    assert "epochs" not in TrainingConfig().identity()
    changed = TrainingConfig(schedule="cosine", image_shift=1).identity()
    assert changed["image_shift"] == 1 and changed["schedule"] == "cosine" and changed["epochs"]


@pytest.mark.parametrize(("make", "message"), [
    (lambda: TrainingConfig(schedule="steps"), "schedule is 'steps'; known: exponential, linear"),
    (lambda: TrainingConfig(weight_decay=1.0), "weight_decay is 1.0; it goes from 0 to below 1"),
    (lambda: TrainingConfig(image_noise=-1.0), "image_noise is -1.0; give a number"),
    (lambda: TrainingConfig(image_shift=-1), "image_shift is -1; it must be a whole number"),
    (lambda: FixedTrainingConfig(average=2), "average is 2; raw integers learn as the engine does"),
    (lambda: FixedTrainingConfig(weight_decay=0.1), "weight_decay is 0.1; raw integers learn"),
    (lambda: check_varied(TrainingConfig(image_shift=1), 12, "toy"), "12 pixels, which is no sq"),
    (lambda: check_varied(TrainingConfig(image_shift=8), 64, "toy"), "only 8 pixels wide"),
])
def test_misuse_is_said(make, message):
    with pytest.raises(MisuseError, match=message):
        make()


def test_an_average_of_a_resumed_run_is_refused(few, tmp_path):
    config = default_config("digits", SIZES, epochs=3, batch=20, average=2)
    train(layered(SIZES), few, replace(config, epochs=2, average=0), checkpoint=tmp_path / "c")
    with pytest.raises(MisuseError, match="the mean is of the last 2|average"):
        train(layered(SIZES), few, config, resume=tmp_path / "c")


def test_the_command_takes_the_options(capsys, tmp_path):
    path = tmp_path / "r.json"
    assert cli.main(["train", "--layers", "64-8-10", "--epochs", "1", "--hold-out", "1000",
                     "--image-shift", "1", "--schedule", "linear", "--weight-decay", "1e-4",
                     "--json", str(path)]) == 0
    told = path.read_text()
    assert '"held_out": 1000' in told and '"image_shift": 1' in told and '"schedule"' in told
    capsys.readouterr()
    assert cli.main(["train", "--rule", "flow", "--image-shift", "1"]) == 2
    assert "option --image-shift belongs to the rules" in capsys.readouterr().err
