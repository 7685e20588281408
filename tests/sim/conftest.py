"""Builds of the toy design, made once for all tests of this folder."""

import os
import shutil
import sys
from pathlib import Path

import pytest

from apical.golden.storage.cache import root
from apical.sim.bench.harness import harness_component
from apical.sim.bench.streams import state_stream
from apical.sim.simulators.runner import build

FOLDER = Path(__file__).parent
sys.path.insert(0, str(FOLDER))  # the toy design, here and inside the simulator

LANES = 5
NEEDS = {"verilator": "g++", "bare": "g++", "icarus": "iverilog"}


@pytest.fixture(scope="session")
def cache():
    """The cache of the user, which all runs share: a build is made once."""
    return root()


@pytest.fixture(scope="session")
def toy_bench():
    """The toy design in the bench; few records a file, so that there are many seams."""
    from toy import Toy

    return harness_component(Toy(LANES), [state_stream(LANES)], records=700)


@pytest.fixture(scope="session")
def toy_build(cache, toy_bench):
    """A function from simulator name to build; skips where the simulator is missing."""

    def make(simulator, **options):
        program = NEEDS[simulator]
        if shutil.which(program) is None:
            pytest.skip(f"{program} is not installed")
        return build(toy_bench, simulator, cache=cache, **options)

    return make


@pytest.fixture
def environment():
    """What the toy's cocotb tests need to know."""
    return {"TOY_LANES": LANES, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
