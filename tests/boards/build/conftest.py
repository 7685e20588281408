"""Stand-ins for the tools of a build."""

import os

import pytest
from build_case import routed

from apical.boards.build import build as building
from apical.hw.export import synthesis


@pytest.fixture
def tools(tmp_path, monkeypatch):
    """Stand-ins for the tools of an iCE40 build, on PATH; their behaviour can be changed."""
    folder = tmp_path / "tools"
    folder.mkdir()

    def put(name, body, version="0.70"):
        path = folder / name
        path.write_text(f'#!/bin/sh\ncase "$1" in -V|--version) echo "{name} {version}"; exit 0;; '
                        f"esac\n{body}\n")
        path.chmod(0o755)

    put("yosys", "echo '{\"type\": \"SB_DFF\"}' > top.json; touch yosys.log")
    put("nextpnr-ice40", routed())
    put("icepack", "echo bits > top.bin")
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")
    # Generating the top level takes seconds; one test does it.
    monkeypatch.setattr(building, "board_files", lambda chosen, config: ("", ""))
    synthesis._version.cache_clear()
    put.folder = folder
    yield put
    synthesis._version.cache_clear()
