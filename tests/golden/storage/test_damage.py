"""Damaged and foreign files: one line for everything that can be wrong."""

import io
import json
import math
import os
import zipfile

import numpy as np
import pytest
from store_case import NET, assert_same, model, quantized

from apical.golden.errors import MisuseError
from apical.golden.network import glorot
from apical.golden.program import Program, Relax
from apical.golden.program import layered as lay
from apical.golden.storage.description import to_dict
from apical.golden.storage.model import load_model, load_program, save_model, save_program


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
    ({"version": 2}, r"m\.npz' has version 2 of the format, this apical reads up to version 1; "),
    ({"version": "1"}, r"version \"1\" of the format is not a number from 1 on$"),
    ({"version": True}, r"version true of the format is not a number from 1 on$"),
    ({"version": 0}, r"version 0 of the format is not a number from 1 on$"),
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
     r"program\.ops\[0\]: unknown operation 'Jump' \(known: Clear, Decide, "),
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
     r"m\.npz': entry 'weights/W1' has \d+ bytes, more than its shape needs$"),
    ({"weights": {**glorot(NET, 1), "W1": np.full((5, 4), np.inf)}}, r"weight W1\[0, 0\] is inf"),
    ({"weights": {**glorot(NET, 1), "W1": np.full((5, 4), "x")}},
     r"entry 'weights/W1' holds \(5, 4\) values of type <U1"),
    ({"weights": {**glorot(NET, 1), "W1": np.zeros((5, 4), complex)}},
     r"entry 'weights/W1' holds \(5, 4\) values of type complex128"),
    ({"more": np.zeros(2)}, r"m\.npz': unknown entry 'more'$"),
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
    ("", r"p\.json' is not an Apical program: its header is not JSON$"),
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
