"""Place and route with several seeds of the placer, side by side if wanted; the best is kept."""

from __future__ import annotations

import os
import shutil
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path
from threading import Event

from ...golden.errors import ApicalError
from ...hw.export.synthesis import StoppedError, Tool
from .catalog import Board
from .routing import place_and_route


@dataclass(frozen=True)
class Attempt:
    """One seed.

    Attributes
    ----------
    seed : int
    folder : Path
        Files of nextpnr.
    figures : dict or None
        See :func:`apical.boards.build.routing.read_report`; None where routing did not end.
    """

    seed: int
    folder: Path
    figures: dict | None

    @property
    def fmax(self) -> float | None:
        """Nextpnr's estimate, MHz; None where routing did not end."""
        return self.figures["fmax_mhz"] if self.figures else None


def try_seeds(board: Board, folder: Path, seeds, tool: Tool, *, jobs=1, until=None, lanes=0,
              detailed=False, say=lambda text: None) -> list:
    """Place and route a synthesized design with each seed, in folders ``seed-N``.

    Whatever ends the call ends every nextpnr that it started.

    Parameters
    ----------
    folder : path
        With ``top.json`` and the pin constraints.
    seeds : iterable of int
    tool : Tool
        The nextpnr of the family.
    jobs : int
        Runs at the same time, each a process.
    until : float, optional
        Start no further seed after one that reaches this clock, MHz.
    lanes : int
        Multipliers that the design must contain.
    detailed : bool
        Keep the arrival times of all endpoints.
    say : callable
        Takes progress, in words.

    Returns
    -------
    list of Attempt
        In order of seeds.

    Raises
    ------
    ApicalError
        When nextpnr fails, or synthesis lost multipliers.
    """
    enough, stop = Event(), Event()
    goal = board.clock / 1e6

    def attempt(seed):
        if enough.is_set() or stop.is_set():
            return None
        inside = folder / f"seed-{seed}"
        inside.mkdir()
        say(f"place and route: {tool.version}, seed {seed}")
        inputs = ("top.json", board.device.family.constraints_file)
        for name in inputs:
            _link(folder / name, inside / name)
        try:
            figures = place_and_route(board, inside, seed, tool=tool, detailed=detailed,
                                      stop=lambda: "interrupted" if stop.is_set() else None)
        except StoppedError as error:
            say(f"seed {seed}: {error}")
            return Attempt(seed, inside, None)
        finally:
            for name in inputs:
                (inside / name).unlink(missing_ok=True)
        if figures["dsps"] < lanes:
            raise ApicalError(f"synthesis lost multipliers: {lanes} lanes, {figures['dsps']} in "
                              "the netlist")
        say(f"seed {seed} reaches {figures['fmax_mhz']} MHz, the board runs at {goal:g}")
        if until is not None and figures["fmax_mhz"] >= until:
            enough.set()
        return Attempt(seed, inside, figures)

    with ThreadPoolExecutor(jobs) as pool:
        try:
            running = [pool.submit(attempt, seed) for seed in seeds]
            found = [future.result() for future in as_completed(running)]
        except BaseException:
            stop.set()
            raise
    return sorted((one for one in found if one is not None), key=lambda one: one.seed)


def best(attempts) -> Attempt | None:
    """The attempt with the highest fmax, the first of equals; None where none was routed."""
    routed = [one for one in attempts if one.figures is not None]
    return max(routed, key=lambda one: one.fmax, default=None)


def _link(source, target):
    try:
        os.link(source, target)
    except OSError:  # not on this file system
        shutil.copyfile(source, target)
