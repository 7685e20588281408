"""Data sets: shapes, splits, and every way in which files can be wrong."""

import gzip
import hashlib
import os
import struct

import numpy as np
import pytest

from apical.golden.errors import ApicalError, MisuseError
from apical.golden.learning import data, digits
from apical.golden.learning.data import IDX_FILES, Dataset, load, one_hot, parse_idx, random_images


def images(count, seed=0):
    """Decompressed IDX bytes of random images."""
    pixels = np.random.default_rng(seed).integers(0, 256, (count, 28, 28), dtype=np.uint8)
    return struct.pack(">4I", 2051, count, 28, 28) + pixels.tobytes()


def labels(count, greatest=9):
    """Decompressed IDX bytes of labels."""
    return struct.pack(">2I", 2049, count) + bytes(i % (greatest + 1) for i in range(count))


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A folder with a small MNIST whose checksums are the expected ones."""
    contents = images(20), labels(20), images(10, 1), labels(10)
    write(tmp_path, contents)
    monkeypatch.setitem(data.CHECKSUMS, "mnist",
                        tuple(hashlib.sha256(content).hexdigest() for content in contents))
    return tmp_path


def write(folder, contents):
    (folder / "mnist").mkdir(exist_ok=True)
    for name, content in zip(IDX_FILES, contents, strict=True):
        (folder / "mnist" / name).write_bytes(gzip.compress(content))


def test_digits_have_a_fixed_split():
    first, second = load("digits"), load("digits")
    assert first.train.shape == (1400, 64) and first.test.shape == (397, 64)
    assert first.train.dtype == np.float32 and first.train_labels.dtype == np.int64
    assert first.train.min() == 0 and first.train.max() == 1
    np.testing.assert_array_equal(first.test, second.test)
    # Accuracies that are published hold for this split only.
    assert first.fingerprint() == second.fingerprint() == DIGITS
    assert np.bincount(first.test_labels).min() > 25
    every = {image.tobytes() for image in np.concatenate([first.train, first.test])}
    assert len(every) == 1797


DIGITS = 2646424449


def test_the_digits_are_those_of_scikit_learn():
    datasets = pytest.importorskip("sklearn.datasets")
    theirs = datasets.load_digits()
    pixels, classes = digits.read()
    np.testing.assert_array_equal(pixels, theirs.data)
    np.testing.assert_array_equal(classes, theirs.target)
    assert pixels.dtype == np.uint8 and classes.dtype == np.int64


@pytest.mark.parametrize(("damage", "message"), [
    (lambda content: content[:1000], r"^the digits '.*digits\.csv\.gz' cannot be read \(.*\); in"),
    (lambda content: gzip.compress(b"1" + gzip.decompress(content)), r"^the digits .* are damaged"),
    (None, r"^the digits '.*digits\.csv\.gz' cannot be read"),
])
def test_damaged_digits_are_refused(monkeypatch, tmp_path, damage, message):
    if damage is not None:
        (tmp_path / "digits.csv.gz").write_bytes(
            damage((digits.files(digits.__package__) / "digits.csv.gz").read_bytes()))
    monkeypatch.setattr(digits, "files", lambda package: tmp_path)
    with pytest.raises(ApicalError, match=message):
        digits.read()


def test_idx_files_are_read(folder):
    found = load("mnist", folder)
    assert found.train.shape == (20, 784) and found.test.shape == (10, 784)
    raw = np.frombuffer(images(20)[16:], np.uint8).reshape(20, 784)
    np.testing.assert_allclose(found.train, raw / 255, rtol=1e-6)
    assert found.test_labels.tolist() == list(range(10)) and found.classes == 10


def test_the_environment_names_the_folder(folder, monkeypatch):
    monkeypatch.setenv("APICAL_DATA", str(folder))
    assert len(load("mnist").train) == 20
    monkeypatch.delenv("APICAL_DATA")
    with pytest.raises(MisuseError, match=r"set APICAL_DATA.*train-images-idx3-ubyte.gz.*mirror"):
        load("mnist")


def test_a_missing_file_is_named(folder):
    (folder / "mnist" / IDX_FILES[3]).unlink()
    with pytest.raises(MisuseError, match=r"t10k-labels-idx1-ubyte.gz' does not exist; "
                                          r"APICAL_DATA names the folder"):
        load("mnist", folder)


@pytest.mark.parametrize(("content", "message"), [
    (images(20, seed=9), "is not the original: sha256"),
    (images(20)[:-1], "has 15679 bytes of values, its header says 20 x 28 x 28"),
    (images(20)[:10], "ends inside its IDX header"),
    (b"\0\0", "starts with None, expected 2051 or 2049"),
    (b"PNG...", "is not an IDX file"),
])
def test_wrong_contents_are_told_in_one_line(folder, content, message):
    write(folder, (content, labels(20), images(10, 1), labels(10)))
    with pytest.raises(MisuseError, match=message) as caught:
        load("mnist", folder)
    assert IDX_FILES[0] in str(caught.value) and "\n" not in str(caught.value)


@pytest.mark.parametrize("damage", [lambda b: b[:len(b) // 2], lambda b: b"not gzip at all",
                                    lambda b: b[:40] + b"\xff" * 40 + b[80:], lambda b: b""])
def test_damaged_gz_files_are_told_in_one_line(folder, damage):
    path = folder / "mnist" / IDX_FILES[0]
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(MisuseError, match="train-images-idx3-ubyte.gz' is") as caught:
        load("mnist", folder)
    assert "\n" not in str(caught.value)


def test_an_unreadable_file_is_told(folder):
    path = folder / "mnist" / IDX_FILES[0]
    path.unlink()
    path.mkdir()
    with pytest.raises(MisuseError, match="cannot be read: is a directory"):
        load("mnist", folder)


def test_a_forged_header_claims_no_memory():
    with pytest.raises(MisuseError, match="4294967295 x 4294967295"):
        parse_idx(struct.pack(">4I", 2051, *[2**32 - 1] * 3) + b"123", "file")


def test_random_images():
    found = random_images(width=30, count=200, density=0.25, seed=3)
    assert found.train.shape == found.test.shape == (200, 30)
    assert found.train_labels is None and found.classes == 0
    assert 0.2 < np.mean(found.train > 0) < 0.3 and found.train.max() < 1
    np.testing.assert_array_equal(found.train, random_images(30, 200, 0.25, 3).train)
    assert not np.array_equal(found.train, random_images(30, 200, 0.25, 4).train)
    assert load("random", width=5, count=2).train.shape == (2, 5)
    for bad in ({"width": 0}, {"count": 0}, {"density": 1.5}, {"density": float("nan")}):
        with pytest.raises(MisuseError):
            random_images(**bad)


def test_wrong_datasets_are_refused():
    good = np.full((3, 4), 0.5)
    for value in (np.nan, np.inf, -0.1, 1.1):
        bad = good.copy()
        bad[1, 2] = value
        with pytest.raises(MisuseError, match="train images: pixel 2 of image 1"):
            Dataset("d", bad, good)
    with pytest.raises(MisuseError, match=r"test images: shape \(3, 3\)"):
        Dataset("d", good, good[:, :3])
    with pytest.raises(MisuseError, match="train images: shape"):
        Dataset("d", np.zeros((3, 2, 2)), good)
    with pytest.raises(MisuseError, match=r"test labels: image 2 has class 3; classes are 0\.\.2"):
        Dataset("d", good, good, np.array([0, 1, 2]), np.array([0, 1, 3]), 3)
    with pytest.raises(MisuseError, match="train labels: image 0 has class -1"):
        Dataset("d", good, good, np.array([-1, 1, 2]), None, 3)
    with pytest.raises(MisuseError, match="train labels: int64 of shape"):
        Dataset("d", good, good, np.array([0, 1]), None, 3)
    with pytest.raises(MisuseError, match="train labels: float64"):
        Dataset("d", good, good, np.array([0.0, 1, 2]), None, 3)


def test_unknown_names_are_refused():
    with pytest.raises(MisuseError, match="unknown data 'cifar'; known: digits, mnist"):
        load("cifar")


def test_one_hot():
    np.testing.assert_array_equal(one_hot(np.array([2, 0]), 3), [[0, 0, 1], [1, 0, 0]])


@pytest.mark.data
@pytest.mark.parametrize(("name", "first"), [("mnist", [5, 0, 4, 1, 9]),
                                             ("fashion-mnist", [9, 0, 0, 3, 0])])
def test_the_original_files(name, first):
    try:
        found = load(name)
    except MisuseError as error:
        pytest.skip(str(error))
    assert found.train.shape == (60000, 784) and found.test.shape == (10000, 784)
    assert found.train_labels[:5].tolist() == first
    assert np.bincount(found.test_labels).sum() == 10000 and os.environ["APICAL_DATA"]
