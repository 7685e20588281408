"""Compiled code is kept in the cache of the user until a definition changes."""

import os
import subprocess
import sys

import numba
import pytest

from apical.golden.numbers.compiling import compiled

ENTRY = """
import toy
from apical.golden.numbers.compiling import compiled
@compiled(toy)
def run(x):
    return toy.change(x)
print(run(40), run.py_func(40), sum(run.stats.cache_hits.values()))
"""


def one_more(x):
    """Compiled by the tests."""
    return x + 1


@pytest.fixture
def numba_folder(monkeypatch):
    """Numba's own setting, as it was found."""
    monkeypatch.setattr(numba.config, "CACHE_DIR", "")


def test_the_code_is_kept_and_taken_again(numba_folder, monkeypatch, tmp_path):
    monkeypatch.setenv("APICAL_CACHE", str(tmp_path))
    first = compiled()(one_more)
    assert first(1) == 2 and sum(first.stats.cache_misses.values()) == 1
    assert list((tmp_path / "compiled").rglob("*.nbc"))
    second = compiled()(one_more)
    assert second(1) == 2 and sum(second.stats.cache_hits.values()) == 1
    assert numba.config.CACHE_DIR == ""


def test_a_folder_named_to_numba_is_taken(monkeypatch, tmp_path):
    monkeypatch.setenv("APICAL_CACHE", str(tmp_path / "ours"))
    monkeypatch.setattr(numba.config, "CACHE_DIR", str(tmp_path / "numba"))
    assert compiled()(one_more)(1) == 2
    assert list((tmp_path / "numba").rglob("*.nbc")) and not (tmp_path / "ours").exists()


def test_a_cache_that_cannot_be_written_is_no_error(numba_folder, monkeypatch, tmp_path):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("APICAL_CACHE", str(tmp_path / "file"))
    assert compiled()(one_more)(1) == 2
    assert numba.config.CACHE_DIR == ""


def output(folder):
    run = subprocess.run([sys.executable, "-W", "error", "entry.py"], cwd=folder, text=True,
                         capture_output=True, env={**os.environ, "NUMBA_CACHE_DIR": str(folder)})
    assert run.returncode == 0, run.stderr
    return run.stdout.split()


def test_code_is_kept_until_a_definition_changes(tmp_path):
    (tmp_path / "entry.py").write_text(ENTRY)
    (tmp_path / "toy.py").write_text("def change(x):\n    return x + 1\n")
    assert output(tmp_path) == ["41", "41", "0"]
    assert output(tmp_path) == ["41", "41", "1"]
    (tmp_path / "toy.py").write_text("def change(x):\n    return x + 2\n")
    assert output(tmp_path) == ["42", "42", "0"]
