"""Files and numbers of version 0.1.0: they load, resume and come out the same to the bit.

``saved/`` was written by version 0.1.0 before its modules moved: models, programs of all systems,
checkpoints after the first of two epochs, and ``expected.json`` with the weights (sha256 of names
and values), signatures and configuration hashes that followed.
"""

import hashlib
import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from apical.golden import layered_network, load
from apical.golden.learning import fixed, flow
from apical.golden.learning import float as training
from apical.golden.storage.model import load_model, load_program, save_model, save_program
from apical.golden.systems.cases import case_names, learning_case, run_case
from apical.hw.interface import config as engines_of
from apical.hw.interface.presets import PRESETS

SAVED = Path(__file__).parent / "saved"
EXPECTED = json.loads((SAVED / "expected.json").read_text())


def digest(weights):
    return hashlib.sha256(b"".join(name.encode() + np.ascontiguousarray(weights[name]).tobytes()
                                   for name in sorted(weights))).hexdigest()


@pytest.fixture(scope="module")
def few_digits():
    digits = load("digits")
    return replace(digits, train=digits.train[:60], train_labels=digits.train_labels[:60],
                   test=digits.test[:40], test_labels=digits.test_labels[:40])


@pytest.mark.parametrize("name", ["float.npz", "fixed.npz"])
def test_models_load_and_are_written_as_before(name, tmp_path):
    save_model(tmp_path / name, load_model(SAVED / name))
    assert (tmp_path / name).read_bytes() == (SAVED / name).read_bytes()


@pytest.mark.parametrize("name", sorted(EXPECTED["cases"]))
def test_programs_are_those_of_before(name, tmp_path):
    program = load_program(SAVED / f"{name}.json")
    assert program == learning_case(name).program
    save_program(tmp_path / "program.json", program)
    assert (tmp_path / "program.json").read_bytes() == (SAVED / f"{name}.json").read_bytes()


@pytest.mark.parametrize("name", sorted(EXPECTED["cases"]))
def test_cases_end_at_the_weights_and_signatures_of_before(name):
    run = run_case(learning_case(name))
    signature = sum(int(result.signatures.sum()) for result in run.results) & 0xFFFFFFFF
    assert {"signature": signature, "weights": digest(run.weights)} == EXPECTED["cases"][name]


def test_a_checkpoint_in_raw_integers_ends_where_it_would_have(few_digits, tmp_path):
    shutil.copy(SAVED / "fixed.ckpt", tmp_path)
    config = fixed.default_fixed_config("digits", (64, 8, 10), epochs=2)
    result = fixed.train_fixed(layered_network((64, 8, 10)), few_digits, config,
                               resume=tmp_path / "fixed.ckpt")
    assert digest(result.weights) == EXPECTED["fixed_weights"]
    assert result.signature == EXPECTED["fixed_signature"]


@pytest.mark.parametrize(("name", "network", "module", "config"), [
    ("float.ckpt", layered_network((64, 8, 10)), training,
     training.default_config("digits", (64, 8, 10), epochs=2)),
    # What was the rule flow is one-flip flow now; its settings and checkpoints still say flow.
    ("flow.ckpt", flow.machine((64, 12)), flow,
     flow.default_config("digits", 1, "flow-one-flip", epochs=2)),
])
def test_a_checkpoint_in_floating_point_ends_at_the_unbroken_run(name, network, module, config,
                                                                 few_digits):
    # Not to the bit: the first epoch was computed by another build of NumPy, perhaps.
    resumed = module.train(network, few_digits, config, resume=SAVED / name)
    unbroken = module.train(network, few_digits, config)
    for matrix, values in unbroken.weights.items():
        np.testing.assert_allclose(resumed.weights[matrix], values, atol=1e-5, err_msg=matrix)


def test_every_system_is_still_there():
    assert set(EXPECTED["cases"]) <= set(case_names())


def test_engines_keep_their_hashes(monkeypatch):
    """Presets, and the engines of two boards whose presets have tiles since.

    The instructions of engine version 2 are others, so its engines have other hashes: those of
    version 1 come of the same fields, without a queue of changes.
    """
    assert engines_of.ENGINE_VERSION == 2
    learning = PRESETS["ulx3s-25f-learning"].replace(input_banks=2, loop_counters=4)
    new = {name: PRESETS[name].hash for name in EXPECTED["presets"]}
    assert not set(new.values()) & set(EXPECTED["presets"].values())
    monkeypatch.setattr(engines_of, "ENGINE_VERSION", 1)
    engines = PRESETS | {
        "ulx3s-45f": learning.replace(weight_depth=5120, state_depth=32, accumulator_depth=32),
        "ulx3s-85f": learning.replace(lanes=16, weight_depth=12800, weight_latency=4,
                                      state_depth=80, accumulator_depth=64)}
    old = {name: engines[name].replace(change_depth=0).hash for name in EXPECTED["presets"]}
    assert old == EXPECTED["presets"]
