"""Model and program files: round trips, and one line for everything that can be wrong."""

import dataclasses
import io
import json
import math
import os
import types
import typing
import zipfile

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from apical.golden import layered as lay
from apical.golden import store
from apical.golden.errors import ApicalError, MisuseError
from apical.golden.files import check_writable, write_atomically
from apical.golden.formats import Format
from apical.golden.network import Matrix, Network, Population, glorot, layered
from apical.golden.program import Clear, Program, Relax
from apical.golden.quantize import quantize_network
from apical.golden.store import (
    Model,
    load_model,
    load_program,
    network_from_dict,
    program_from_dict,
    save_model,
    save_program,
    to_dict,
)

NET = layered([5, 4, 3])


def model(**changes):
    arguments = {"network": NET, "weights": glorot(NET, 1), "meta": {"seed": 1, "who": "é"},
                 "program": lay.inference(NET, 4, settled=0.125)}
    return Model(**{**arguments, **changes})


def quantized():
    result = quantize_network(NET, glorot(NET, 1))
    return model(weights=result.weights, formats=(result.state, result.weight))


def assert_same(a, b):
    assert (a.network, a.formats, a.meta, a.program) == (b.network, b.formats, b.meta, b.program)
    assert a.weights.keys() == b.weights.keys()
    for name in a.weights:
        assert a.weights[name].dtype == b.weights[name].dtype
        assert np.array_equal(a.weights[name], b.weights[name])


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
    return st.one_of([instances(kind, depth) for kind in store._operations().values()])


PROGRAMS = st.builds(Program, st.text(), st.lists(operations(2), max_size=5).map(tuple))


@given(PROGRAMS)
@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None)
def test_programs_round_trip_through_json(program):
    again = program_from_dict(json.loads(json.dumps(to_dict(program))))
    assert again == program
    # Equality of dataclasses would let 1 pass for 1.0 or True.
    assert repr(again) == repr(program)


def test_every_operation_of_the_program_module_is_known():
    known = store._operations()
    assert {"Project", "Nudge", "Update", "Clear", "Snapshot", "Difference", "Decide", "Outer",
            "Learn", "Relax"} <= set(known)
    assert "Program" not in known
    assert "Network" not in known


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


# Damaged and foreign files

def write_npz(path, header, weights=None, **more):
    """A model file with any header (dict or bytes) and entries."""
    if not isinstance(header, bytes):
        header = json.dumps(header).encode()
    weights = model().weights if weights is None else weights
    entries = {f"weights/{name}": values for name, values in weights.items()}
    np.savez(path, header=np.frombuffer(header, np.uint8), **entries, **more)


def header(**changes):
    made = {"format": "apical-model", "version": 1, "network": to_dict(NET), "formats": None,
            "program": to_dict(lay.inference(NET)), "meta": {}}
    return {**made, **changes}


def test_the_header_of_these_tests_is_right(tmp_path):
    write_npz(tmp_path / "m.npz", header())
    assert load_model(tmp_path / "m.npz").network == NET


def without(key):
    made = to_dict(NET)
    del made[key]
    return made


@pytest.mark.parametrize(("changes", "message"), [
    ({"format": "other"}, r"is not an Apical model: its format name is not 'apical-model'$"),
    ({"version": 2}, r"m\.npz' has version 2 of the format, this is a reader of version 1; ins"),
    ({"version": "1"}, r"version \"1\" of the format is no number$"),
    ({"version": True}, r"version true of the format is no number$"),
    ({"version": 0}, r"version 0 of the format is no number$"),
    ({"network": None}, r"m\.npz': network: not the description of a Network$"),
    ({"network": without("matrices")}, r"m\.npz': network: Network needs a 'matrices'$"),
    ({"network": {**to_dict(NET), "name": 3}}, r"network\.name: 3 is not of type str$"),
    ({"network": {**to_dict(NET), "extra": 3}}, r"network: Network has no 'extra'$"),
    ({"network": {**to_dict(NET), "type": "Program"}},
     r"network: a Network was expected, not 'Program'$"),
    ({"network": {**to_dict(NET), "populations": [{"type": "Population", "name": "a",
                                                   "size": 2.5}]}},
     r"network\.populations\[0\]\.size: 2\.5 is not of type int$"),
    ({"network": {**to_dict(NET), "populations": [{"type": "Population", "name": "a",
                                                   "size": 0}]}},
     r"population 'a' has size 0; sizes go from 1 to 65535$"),
    ({"formats": ["s16.12"]}, r"formats are not the state and the weight format$"),
    ({"formats": ["s16.12", 3]}, r"formats are not the state and the weight format$"),
    ({"formats": ["s16.12", "q"]}, r"'q' is not a number format"),
    ({"meta": []}, r"meta is not a dict$"),
    ({"program": {"type": "Program", "name": "p", "ops": [{"type": "Jump", "to": 3}]}},
     r"program\.ops\[0\]: unknown operation 'Jump' \(known: Project, "),
    ({"program": {"type": "Program", "name": "p", "ops": [{"type": "Clear"}]}},
     r"program\.ops\[0\]: Clear needs a 'population'$"),
    ({"program": {"type": "Program", "name": "p", "ops": [3]}},
     r"program\.ops\[0\]: not the description of an operation$"),
    ({"program": {"type": "Program", "name": "p", "ops": [
        {"type": "Relax", "steps": True, "body": []}]}},
     r"program\.ops\[0\]\.steps: true is not of type int$"),
    ({"program": {"type": "Program", "name": "p", "ops": [
        {"type": "Relax", "steps": 1, "body": [], "settled": "soon"}]}},
     r"program\.ops\[0\]\.settled: \"soon\" is not of type float or NoneType$"),
])
def test_headers_that_are_wrong(tmp_path, changes, message):
    write_npz(tmp_path / "m.npz", header(**changes))
    with pytest.raises(MisuseError, match=message) as error:
        load_model(tmp_path / "m.npz")
    assert "m.npz" in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("data", [b"", b"no json", b"[1]", b"\xff\xfe", b"[" * 100_000])
def test_headers_that_are_no_dict(tmp_path, data):
    write_npz(tmp_path / "m.npz", data)
    with pytest.raises(MisuseError, match=r"m\.npz' is not an Apical model"):
        load_model(tmp_path / "m.npz")


@pytest.mark.parametrize(("entries", "message"), [
    ({"weights": {k: v for k, v in glorot(NET, 1).items() if k != "b1"}},
     r"m\.npz': weights of matrix 'b1' are missing$"),
    ({"weights": {**glorot(NET, 1), "W1": np.zeros((5, 3))}},
     r"m\.npz': weights of matrix 'W1' have shape \(5, 3\), the network needs \(5, 4\)$"),
    ({"weights": {**glorot(NET, 1), "W1": np.zeros((500, 400))}},
     r"m\.npz': entry 'weights/W1' has \d+ bytes, which is more than its shape needs$"),
    ({"weights": {**glorot(NET, 1), "W1": np.full((5, 4), np.inf)}}, r"weight W1\[0, 0\] is inf"),
    ({"weights": {**glorot(NET, 1), "W1": np.full((5, 4), "x")}},
     r"entry 'weights/W1' holds \(5, 4\) values of type <U1"),
    ({"weights": {**glorot(NET, 1), "W1": np.zeros((5, 4), complex)}},
     r"entry 'weights/W1' holds \(5, 4\) values of type complex128"),
    ({"more": np.zeros(2)}, r"m\.npz': unknown entry 'more\.npy'$"),
])
def test_entries_that_are_wrong(tmp_path, entries, message):
    write_npz(tmp_path / "m.npz", header(), **entries)
    with pytest.raises(MisuseError, match=message):
        load_model(tmp_path / "m.npz")


def test_raw_weights_outside_their_format(tmp_path):
    weights = {name: values.copy() for name, values in quantized().weights.items()}
    weights["W1"][1, 1] = 40000
    write_npz(tmp_path / "m.npz", header(formats=["s16.12", "s16.12"]), weights)
    with pytest.raises(MisuseError, match=r"m\.npz': raw weight W1\[1, 1\] is 40000, which is no"):
        load_model(tmp_path / "m.npz")


def test_a_forged_shape_claims_no_memory(tmp_path):
    buffer = io.BytesIO()
    np.lib.format.write_array_header_1_0(
        buffer, {"descr": "<f8", "fortran_order": False, "shape": (10 ** 12, 4)})
    save_model(tmp_path / "m.npz", model())
    with zipfile.ZipFile(tmp_path / "m.npz") as archive:
        entries = {name: archive.read(name) for name in archive.namelist()}
    entries["weights/W1.npy"] = buffer.getvalue()
    with zipfile.ZipFile(tmp_path / "m.npz", "w") as archive:
        for name, data in entries.items():
            archive.writestr(name, data)
    with pytest.raises(MisuseError, match=r"holds \(1000000000000, 4\) values of type float64"):
        load_model(tmp_path / "m.npz")


def test_pickles_are_never_opened(tmp_path):
    class Bomb:
        def __reduce__(self):
            return os.mkdir, (str(tmp_path / "exploded"),)

    array = np.empty((5, 4), object)
    array[:] = Bomb()
    np.savez(tmp_path / "m.npz", header=np.frombuffer(json.dumps(header()).encode(), np.uint8),
             **{"weights/W1": array}, allow_pickle=True)
    with pytest.raises(MisuseError):
        load_model(tmp_path / "m.npz")
    assert os.listdir(tmp_path) == ["m.npz"]


@pytest.mark.parametrize(("name", "message"), [
    ("nothing", r"^model file '.*nothing' does not exist$"),
    ("folder", r"^'.*folder' is a folder, not a model file$"),
    ("text/f", r"^model file '.*text/f' cannot be read: not a directory$"),
    ("empty", r"^'.*empty' is not an Apical model, or it is damaged \(.*\)$"),
    ("text", r"^'.*text' is not an Apical model, or it is damaged \(File is not a zip file\)$"),
    ("array.npy", r"is not an Apical model, or it is damaged"),
    ("other.npz", r"^'.*other\.npz' is not an Apical model: the archive has no header$"),
])
def test_files_that_are_no_model(tmp_path, name, message):
    (tmp_path / "folder").mkdir()
    (tmp_path / "empty").touch()
    (tmp_path / "text").write_text("hello")
    np.save(tmp_path / "array.npy", np.zeros(3))
    np.savez(tmp_path / "other.npz", W1=np.zeros((5, 4)))
    with pytest.raises(MisuseError, match=message):
        load_model(tmp_path / name)


def test_truncated_files_are_refused(tmp_path):
    save_model(tmp_path / "m.npz", model())
    data = (tmp_path / "m.npz").read_bytes()
    cut = tmp_path / "cut.npz"
    for size in range(0, len(data), 7):
        cut.write_bytes(data[:size])
        with pytest.raises(MisuseError, match=r"cut\.npz' is not an Apical model, or it is dam"):
            load_model(cut)


def test_flipped_bits_are_refused_or_harmless(tmp_path):
    # The archive has check sums; only dates and the like may change unnoticed.
    save_model(tmp_path / "m.npz", model())
    data = bytearray((tmp_path / "m.npz").read_bytes())
    rng = np.random.default_rng(0)
    refused = 0
    for place in range(0, len(data), 3):
        damaged = bytearray(data)
        damaged[place] ^= 1 << rng.integers(8)
        (tmp_path / "d.npz").write_bytes(damaged)
        try:
            again = load_model(tmp_path / "d.npz")
        except MisuseError as error:
            assert "\n" not in str(error)
            refused += 1
        else:
            assert_same(again, model())
    assert refused > len(data) / 3 / 2


@pytest.mark.parametrize(("text", "message"), [
    ("", r"p\.json' is not an Apical program: its header is no JSON text$"),
    ("{}", r"its format name is not 'apical-program'$"),
    ('{"format": "apical-program", "version": 9}', r"has version 9 of the format"),
    ('{"format": "apical-program", "version": 1}',
     r"p\.json': program: not the description of a Program$"),
])
def test_files_that_are_no_program(tmp_path, text, message):
    (tmp_path / "p.json").write_text(text)
    with pytest.raises(MisuseError, match=message):
        load_program(tmp_path / "p.json")


def test_program_nested_without_end(tmp_path):
    nested = '{"type": "Relax", "steps": 1, "body": [' * 5000 + "]}" * 5000
    (tmp_path / "p.json").write_text(
        '{"format": "apical-program", "version": 1, "program": '
        '{"type": "Program", "name": "p", "ops": [' + nested + "]}}")
    with pytest.raises(MisuseError, match=r"p\.json' is not an Apical program"):
        load_program(tmp_path / "p.json")


def test_a_threshold_json_has_no_word_for(tmp_path):
    with pytest.raises(MisuseError, match=r"^program 'p' cannot be stored"):
        save_program(tmp_path / "p.json", Program("p", (Relax(1, (), math.inf),)))


# Writing

def test_a_failed_write_leaves_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / "m.npz"
    save_model(path, model())
    before = path.read_bytes()

    def full(_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(ApicalError, match=r"^cannot write '.*m\.npz': no space left on device$"):
        save_model(path, quantized())
    assert path.read_bytes() == before
    assert os.listdir(tmp_path) == ["m.npz"]


def test_an_interrupted_write_leaves_nothing(tmp_path, monkeypatch):
    def interrupt(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "replace", interrupt)
    with pytest.raises(KeyboardInterrupt):
        write_atomically(tmp_path / "f", b"x")
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("check", [check_writable, lambda path: write_atomically(path, b"x")])
@pytest.mark.parametrize(("name", "message"), [
    ("no/f", r"^cannot write '.*no/f': folder '.*no' does not exist; create it$"),
    ("file/f", r"^cannot write '.*file/f': not a directory$"),
    ("folder", r"^cannot write '.*folder': (it is a folder; give a file name|is a directory)$"),
    ("x" * 300, r"^cannot write '.*x': file name too long$"),
])
def test_places_that_cannot_be_written(tmp_path, check, name, message):
    (tmp_path / "file").touch()
    (tmp_path / "folder").mkdir()
    with pytest.raises(ApicalError, match=message) as error:
        check(tmp_path / name)
    assert error.value.exit_code == 1
    assert sorted(os.listdir(tmp_path)) == ["file", "folder"]


def test_check_writable_leaves_things_as_they_are(tmp_path):
    (tmp_path / "f").write_text("old")
    check_writable(tmp_path / "f")
    check_writable(tmp_path / "g")
    assert os.listdir(tmp_path) == ["f"]
    assert (tmp_path / "f").read_text() == "old"


def test_devices_are_written_not_replaced():
    check_writable("/dev/null")
    write_atomically("/dev/null", b"x")
    assert not os.path.isfile("/dev/null")
    with pytest.raises(ApicalError, match=r"^cannot write '/dev/full': no space left on device$"):
        write_atomically("/dev/full", b"x")


def test_a_link_keeps_pointing(tmp_path):
    (tmp_path / "real").write_text("old")
    (tmp_path / "link").symlink_to(tmp_path / "real")
    write_atomically(tmp_path / "link", b"new")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "real").read_text() == "new"
