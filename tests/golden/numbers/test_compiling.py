"""Compiled code is kept by the sources of what it calls, and runs as Python as well."""

import os
import subprocess
import sys

ENTRY = """
import toy
from apical.golden.numbers.compiling import compiled
@compiled(toy)
def run(x):
    return toy.change(x)
print(run(40), run.py_func(40), sum(run.stats.cache_hits.values()))
"""


def told(folder):
    run = subprocess.run([sys.executable, "-W", "error", "entry.py"], cwd=folder, text=True,
                         capture_output=True, env={**os.environ, "NUMBA_CACHE_DIR": str(folder)})
    assert run.returncode == 0, run.stderr
    return run.stdout.split()


def test_code_is_kept_until_a_definition_changes(tmp_path):
    (tmp_path / "entry.py").write_text(ENTRY)
    (tmp_path / "toy.py").write_text("def change(x):\n    return x + 1\n")
    assert told(tmp_path) == ["41", "41", "0"]
    assert told(tmp_path) == ["41", "41", "1"]
    (tmp_path / "toy.py").write_text("def change(x):\n    return x + 2\n")
    assert told(tmp_path) == ["42", "42", "0"]
