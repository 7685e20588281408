"""The 1797 handwritten digits of 8 x 8 pixels that come with the package.

They are the test part of E. Alpaydin and C. Kaynak, "Optical Recognition of Handwritten Digits"
(1998), UCI Machine Learning Repository, https://doi.org/10.24432/C50P49, licence CC BY 4.0, in the
order in which scikit-learn's ``load_digits`` returns them.  The file ``digits.csv.gz`` has one line
an image: 64 pixels of 0..16, row by row, and the class.
"""

from __future__ import annotations

import gzip
import hashlib
import zlib
from importlib.resources import files

import numpy as np

from ..errors import ApicalError

#: sha256 of the decompressed file.
CHECKSUM = "6ebb3d2fee246a4e99363262ddf8a00a3c41bee6014c373ed9d9216ba7f651b8"

#: Largest value of a pixel.
LEVELS = 16


def read():
    """Pixels and classes, in the order of the file.

    Returns
    -------
    pixels : ndarray of shape (1797, 64), uint8
        0..16.
    labels : ndarray of shape (1797,), int64
        0..9.

    Raises
    ------
    ApicalError
        When the file is missing or damaged.
    """
    path = files(__package__) / "digits.csv.gz"
    try:
        text = gzip.decompress(path.read_bytes())
    except (OSError, EOFError, zlib.error) as error:
        raise ApicalError(f"the digits '{path}' cannot be read ({error}); install apical "
                          "again") from error
    if hashlib.sha256(text).hexdigest() != CHECKSUM:
        raise ApicalError(f"the digits '{path}' are damaged; install apical again")
    table = np.array([line.split(",") for line in text.decode().splitlines()], np.uint8)
    return table[:, :-1], table[:, -1].astype(np.int64)
