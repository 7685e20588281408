"""The public interface and the tutorial that shows it."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

import apical.golden
from apical.golden.claims import SYSTEMS

ROOT = Path(__file__).parents[2]


def test_every_public_name_is_there_and_documented():
    for name in apical.golden.__all__:
        value = getattr(apical.golden, name)
        assert not isinstance(value, type(sys)), name
        assert value.__doc__, name
        assert name in dir(apical.golden)
    told = set(re.findall(r"`(\w+)`", apical.golden.__doc__))
    assert set(apical.golden.__all__) - told <= {"one_hot"}
    assert told <= set(apical.golden.__all__)


def test_no_public_name_is_hidden_by_a_module():
    modules = {path.stem for path in (ROOT / "golden").iterdir()}
    assert not modules & set(apical.golden.__all__)


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="has no attribute 'nothing'"):
        apical.golden.nothing  # noqa: B018


def test_importing_the_package_imports_nothing_heavy():
    code = ("import sys, apical.golden; "
            "print(sorted({'numpy', 'scipy', 'numba'} & set(sys.modules)))")
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "[]"


def blocks_of(page):
    return re.findall(r"```python\n(.*?)```", page.read_text(), re.S)


PAPERS = sorted((ROOT / "docs" / "papers").glob("*.md"))


def test_every_system_has_a_page():
    assert {page.stem for page in PAPERS} == set(SYSTEMS)
    for page in PAPERS:
        text = page.read_text()
        assert f"apical reproduce {page.stem}" in text and "## Program" in text, page


@pytest.mark.parametrize("page", PAPERS, ids=lambda page: page.stem)
def test_the_code_of_a_page_runs(page, capsys):
    (block,) = blocks_of(page)
    exec(compile(block, page.name, "exec"), {})
    assert capsys.readouterr().out


def test_the_tutorial_runs(capsys):
    blocks = blocks_of(ROOT / "docs" / "tutorial.md")
    assert len(blocks) >= 9
    names = {}
    for number, block in enumerate(blocks):
        if "run_checks" in block:  # half a minute; `apical reproduce` has its own tests
            continue
        exec(compile(block, f"tutorial block {number}", "exec"), names)
    assert "test error" in capsys.readouterr().out
