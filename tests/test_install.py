"""What is built is complete, and runs where there is nothing else."""

import importlib.metadata
import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

import apical.cli as cli

ROOT = Path(__file__).parents[1]
FOLDERS = ("golden", "hw", "sim", "boards", "cli")
#: Folders that the sdist has besides, so that its tests can run.
MORE = (".ci", "bench", "docs", "examples", "tests")
FILES = ("CHANGELOG.md", "CONTRIBUTING.md", "LICENSE", "MANIFEST.in", "Makefile", "NOTICE",
         "README.md", "pyproject.toml", "requirements.lock", "setup.py")
LEFT_OUT = shutil.ignore_patterns("__pycache__", "*.py[cod]", ".*_cache", ".hypothesis")

#: What version 0.1.0 had instead of a rule, as far as one folder shows it.
OLD_LIST = """
from setuptools import setup
names = ("golden", "hw", "sim", "boards", "cli")
setup(packages=[f"apical.{name}" for name in names], include_package_data=False,
      package_dir={f"apical.{name}": name for name in names})
"""


def sources(folder=ROOT, names=FOLDERS):
    """Paths of all files below some folders."""
    return {str(path.relative_to(folder)) for name in names for path in (folder / name).rglob("*")
            if path.is_file() and "__pycache__" not in path.parts and path.suffix != ".pyc"}


def built(target, change=lambda tree: None):
    """(wheel, sdist) of a copy of the sources, so that nothing built before gets in."""
    tree = target / "tree"
    tree.mkdir()
    for name in (*FOLDERS, *MORE):
        shutil.copytree(ROOT / name, tree / name, ignore=LEFT_OUT)
    for name in FILES:
        shutil.copy(ROOT / name, tree)
    change(tree)
    # Twice, as it must be: the wheel is made of what the sdist has.
    subprocess.run([sys.executable, "-m", "build", "--no-isolation", "--outdir", target / "dist",
                    tree], check=True, capture_output=True)
    wheel, = (target / "dist").glob("apical-*.whl")
    sdist, = (target / "dist").glob("apical-*.tar.gz")
    return wheel, sdist


def missing(wheel, sdist):
    """Files of the sources that the wheel and the sdist lack."""
    with zipfile.ZipFile(wheel) as archive:
        inside = {name.removeprefix("apical/") for name in archive.namelist()}
    with tarfile.open(sdist) as archive:
        packed = {name.partition("/")[2] for name in archive.getnames()}
    return sources() - inside, (sources() | sources(names=MORE) | set(FILES)) - packed


@pytest.fixture(scope="session")
def artifacts(tmp_path_factory):
    """(wheel, sdist)."""
    return built(tmp_path_factory.mktemp("install"))


def test_wheel_and_sdist_have_every_file(artifacts):
    assert missing(*artifacts) == (set(), set())


def test_the_wheel_has_nothing_else(artifacts):
    with zipfile.ZipFile(artifacts[0]) as archive:
        inside = {name for name in archive.namelist() if ".dist-info/" not in name}
    assert inside == {f"apical/{name}" for name in sources()}


def test_a_list_that_is_behind_is_found(tmp_path):
    lost, unpacked = missing(*built(tmp_path, lambda tree: (tree / "setup.py").write_text(
        OLD_LIST)))
    assert {"hw/primitives/__init__.py", "sim/simulators/main.cpp",
            "golden/learning/digits.csv.gz"} <= lost
    assert "sim/bench/bench.v" in unpacked


def test_every_dependency_is_locked():
    locked = {line.split("==")[0] for line in (ROOT / "requirements.lock").read_text().splitlines()
              if "==" in line}
    wanted = {re.match(r"[\w.-]+", line)[0].lower() for line in
              importlib.metadata.requires("apical")} - {"apical"}
    assert wanted <= locked


@pytest.fixture(scope="session")
def outside(tmp_path_factory):
    """A function that runs the command in a new environment outside the tree."""
    folder = tmp_path_factory.mktemp("outside")
    subprocess.run([sys.executable, "-m", "venv", folder / "env"], check=True)
    kept = {"PATH": os.environ["PATH"], "HOME": str(folder), "LANG": "C.UTF-8",
            "APICAL_CACHE": str(folder / "cache")}

    def run(*argv, code=0):
        done = subprocess.run([folder / "env" / "bin" / "apical", *argv], cwd=folder, env=kept,
                              capture_output=True, text=True)
        assert done.returncode == code, (argv, done.stdout, done.stderr)
        return done

    def install(wheel, extras=""):
        subprocess.run([folder / "env" / "bin" / "python", "-m", "pip", "install", "--quiet",
                        "--disable-pip-version-check", "-c", ROOT / "requirements.lock",
                        f"{wheel}{extras}"], check=True, cwd=folder)

    run.install, run.folder = install, folder
    return run


@pytest.mark.slow
def test_the_wheel_runs_in_an_empty_environment(artifacts, outside):
    """The base first, then with its extras; needs a package index."""
    outside.install(artifacts[0])
    outside("--version")
    for name in cli.COMMANDS:
        assert outside(name, "--help").stdout.startswith(f"usage: apical {name}")
    # The base: golden models, and the host of a board.
    outside("train", "--data", "digits", "--epochs", "2", "--save", "m.npz")
    first = outside("run", "--link", "golden", "--json", "golden.json")
    assert "training default weights" in first.stderr
    assert "training" not in outside("run", "--link", "golden", "--model", "m.npz").stderr
    assert "5 of 5 checks hold" in outside("reproduce", "ep", "--groups",
                                           "truncated,descent").stdout
    outside("quantize", "m.npz", "-o", "q.npz")
    outside("boards")
    outside("selftest", "--link", "golden")
    for argv, needed in (
            (["cosim"], "cocotb, which is not installed; install it: pip install 'apical[sim]'"),
            (["generate", "--lanes", "3", "-o", "v"],
             "amaranth, which is not installed; install it: pip install 'apical[sim]'"),
            (["run", "--link", "pysim"],
             "amaranth, which is not installed; install it: pip install 'apical[sim]'"),
            (["reproduce", "ep", "--plots", "p"],
             "matplotlib, which is not installed; install it: pip install 'apical[plot]'")):
        done = outside(*argv, code=2)
        assert (done.stdout, done.stderr) == (
            "", f"apical: 'apical {argv[0]}' needs {needed}\n")
    lacking = outside("build", "--board", "icebreaker", code=1)
    assert lacking.stderr.endswith("pip install 'apical[boards]'\n")

    outside.install(artifacts[0], "[sim,plot]")
    told = outside("cosim", "--images", "5", "--json", "cosim.json")
    assert told.stdout.endswith("every bit agrees\n")
    assert "training" not in told.stderr and "building the simulator" in told.stderr
    assert "using the kept simulator" in outside("cosim", "--images", "5").stderr
    assert json.loads((outside.folder / "cosim.json").read_text())["mismatches"] == 0
    outside("cosim", "--system", "ep", "--learn")
    outside("generate", "--lanes", "3", "-o", "v")
    assert (outside.folder / "v" / "apical_engine.v").is_file()
    outside("run", "--link", "sim", "--images", "3")
    outside("reproduce", "ep", "--groups", "descent", "--plots", "p", "--html", "p.html")
    assert re.search(r"^simulators ", outside("cache").stdout, re.MULTILINE)
    outside("cache", "--clear")
    assert outside("cache").stdout.startswith("0 entries")
