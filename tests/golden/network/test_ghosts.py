"""Networks of ghost units: feedback weights of their own."""

import numpy as np
import pytest

from apical.golden.network.ghosts import SEPARATE, ghost_network, ghost_weights

SIZES = (12, 10, 8, 4)


@pytest.mark.parametrize("mode", SEPARATE)
def test_separate_feedback_has_its_own_matrices(mode):
    network = ghost_network(SIZES, mode)
    assert [m.shape for m in network.matrices if m.name[0] == "F"] == [(8, 10), (4, 8)]
    for k in (2, 3):
        down, cancel = network.projection(f"down{k}"), network.projection(f"cancel{k - 1}")
        assert down.matrix == cancel.matrix == f"F{k}" and (down.sign, cancel.sign) == (1, -1)
        assert network.projection(f"ghost{k - 1}").matrix == f"W{k}"
    weights = ghost_weights(network, 0, 2.0)
    for k in (2, 3):  # the deviation is that of the forward weights
        assert weights[f"F{k}"].std() == pytest.approx(2 / np.sqrt(SIZES[k - 1]), rel=0.35)
