"""The cache: where it is, and what two processes may do to it at once."""

import os
import subprocess
import sys
import time

import pytest

from apical.golden.errors import ApicalError, MisuseError
from apical.golden.storage import cache


@pytest.fixture(autouse=True)
def own(monkeypatch, tmp_path):
    """A cache of the test's own."""
    monkeypatch.setenv("APICAL_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def entry(kind, name, content=b"x"):
    path = cache.folder(kind) / name
    path.write_bytes(content)
    return path


def test_the_folder_of_the_platform_is_the_default(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    for unset in (lambda: monkeypatch.delenv("APICAL_CACHE"),
                  lambda: monkeypatch.setenv("APICAL_CACHE", "")):
        unset()
        assert cache.root() == tmp_path / "xdg" / "apical"
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("APICAL_CACHE", "beside")
    assert cache.root() == tmp_path / "beside"
    assert not cache.root().exists()


def test_entries_are_listed_and_cleared_by_kind(own):
    entry("weights", "b.npz", b"123")
    entry("weights", "a.npz")
    made = cache.folder("simulators") / "0123"
    made.mkdir()
    (made / "sim").write_bytes(b"12345")
    found = cache.entries()
    assert [(e.kind, e.path.name, e.size) for e in found] == [
        ("simulators", "0123", 5), ("weights", "a.npz", 1), ("weights", "b.npz", 3)]
    assert all(abs(e.used - time.time()) < 60 for e in found)
    assert [e.path.name for e in cache.clear("weights")] == ["a.npz", "b.npz"]
    assert [e.path.name for e in cache.entries()] == ["0123"]
    assert len(cache.clear()) == 1 and cache.entries() == []
    assert list((own / "simulators").iterdir()) == []


def test_an_empty_cache_has_no_entries(own):
    assert cache.entries() == cache.clear() == []
    assert not own.exists()


def test_an_unknown_kind_is_refused():
    with pytest.raises(MisuseError, match=r"^unknown kind 'wave' .*; known: simulators, verilog, "):
        cache.clear("wave")


def test_what_is_being_made_stays_and_what_was_left_yesterday_goes():
    now, old = (cache.folder("simulators") / name for name in (".a-1", ".b-2"))
    now.mkdir()
    old.mkdir()
    os.utime(old, (1, 1))
    assert [e.path for e in cache.clear()] == [old]
    assert now.is_dir() and not old.exists()


def test_a_folder_that_cannot_be_made_is_named(monkeypatch, tmp_path):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("APICAL_CACHE", str(tmp_path / "file"))
    message = (r"^cannot write the cache '.*/file/\w+': .*; name another folder with the "
               r"environment variable APICAL_CACHE$")
    with pytest.raises(ApicalError, match=message):
        cache.folder("weights")
    with (pytest.raises(ApicalError, match=message),
          cache.exclusive(tmp_path / "file" / "weights" / "x")):
        pytest.fail("the lock was taken")


#: Appends its letter to the log once a making; only the first of several processes makes.
MAKER = """
import sys, time
from pathlib import Path
from apical.golden.storage import cache

path, log = cache.folder("weights") / "entry", Path(sys.argv[1])
with cache.exclusive(path):
    if not path.exists():
        with open(log, "a") as file:
            file.write("made\\n")
        time.sleep(0.3)
        path.write_text("whole")
print(path.read_text())
"""


def test_one_of_several_processes_makes_an_entry(own, tmp_path):
    makers = [subprocess.Popen([sys.executable, "-c", MAKER, tmp_path / "log"],
                               stdout=subprocess.PIPE, text=True) for _ in range(6)]
    assert [maker.communicate(timeout=60)[0] for maker in makers] == ["whole\n"] * 6
    assert (tmp_path / "log").read_text() == "made\n"
    assert [path.name for path in (own / "weights").iterdir()] == ["entry"]


def test_the_lock_of_a_killed_process_ends(tmp_path):
    code = ("import sys, time; from apical.golden.storage import cache\n"
            "with cache.exclusive(cache.folder('weights') / 'entry'):\n"
            "    print('held', flush=True); time.sleep(60)")
    holder = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    assert holder.stdout.readline() == "held\n"
    holder.kill()
    holder.communicate(timeout=60)
    with cache.exclusive(cache.folder("weights") / "entry"):
        pass
    assert cache.entries() == []


def test_a_folder_appears_when_it_is_complete():
    path = cache.folder("simulators") / "0123"

    def fill(temporary):
        assert not path.exists()
        (temporary / "mark").write_text("")

    cache.publish(path, fill, "mark")
    assert [p.name for p in path.iterdir()] == ["mark"]
    cache.publish(path, fill=lambda temporary: (temporary / "mark").write_text("2"), mark="mark")
    assert [p.name for p in path.parent.iterdir()] == ["0123"]
    assert (path / "mark").read_text() == ""


def test_a_failure_leaves_what_the_tools_reported():
    path = cache.folder("simulators") / "0123"

    def fill(temporary):
        (temporary / "build.log").write_text("why")
        raise ApicalError(f"it failed, see {temporary}/build.log")

    with pytest.raises(ApicalError, match=rf"^it failed, see {path}\.failed/build\.log$"):
        cache.publish(path, fill, "mark")
    assert [p.name for p in path.parent.iterdir()] == ["0123.failed"]
