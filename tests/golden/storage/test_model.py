"""Model and program files: round trips, and what a model refuses."""

import dataclasses
import json
import os
import types
import typing

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from store_case import NET, assert_same, model, quantized

from apical.golden.errors import MisuseError
from apical.golden.network import Matrix, Network, Population, glorot, layered
from apical.golden.numbers.formats import Format
from apical.golden.program import KINDS, Clear, Program
from apical.golden.storage.description import network_from_dict, program_from_dict, to_dict
from apical.golden.storage.model import (
    Model,
    load_model,
    load_program,
    save_model,
    save_program,
)

# Round trips

def strategy(hint, depth=2):
    """Values of an annotation, so that a new operation is covered without a line here."""
    if hint is tuple:
        below = operations(depth - 1) if depth else st.nothing()
        return st.lists(below, max_size=3).map(tuple) if depth else st.just(())
    if isinstance(hint, types.UnionType):
        return st.one_of([strategy(one, depth) for one in typing.get_args(hint)])
    if typing.get_origin(hint) is tuple:
        inner = typing.get_args(hint)
        if inner[-1] is Ellipsis:
            return st.lists(strategy(inner[0], depth), max_size=3).map(tuple)
        return st.tuples(*[strategy(one, depth) for one in inner])
    if dataclasses.is_dataclass(hint):
        return instances(hint, depth)
    if hint is float:
        return st.floats(allow_nan=False, allow_infinity=False)
    return {int: st.integers(), str: st.text(), bool: st.booleans(),
            type(None): st.none()}[hint]


def instances(kind, depth):
    hints = typing.get_type_hints(kind)
    return st.builds(kind, **{f.name: strategy(hints[f.name], depth)
                              for f in dataclasses.fields(kind)})


def operations(depth):
    return st.one_of([instances(kind, depth) for kind in KINDS.values()])


PROGRAMS = st.builds(Program, st.text(), st.lists(operations(2), max_size=5).map(tuple))


@given(PROGRAMS)
@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None)
def test_programs_round_trip_through_json(program):
    again = program_from_dict(json.loads(json.dumps(to_dict(program))))
    assert again == program
    # Equality of dataclasses would let 1 pass for 1.0 or True.
    assert repr(again) == repr(program)


def test_parts_of_operations_are_no_operations():
    """They are read as fields only."""
    assert {"Project", "Update", "Learn", "Relax"} <= set(KINDS)
    for part in ("Nudge", "Outer", "Program", "Network"):
        data = {"type": "Program", "name": "p", "ops": [{"type": part}]}
        with pytest.raises(MisuseError, match=rf"unknown operation '{part}' \(known: Clear, Dec"):
            program_from_dict(data)


@pytest.mark.parametrize("sizes", [[4, 2], [5, 4, 3], [6, 5, 4, 3]])
@pytest.mark.parametrize("rate", ["hard-sigmoid", "hard-tanh", "logistic"])
def test_networks_round_trip(sizes, rate):
    net = layered(sizes, rate)
    assert network_from_dict(json.loads(json.dumps(to_dict(net)))) == net


@pytest.mark.parametrize("make", [model, quantized, lambda: model(program=None, meta={})])
def test_models_round_trip(tmp_path, make):
    path = tmp_path / "model.npz"
    save_model(path, make())
    assert_same(load_model(path), make())
    assert os.listdir(tmp_path) == ["model.npz"]


def test_equal_models_give_equal_bytes(tmp_path):
    save_model(tmp_path / "a", model())
    save_model(tmp_path / "b", model())
    save_model(tmp_path / "c", model(meta={"seed": 2}))
    a, b, c = ((tmp_path / name).read_bytes() for name in "abc")
    assert a == b != c


def test_numpy_alone_opens_a_model(tmp_path):
    save_model(tmp_path / "m.npz", quantized())
    with np.load(tmp_path / "m.npz", allow_pickle=False) as archive:
        assert (archive["weights/W1"] == quantized().weights["W1"]).all()
        header = json.loads(archive["header"].tobytes())
    assert header["format"] == "apical-model"
    assert header["formats"] == ["s16.12", "s16.12"]


def test_a_model_resaved_by_numpy_loads(tmp_path):
    save_model(tmp_path / "m.npz", quantized())
    with np.load(tmp_path / "m.npz") as archive:
        entries = {name: np.asfortranarray(archive[name]) for name in archive.files}
    entries["weights/W1"] = entries["weights/W1"].astype(np.int32)
    np.savez_compressed(tmp_path / "n.npz", **entries)
    assert_same(load_model(tmp_path / "n.npz"), quantized())


@pytest.mark.parametrize("name", ["a/b", "../x", "naïve", "", "50%", "header", "a.npy"])
def test_odd_matrix_names(tmp_path, name):
    net = Network("n", (Population("a", 2),), (Matrix(name, 2, 3), Matrix("b", 1, 1)), ())
    weights = {name: np.arange(6.0).reshape(2, 3), "b": np.ones((1, 1))}
    save_model(tmp_path / "m", Model(net, weights))
    assert_same(load_model(tmp_path / "m"), Model(net, weights))


@given(PROGRAMS)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
          deadline=None, max_examples=20)
def test_program_files_round_trip(tmp_path, program):
    save_program(tmp_path / "p.json", program)
    assert load_program(tmp_path / "p.json") == program


def test_real_weights():
    real = model().real_weights()
    assert real["W1"].tolist() == model().weights["W1"].tolist()
    back = quantized().real_weights()
    assert back["W1"].tolist() == (quantized().weights["W1"] / 4096).tolist()
    original = model()
    original.real_weights()["W1"][:] = 0
    assert original.weights["W1"].any()


# What a model refuses

def changed(name, at, value):
    weights = quantized().weights
    weights = {key: values.astype(float) for key, values in weights.items()}
    weights[name][at] = value
    return weights


@pytest.mark.parametrize(("arguments", "message"), [
    ({"weights": {}}, r"^weights of matrix 'W1' are missing$"),
    ({"weights": {**glorot(NET, 1), "W9": np.zeros(1)}},
     r"^weights of matrix 'W9', which network '5-4-3' does not have \(it has: W1, b1, W2, b2\)$"),
    ({"weights": {**glorot(NET, 1), "W2": np.zeros((4, 4))}},
     r"^weights of matrix 'W2' have shape \(4, 4\), the network needs \(4, 3\)$"),
    ({"weights": {**glorot(NET, 1), "b1": np.full((1, 4), np.nan)}}, r"^weight b1\[0, 0\] is nan"),
    ({"weights": changed("W1", (2, 3), 32768), "formats": (Format(16, 12), Format(16, 12))},
     r"^raw weight W1\[2, 3\] is 32768\.0, which is no value of format s16\.12 \(-32768\.\."),
    ({"weights": changed("W1", (0, 1), 0.5), "formats": (Format(16, 12), Format(16, 12))},
     r"^raw weight W1\[0, 1\] is 0\.5, which is no value"),
    ({"weights": changed("b2", (0, 1), -1), "formats": (Format(16, 12), Format(16, 12, False))},
     r"^raw weight .* is -\d+(\.0)?, which is no value of format u16\.12"),
    ({"program": Program("p", (Clear("h9"),))}, r"has no populations entry 'h9'"),
])
def test_models_that_cannot_be(arguments, message):
    with pytest.raises(MisuseError, match=message):
        model(**arguments)


def test_weights_are_copied():
    weights = glorot(NET, 1)
    made = Model(NET, weights)
    weights["W1"][0, 0] = 77
    assert made.weights["W1"][0, 0] != 77


@pytest.mark.parametrize("meta", [{"x": float("nan")}, {"x": object()}, {"x": {1, 2}}])
def test_meta_that_json_does_not_hold(tmp_path, meta):
    with pytest.raises(MisuseError, match=r"^model of network '5-4-3' cannot be stored: .*; use"):
        save_model(tmp_path / "m.npz", model(meta=meta))
    assert os.listdir(tmp_path) == []
