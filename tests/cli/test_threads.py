"""The command line runs BLAS on one thread, unless the environment says another number."""

import os
import subprocess
import sys

import pytest

from apical.golden.threads import VARIABLES, pin

CODE = """
import json, sys
from apical import cli
assert "numpy" not in sys.modules
assert cli.main(["train", "--layers", "64-10", "--epochs", "0"]) == 0
from threadpoolctl import threadpool_info
print(json.dumps([p["num_threads"] for p in threadpool_info() if p["user_api"] == "blas"]))
"""


@pytest.mark.parametrize(("given", "threads"), [(None, 1), ("2", 2)])
def test_threads_of_a_command(given, threads):
    if threads > (os.cpu_count() or 1):
        pytest.skip("one core")
    environment = {k: v for k, v in os.environ.items() if k not in VARIABLES}
    if given:
        environment.update(dict.fromkeys(VARIABLES, given))
    run = subprocess.run([sys.executable, "-c", CODE], env=environment, capture_output=True,
                         text=True, check=True)
    found = run.stdout.splitlines()[-1]
    assert found.strip("[]").split(", ")[0] == str(threads), found


def test_what_the_environment_says_stays():
    environment = {VARIABLES[0]: "3"}
    pin(environment)
    assert environment == {VARIABLES[0]: "3", VARIABLES[1]: "1", VARIABLES[2]: "1"}
