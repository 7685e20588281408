"""BLAS on one thread: the products here are small, and two threads make them many times slower.

NumPy's BLAS reads the environment once, when NumPy is imported; so this is called before, by the
command line, by benchmarks and by the tests.
"""

from __future__ import annotations

import os

#: Variables that BLAS libraries read: OpenBLAS, OpenMP builds, MKL.
VARIABLES = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS")


def pin(environment=os.environ):
    """Ask for one BLAS thread wherever the environment does not say another number."""
    for name in VARIABLES:
        environment.setdefault(name, "1")
