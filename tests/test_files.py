"""The one place where files are written: whole, or not at all."""

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from symphony.errors import FileError
from symphony.files import kind_of, sentence, shown, written


def test_a_file_appears_whole_under_its_name(tmp_path):
    path = tmp_path / "x.txt"
    with written(path) as partial:
        assert (partial.suffix, partial.parent) == (".txt", tmp_path)
        partial.write_text("half")
        assert not path.exists()
        partial.write_text("whole")
    assert path.read_text() == "whole"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("stop", [KeyboardInterrupt, RuntimeError])
def test_whatever_stops_it_keeps_the_earlier_file(tmp_path, stop):
    path = tmp_path / "x.txt"
    path.write_text("earlier")

    def half():
        with written(path) as partial:
            partial.write_text("half")
            raise stop

    with pytest.raises(stop):
        half()
    assert path.read_text() == "earlier"
    assert list(tmp_path.iterdir()) == [path]


def test_new_files_follow_the_umask_and_old_ones_keep_their_permissions(tmp_path):
    path = tmp_path / "x.txt"
    before = os.umask(0o027)
    try:
        with written(path) as partial:
            partial.write_text("new")
        assert stat.S_IMODE(path.stat().st_mode) == 0o640
    finally:
        os.umask(before)
    path.chmod(0o600)
    with written(path) as partial:
        partial.write_text("newer")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_link_goes_on_pointing_at_the_file(tmp_path):
    (tmp_path / "far").mkdir()
    (tmp_path / "x.txt").symlink_to("far/x.txt")
    with written(tmp_path / "x.txt") as partial:
        partial.write_text("new")
    assert (tmp_path / "x.txt").is_symlink()
    assert (tmp_path / "far" / "x.txt").read_text() == "new"


def test_a_device_is_written_to_and_never_replaced():
    code = (
        "from symphony.files import written\n"
        "for device in ('/dev/stdout', '/dev/null'):\n"
        "    with written(device) as partial: partial.write_text(device)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "/dev/stdout"
    assert stat.S_ISCHR(os.stat("/dev/null").st_mode)  # noqa: PTH116


def test_places_where_nothing_can_be_written_are_named(tmp_path):
    for path in (tmp_path / "none" / "x", tmp_path, tmp_path / ("x" * 300)):
        with pytest.raises(FileError, match=r"can't be written: .+\."), written(path):
            pytest.fail("the block must not run")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anything")
def test_a_write_protected_file_stays(tmp_path):
    path = tmp_path / "x"
    path.write_text("earlier")
    path.chmod(0o444)
    with pytest.raises(FileError, match="write-protected"), written(path):
        pytest.fail("the block must not run")


def test_other_errors_and_advice_pass_through():
    pattern = r"^x can't be read: gone\. Bring it\.$"
    with pytest.raises(FileError, match=pattern), sentence("x can't be read", "Bring it."):
        raise OSError(None, "gone")
    with pytest.raises(KeyError), sentence("x can't be read"):
        raise KeyError


@pytest.mark.parametrize("path", ["", "a\0b"])
def test_what_can_not_name_a_file_is_said_to_be_no_name(tmp_path, monkeypatch, path):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(FileError, match="is no name that a file can have"), written(path):
        pytest.fail("the block must not run")
    assert list(tmp_path.iterdir()) == []


def test_names_are_shown_as_text():
    assert shown("plain") == "plain"
    assert shown("Čapek ♯") == "Čapek ♯"
    assert shown(Path("caf\udce9")) == "caf\ufffd"
    assert shown("\ud800\udc80").encode() == "\ufffd\ufffd".encode()
    with (
        pytest.raises(FileError, match=r"^caf\ufffd can't be read: gone"),
        sentence("caf\udce9 can't be read"),
    ):
        raise OSError(None, "gone")


def test_what_stands_under_a_name_is_called_by_its_kind(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "file").touch()
    for path, kind in {
        tmp_path: "a folder",
        tmp_path / "pipe": "a pipe",
        tmp_path / "file": "a file",
        Path("/dev/null"): "a device",
    }.items():
        assert kind_of(path.stat().st_mode) == kind
