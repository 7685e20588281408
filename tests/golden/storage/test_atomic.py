"""Writing files: whole or not at all."""

import os

import pytest
from store_case import model, quantized

from apical.golden.errors import ApicalError
from apical.golden.storage.atomic import check_writable, write_atomically
from apical.golden.storage.model import save_model


def test_a_failed_write_leaves_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / "m.npz"
    save_model(path, model())
    before = path.read_bytes()

    def full(_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(ApicalError, match=r"^cannot write '.*m\.npz': no space left on device$"):
        save_model(path, quantized())
    assert path.read_bytes() == before
    assert os.listdir(tmp_path) == ["m.npz"]


def test_an_interrupted_write_leaves_nothing(tmp_path, monkeypatch):
    def interrupt(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "replace", interrupt)
    with pytest.raises(KeyboardInterrupt):
        write_atomically(tmp_path / "f", b"x")
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("check", [check_writable, lambda path: write_atomically(path, b"x")])
@pytest.mark.parametrize(("name", "message"), [
    ("no/f", r"^cannot write '.*no/f': folder '.*no' does not exist; create it$"),
    ("file/f", r"^cannot write '.*file/f': not a directory$"),
    ("folder", r"^cannot write '.*folder': (it is a folder; give a file name|is a directory)$"),
    ("x" * 300, r"^cannot write '.*x': file name too long$"),
])
def test_places_that_cannot_be_written(tmp_path, check, name, message):
    (tmp_path / "file").touch()
    (tmp_path / "folder").mkdir()
    with pytest.raises(ApicalError, match=message) as error:
        check(tmp_path / name)
    assert error.value.exit_code == 1
    assert sorted(os.listdir(tmp_path)) == ["file", "folder"]


def test_check_writable_leaves_things_as_they_are(tmp_path):
    (tmp_path / "f").write_text("old")
    check_writable(tmp_path / "f")
    check_writable(tmp_path / "g")
    assert os.listdir(tmp_path) == ["f"]
    assert (tmp_path / "f").read_text() == "old"


def test_devices_are_written_not_replaced():
    check_writable("/dev/null")
    write_atomically("/dev/null", b"x")
    assert not os.path.isfile("/dev/null")
    with pytest.raises(ApicalError, match=r"^cannot write '/dev/full': no space left on device$"):
        write_atomically("/dev/full", b"x")


def test_a_link_keeps_pointing(tmp_path):
    (tmp_path / "real").write_text("old")
    (tmp_path / "link").symlink_to(tmp_path / "real")
    write_atomically(tmp_path / "link", b"new")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "real").read_text() == "new"
