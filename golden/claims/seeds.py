"""Checks over many seeds: in order, kept after each group, and put into one report."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from ..errors import ApicalError, MisuseError
from ..storage.atomic import write_atomically
from . import SYSTEMS, Figure, Row, groups, run_group


@dataclass(frozen=True)
class Task:
    """One group of checks at one seed.

    Attributes
    ----------
    seed : int
    system : str
    group : callable
    executor : str
    """

    seed: int
    system: str
    group: Callable
    executor: str = "float"

    @property
    def name(self) -> str:
        """Seed, system and group."""
        return f"{self.seed}/{self.system}/{self.group.__name__}"


@dataclass
class Done:
    """What a task yielded: its rows as dicts, its figures, and how long it took."""

    task: Task
    rows: list
    seconds: float
    figures: list = field(default_factory=list)
    kept: bool = False


def tasks(name, seeds, executor="float", full=False, only=()) -> list[Task]:
    """The tasks of a system, or of ``"all"``, seed after seed.

    Parameters
    ----------
    seeds : sequence of int
    only : sequence of str
        Names of groups; by default all.

    Raises
    ------
    MisuseError
        For a system or a group that does not exist.
    """
    systems = SYSTEMS if name == "all" else (name,)
    found = [(system, group) for system in systems for group in groups(system, executor, full)]
    known = list(dict.fromkeys(group.__name__ for _, group in found))
    for wanted in only:
        if wanted not in known:
            raise MisuseError(f"unknown group '{wanted}'; known: {', '.join(known)}")
    return [Task(seed, system, group, executor) for seed in seeds for system, group in found
            if not only or group.__name__ in only]


class Checkpoint:
    """Rows of finished tasks in a file, replaced after each.

    Parameters
    ----------
    path : path-like
    sources : str
        Digest of the code that the rows come from (`digest`).
    resume : bool
        Take up what the file holds; otherwise start anew.

    Raises
    ------
    MisuseError
        When a file to be resumed is of other code, or no checkpoint.
    """

    def __init__(self, path, sources, resume=False):
        self.path, self.found = Path(path), {"sources": sources, "done": {}}
        if not resume or not self.path.exists():
            return
        try:
            found = json.loads(self.path.read_text())
            same = found["sources"] == sources and isinstance(found["done"], dict)
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise MisuseError(f"'{path}' is no checkpoint of checks; give another file") from error
        if not same:
            raise MisuseError(f"checkpoint '{path}' is of other code than this; its rows cannot "
                              "be mixed with new ones, so start without --resume")
        self.found = found

    def take(self, task) -> Done | None:
        """What was kept of a task, if anything."""
        kept = self.found["done"].get(f"{task.executor}/{task.name}")
        return None if kept is None else Done(task, kept["rows"], kept["seconds"], kept=True)

    def keep(self, done):
        """Keep a finished task."""
        self.found["done"][f"{done.task.executor}/{done.task.name}"] = {
            "rows": done.rows, "seconds": done.seconds}
        write_atomically(self.path, json.dumps(self.found).encode())


def digest() -> str:
    """Digest of the sources of `golden`: rows of equal digests come from equal code."""
    import hashlib

    folder, total = Path(__file__).resolve().parents[1], hashlib.sha256()
    for path in sorted(folder.rglob("*.py")) + sorted(folder.rglob("*.json")):
        total.update(f"{path.relative_to(folder)}\0".encode() + path.read_bytes() + b"\0")
    return total.hexdigest()


def run(todo, checkpoint=None, figures=False, on_row=lambda row: None) -> Iterator[Done]:
    """Run tasks in order.

    Parameters
    ----------
    todo : sequence of Task
    checkpoint : Checkpoint or None
    figures : bool
        Figures of the first seed are wanted, so its tasks run even if their rows were kept.
    on_row : callable
        Called with each `Row` as it is computed.

    Yields
    ------
    Done
    """
    for task in todo:
        drawn = figures and task.seed == todo[0].seed
        done = None if checkpoint is None or drawn else checkpoint.take(task)
        if done is None:
            begin, done = time.perf_counter(), Done(task, [], 0.0)
            for item in run_group(task.system, task.group, task.seed, task.executor):
                if isinstance(item, Row):
                    done.rows.append(item.as_dict())
                    on_row(item)
                elif isinstance(item, Figure) and drawn:
                    done.figures.append(item)
            done.seconds = time.perf_counter() - begin
            if checkpoint is not None:
                checkpoint.keep(done)
        yield done


def report(name, seeds, executor, found) -> dict:
    """One report of many seeds, as JSON values.

    Parameters
    ----------
    found : sequence of Done

    Returns
    -------
    dict
        ``seeds``; ``seconds`` by seed; ``passed``: whether all hold; ``rows``: each with the fields
        of a `Row`, and lists ``values`` and ``verdicts`` with an entry a seed in place of its value
        and its verdict.

    Raises
    ------
    ApicalError
        When a group yields other rows at another seed.
    """
    by_place, seconds = {}, dict.fromkeys(seeds, 0.0)
    for done in found:
        seconds[done.task.seed] += done.seconds
        for place, row in enumerate(done.rows):
            by_place.setdefault((row["system"], row["group"], place), {})[done.task.seed] = row
    rows = []
    for (system, group, _), by_seed in by_place.items():
        if list(by_seed) != list(seeds):
            raise ApicalError(f"{system}, {group}: seeds {seeds} do not yield the same rows; a "
                              "group must yield the same rows at every seed")
        row = dict(by_seed[seeds[0]])
        del row["value"], row["passed"]
        rows.append({**row, "values": [by_seed[seed]["value"] for seed in seeds],
                     "verdicts": [by_seed[seed]["passed"] for seed in seeds]})
    return {"name": name, "seeds": list(seeds), "executor": executor,
            "seconds": list(seconds.values()),
            "passed": all(all(row["verdicts"]) for row in rows), "rows": rows}
