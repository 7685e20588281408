"""The engine computes what the fixed executor computes, bit for bit (pysim, small engines)."""

import pytest
from engine_case import check_layered

CASES = [
    # sizes, lanes, update lanes, density, program
    ([5, 4, 3], 2, 1, 1.0, {"steps": 3}),
    ([16, 12, 10], 4, 4, 0.3, {"steps": 3, "settled": 0.02}),
    ([37, 5, 17], 7, 2, 0.3, {"steps": 2, "start": "zero"}),
    ([32, 2], 8, 8, 0.0, {"steps": 0}),
    ([21, 2], 1, 1, 1.0, {"steps": 2}),
    ([34, 15], 64, 16, 0.5, {"steps": 2}),
    ([12, 24, 36, 24, 6], 11, 1, 0.5, {"steps": 5, "settled": 0.2}),
    ([7, 25, 36, 23], 28, 16, 0.5, {"steps": 3}),
    ([40, 33, 3], 22, 4, 0.19, {"steps": 6}),
]


@pytest.mark.parametrize(("sizes", "lanes", "quick", "density", "program"), CASES)
def test_layered_networks_are_bit_exact(sizes, lanes, quick, density, program):
    check_layered(sizes, lanes, quick, density=density, **program)
