"""Data sets: digits, MNIST, Fashion-MNIST and random images.

MNIST and Fashion-MNIST are read from their original IDX files (LeCun et al. 1998,
Xiao et al. 2017, arXiv 1708.07747).  The sha256 of the decompressed files is checked: accuracies
mean nothing when the data are not the data.
"""

from __future__ import annotations

import gzip
import hashlib
import os
import struct
import zlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..errors import MisuseError
from . import digits

#: Environment variable that names the folder of downloaded data.
FOLDER_VARIABLE = "APICAL_DATA"

#: IDX files in the order (train images, train labels, test images, test labels).
IDX_FILES = ("train-images-idx3-ubyte.gz", "train-labels-idx1-ubyte.gz",
             "t10k-images-idx3-ubyte.gz", "t10k-labels-idx1-ubyte.gz")

#: sha256 of the decompressed files, in that order.
CHECKSUMS = {
    "mnist": (
        "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
        "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
        "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
        "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2"),
    "fashion-mnist": (
        "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888",
        "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9",
        "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b",
        "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34"),
}

#: Names that :func:`load` knows.
NAMES = ("digits", "mnist", "fashion-mnist", "random")

#: Images of the digits that train; the other 397 test.
DIGITS_TRAIN = 1400
_DIGITS_SEED = 0


@dataclass(frozen=True, eq=False)
class Dataset:
    """Images in 0..1 and their classes.

    Parameters
    ----------
    name : str
    train, test : ndarray of shape (images, width), float32
    train_labels, test_labels : ndarray of shape (images,), int64, or None
        Classes 0 .. classes - 1; None for data without classes.
    classes : int
        0 for data without classes.

    Raises
    ------
    MisuseError
        For images that are not finite or outside 0..1, and labels outside the classes.
    """

    name: str
    train: np.ndarray
    test: np.ndarray
    train_labels: np.ndarray | None = None
    test_labels: np.ndarray | None = None
    classes: int = 0

    def __post_init__(self):
        for part in ("train", "test"):
            where = f"data '{self.name}', {part} images"
            images = np.asarray(getattr(self, part))
            if images.ndim != 2 or images.shape[1] != np.shape(self.train)[1]:
                raise MisuseError(f"{where}: shape {images.shape}, expected (images, width) with "
                                  "one width for both parts")
            if images.size and not (images.min() >= 0 and images.max() <= 1):
                image, pixel = np.argwhere(~((images >= 0) & (images <= 1)))[0]
                raise MisuseError(f"{where}: pixel {pixel} of image {image} is "
                                  f"{images[image, pixel]:g}; pixels are in 0..1")
            object.__setattr__(self, part, np.ascontiguousarray(images, np.float32))
            self._check_labels(part, len(images))

    def _check_labels(self, part, count):
        labels = getattr(self, f"{part}_labels")
        if labels is None:
            return
        where = f"data '{self.name}', {part} labels"
        labels = np.asarray(labels)
        if labels.shape != (count,) or labels.dtype.kind not in "iu":
            raise MisuseError(f"{where}: {labels.dtype} of shape {labels.shape}, expected {count} "
                              "integers, one an image")
        outside = (labels < 0) | (labels >= self.classes)
        if outside.any():
            image = int(np.flatnonzero(outside)[0])
            raise MisuseError(f"{where}: image {image} has class {labels[image]}; classes are "
                              f"0..{self.classes - 1}")
        object.__setattr__(self, f"{part}_labels", labels.astype(np.int64))

    @property
    def width(self) -> int:
        """Pixels of an image."""
        return self.train.shape[1]

    def fingerprint(self) -> int:
        """Checksum (CRC-32) of the training images and labels."""
        checksum = zlib.crc32(self.train)
        return checksum if self.train_labels is None else zlib.crc32(self.train_labels, checksum)


def load(name, folder=None, **options) -> Dataset:
    """Load a data set by name.

    Parameters
    ----------
    name : str
        One of `NAMES`.
    folder : path-like, optional
        Folder that holds ``mnist/`` and ``fashion-mnist/``; by default the one that the
        environment variable APICAL_DATA names.
    **options
        Passed to :func:`random_images` for ``"random"``.

    Raises
    ------
    MisuseError
        For unknown names, and for files that are missing, damaged or not the original data.
    """
    if name == "digits":
        return _digits()
    if name in CHECKSUMS:
        return _idx(name, folder)
    if name == "random":
        return random_images(**options)
    raise MisuseError(f"unknown data '{name}'; known: {', '.join(NAMES)}")


def one_hot(labels, classes, dtype=np.float32):
    """Targets of a nudge: ndarray of shape (images, classes), 1 at the class, 0 elsewhere."""
    return (np.asarray(labels)[:, None] == np.arange(classes)).astype(dtype)


def random_images(width=64, count=100, density=1.0, seed=0) -> Dataset:
    """Images of uniform numbers in [0, 1), with no classes.

    Parameters
    ----------
    width : int
        Pixels of an image.
    count : int
        Images of each part.
    density : float
        Probability that a pixel is not zero, 0..1.
    seed : int
    """
    if width < 1 or count < 1:
        raise MisuseError(f"random images need a width and a count of 1 at least, "
                          f"not {width} and {count}")
    if not 0 <= density <= 1:
        raise MisuseError(f"density {density} of random images is outside 0..1")
    rng = np.random.default_rng(seed)
    images = rng.random((2 * count, width), np.float32)
    images[rng.random(images.shape) >= density] = 0
    return Dataset("random", images[:count], images[count:])


def _digits():
    pixels, labels = digits.read()
    # RandomState: its streams are frozen for ever, those of default_rng are not.
    order = np.random.RandomState(_DIGITS_SEED).permutation(len(labels))
    images, labels = pixels[order] / digits.LEVELS, labels[order]
    return Dataset("digits", images[:DIGITS_TRAIN], images[DIGITS_TRAIN:],
                   labels[:DIGITS_TRAIN], labels[DIGITS_TRAIN:], 10)


def _idx(name, folder):
    folder = folder or os.environ.get(FOLDER_VARIABLE)
    if not folder:
        raise MisuseError(f"data '{name}' needs a folder: set {FOLDER_VARIABLE} to one that holds "
                          f"{_wanted(name)}")
    parts = [_read_idx(name, Path(folder) / name / file, checksum)
             for file, checksum in zip(IDX_FILES, CHECKSUMS[name], strict=True)]
    train, train_labels, test, test_labels = parts
    return Dataset(name, train / np.float32(255), test / np.float32(255),
                   train_labels.astype(np.int64), test_labels.astype(np.int64), 10)


def _wanted(name):
    original = {"mnist": "MNIST", "fashion-mnist": "Fashion-MNIST"}[name]
    return (f"{name}/{{{','.join(IDX_FILES)}}} (from any mirror of the original {original} IDX "
            "files; their sha256 is checked)")


def _read_idx(name, path, checksum):
    """Bytes of one IDX file as (images, pixels) or (images,), uint8."""
    try:
        with gzip.open(path) as file:
            content = file.read()
    except FileNotFoundError as error:
        raise MisuseError(f"data file '{path}' does not exist; {FOLDER_VARIABLE} names the folder "
                          f"that holds {_wanted(name)}") from error
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise MisuseError(f"data file '{path}' is truncated or no gzip file ({error}); "
                          "download it again") from error
    except OSError as error:
        raise MisuseError(f"data file '{path}' cannot be read: "
                          f"{(error.strerror or str(error)).lower()}") from error
    values = parse_idx(content, path)
    found = hashlib.sha256(content).hexdigest()
    if found != checksum:
        raise MisuseError(f"data file '{path}' is not the original: sha256 of its decompressed "
                          f"bytes is {found[:12]}.., expected {checksum[:12]}..; download it again")
    return values


def parse_idx(content: bytes, path):
    """Check and read the bytes of an IDX file of images (magic 2051) or labels (2049).

    Parameters
    ----------
    content : bytes
        Decompressed.
    path : path-like
        Named in errors.

    Returns
    -------
    ndarray of uint8
        Of shape (images, pixels) or (images,).
    """
    dimensions = {2051: 3, 2049: 1}
    magic = struct.unpack(">I", content[:4])[0] if len(content) >= 4 else None
    if magic not in dimensions:
        raise MisuseError(f"data file '{path}' is not an IDX file of images or labels: it starts "
                          f"with {magic}, expected 2051 or 2049")
    start = 4 + 4 * dimensions[magic]
    if len(content) < start:
        raise MisuseError(f"data file '{path}' ends inside its IDX header; download it again")
    shape = struct.unpack(f">{dimensions[magic]}I", content[4:start])
    if np.prod(shape, dtype=object) != len(content) - start:
        raise MisuseError(f"data file '{path}' has {len(content) - start} bytes of values, its "
                          f"header says {' x '.join(map(str, shape))}; download it again")
    values = np.frombuffer(content, np.uint8, offset=start)
    return values.reshape(shape[0], -1) if len(shape) > 1 and shape[0] else values
