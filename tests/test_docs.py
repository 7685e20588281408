"""Generated pages are up to date; pages name files, modules and commands that exist."""

import argparse
import importlib
import re
import shlex
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from apical.boards.build.catalog import board
from apical.cli import COMMANDS
from apical.hw.link.uart import LEAST_DIVISOR

ROOT = Path(__file__).parent.parent
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").glob("**/*.md")])
#: Pages that say how things are now; the changelog also says how they were.
PRESENT = [page for page in PAGES if page.name != "CHANGELOG.md"]
#: Generated pages quote commands as they were when their figures were recorded.
RECORDED = ("boards.md", "checks.md", "claims-fixed.md", "results.md", "results-golden.md")
FOLDERS = "golden|hw|sim|boards|cli|tests|docs|examples|bench"


def test_generated_pages_are_up_to_date():
    answer = subprocess.run([sys.executable, "-m", "bench.docs", "--check"], cwd=ROOT,
                            capture_output=True, text=True, check=False)
    assert answer.returncode == 0, answer.stderr


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page):
    for target in re.findall(r"\]\(([^)#]+)[^)]*\)", page.read_text()):
        if "://" not in target:
            assert (page.parent / target).exists(), target


def missing_paths(text):
    """Paths below the project's folders, and quoted file names, that no file has."""
    named = re.findall(rf"(?<![\w./<-])(?:{FOLDERS})/[\w./*-]*\w[/*]?", text)
    named += re.findall(r"`([A-Za-z][\w.-]*\.(?:py|md|v|cpp|toml|lock))`", text)
    return [name for name in named if not list(ROOT.glob(name))]


def missing_modules(text):
    """Dotted names below ``apical`` and ``bench`` that cannot be imported or looked up."""
    return [name for name in re.findall(r"(?<![\w./])(?:apical|bench)(?:\.[A-Za-z_]\w*)+", text)
            if not resolves(name)]


def resolves(name):
    module, found = None, name.split(".")
    for count in range(1, len(found) + 1):
        try:
            module = importlib.import_module(".".join(found[:count]))
        except ImportError:
            rest = found[count - 1:]
            break
    else:
        return True
    for attribute in rest:
        if not hasattr(module, attribute):
            return False
        module = getattr(module, attribute)
    return True


@pytest.mark.parametrize("page", PRESENT, ids=lambda page: page.name)
def test_paths_and_modules_exist(page):
    text = page.read_text()
    assert missing_paths(text) == []
    assert missing_modules(text) == []


def test_wrong_paths_and_modules_are_found():
    text = ("see `golden/numbers/formats.py`, `golden/nowhere.py`, [hw](hw/interface/isa.py), "
            "sim/bench/bench.v and hw/old/*.py; `README.md`, `store.py`; build/sim is made; "
            "`apical.golden.numbers.formats.Format`, apical.golden.store, apical.hw.Engine")
    assert missing_paths(text) == ["golden/nowhere.py", "hw/old/*.py", "store.py"]
    assert missing_modules(text) == ["apical.golden.store", "apical.hw.Engine"]


def commands(text):
    """Commands ``apical ...`` in blocks of code and in quoted words."""
    blocks = re.sub(r"^[^ `].*", "", re.sub(r"^```.*?^```", lambda block: re.sub(
        r"^(?=a)", "    ", block[0], flags=re.MULTILINE), text, flags=re.M | re.S), flags=re.M)
    found = re.findall(r"^    (apical .*)$", blocks, re.MULTILINE)
    found += [" ".join(words.split()) for words in re.findall(r"`(apical [^`]*)`", text)]
    return [line.partition(" #")[0].strip() for line in found]


@pytest.mark.parametrize(("page", "command"), [
    pytest.param(page, command, id=f"{page.stem}: {command}") for page in PRESENT
    if page.name not in RECORDED for command in dict.fromkeys(commands(page.read_text()))])
def test_commands_are_accepted(page, command, capsys):
    _, name, *words = shlex.split(command)
    if name.startswith("-"):
        return
    assert name in COMMANDS
    if not words:
        return  # the name of a command, whatever it needs
    parser = argparse.ArgumentParser(prog=f"apical {name}", allow_abbrev=False)
    importlib.import_module(f"apical.cli{COMMANDS[name][0]}").add_arguments(parser)
    # Single capital letters and SEED stand for numbers.
    words = ["1" if re.fullmatch("[A-Z]|SEED", word) else word for word in words]
    try:
        parser.parse_args(words)
    except SystemExit:
        pytest.fail(capsys.readouterr().err)


def test_commands_are_found():
    text = ("    apical cosim --images 3  # a few\n\nThen `apical run --link\ngolden`.\n"
            "```sh\napical boards\n```\napical is a word here\n")
    assert commands(text) == ["apical cosim --images 3", "apical boards",
                              "apical run --link golden"]


def test_the_picture_is_as_drawn(tmp_path):
    import matplotlib

    from bench.data_path import draw

    kept = (ROOT / "docs" / "data-path.svg").read_text()
    if f"Matplotlib v{matplotlib.__version__}," not in kept:
        pytest.skip("drawn by another version of matplotlib, whose shapes may differ")
    draw().savefig(tmp_path / "again.svg", transparent=True, metadata={"Date": None})
    assert (tmp_path / "again.svg").read_text() == kept, "run 'python -m bench.data_path'"


def test_rates_of_virtual_boards_are_possible():
    page = " ".join((ROOT / "docs" / "first-board.md").read_text().split())
    shown = board("ulx3s-25f", "ulx3s-25f-learning")
    assert f"For this board that is {shown.clock // LEAST_DIVISOR:,} bits" in page
    rates = re.findall(r"--baud (\d+)", page)
    assert rates
    assert all(replace(shown, baud=int(rate)).divisor >= LEAST_DIVISOR for rate in rates)
    assert f"The iCEBreaker allows up to {board('icebreaker').clock // LEAST_DIVISOR:,}." in page
