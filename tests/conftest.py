"""What every test run needs: one BLAS thread, and data sets or a skip."""

import os
import shutil
import signal
import sys
from pathlib import Path

import pytest
from hypothesis import settings

from apical.golden.threads import pin

# Before the first import of NumPy; `make test` sets them too.
pin()
# A shell starts background jobs with interrupts ignored, which the children of tests would inherit.
signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_collection_modifyitems(items):
    folder = os.environ.get("APICAL_DATA")
    if folder and Path(folder).is_dir():
        return
    reason = "APICAL_DATA does not name a folder of data sets"
    for item in items:
        if item.get_closest_marker("data"):
            item.add_marker(pytest.mark.skip(reason=reason))

# Times of single examples say nothing on a loaded machine.
settings.register_profile("apical", deadline=None)
settings.load_profile("apical")


@pytest.fixture
def toy(tmp_path, monkeypatch):
    """Name of a system of another package in a temporary folder; forgotten at the end."""
    from apical.golden.systems import registry

    package = tmp_path / "toypackage"
    package.mkdir()
    shutil.copy(Path(__file__).parent / "toys" / "delta_rule.py", package)
    monkeypatch.syspath_prepend(tmp_path)
    registry.systems()  # collected before the copy is made
    monkeypatch.setattr(registry, "_records", dict(registry._records))
    monkeypatch.setattr(registry, "_broken", {})
    yield "toypackage.delta_rule:DELTA"
    for name in ("toypackage.delta_rule", "toypackage"):
        sys.modules.pop(name, None)
