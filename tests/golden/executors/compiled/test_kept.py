"""Machine code is stored in the cache of the user, and never needs to be."""

import numba
import pytest

from apical.golden.executors.compiled.kept import njit_kept


def one_more(x):
    """Compiled by the tests."""
    return x + 1


@pytest.fixture
def numba_folder(monkeypatch):
    """Numba's own setting, as it was found."""
    monkeypatch.setattr(numba.config, "CACHE_DIR", "")


def test_the_code_is_kept_and_taken_again(numba_folder, monkeypatch, tmp_path):
    monkeypatch.setenv("APICAL_CACHE", str(tmp_path))
    first = njit_kept(one_more)
    assert first(1) == 2 and sum(first.stats.cache_misses.values()) == 1
    assert list((tmp_path / "compiled").rglob("*.nbc"))
    second = njit_kept(one_more)
    assert second(1) == 2 and sum(second.stats.cache_hits.values()) == 1
    assert numba.config.CACHE_DIR == ""


def test_a_folder_named_to_numba_is_taken(monkeypatch, tmp_path):
    monkeypatch.setenv("APICAL_CACHE", str(tmp_path / "ours"))
    monkeypatch.setattr(numba.config, "CACHE_DIR", str(tmp_path / "numba"))
    assert njit_kept(one_more)(1) == 2
    assert list((tmp_path / "numba").rglob("*.nbc")) and not (tmp_path / "ours").exists()


def test_a_cache_that_cannot_be_written_is_no_error(numba_folder, monkeypatch, tmp_path):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("APICAL_CACHE", str(tmp_path / "file"))
    assert njit_kept(one_more)(1) == 2
    assert numba.config.CACHE_DIR == ""
