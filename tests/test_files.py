from __future__ import annotations

import hashlib
import os
import signal
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from edgecnn.errors import ArgumentError
from edgecnn.files import check_writable, output_folder, replace_folder, sha256, write_atomically


def content(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_file_is_written_and_replaced(tmp_path: Path) -> None:
    target = tmp_path / "a.bin"
    write_atomically(target, b"one")
    write_atomically(target, b"two, longer")
    assert target.read_bytes() == b"two, longer"
    assert names(tmp_path) == ["a.bin"]


@pytest.mark.parametrize(("mask", "mode"), [(0o022, 0o644), (0o077, 0o600), (0o002, 0o664)])
def test_files_and_folders_have_the_mode_of_any_other(tmp_path: Path, mask: int, mode: int) -> None:
    before = os.umask(mask)
    try:
        write_atomically(tmp_path / "a", b"")
        with replace_folder(tmp_path / "b"):
            pass
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "a").stat().st_mode) == mode
    assert stat.S_IMODE((tmp_path / "b").stat().st_mode) == 0o777 & ~mask


def test_a_failed_write_leaves_nothing_behind(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    with pytest.raises(IsADirectoryError):
        write_atomically(tmp_path / "folder", b"x")
    with pytest.raises(FileNotFoundError):
        write_atomically(tmp_path / "absent" / "a", b"x")
    assert names(tmp_path) == ["folder"]


def test_a_link_is_replaced_not_followed(tmp_path: Path) -> None:
    (tmp_path / "other").write_bytes(b"other")
    (tmp_path / "link").symlink_to("other")
    write_atomically(tmp_path / "link", b"new")
    assert (tmp_path / "other").read_bytes() == b"other"
    assert not (tmp_path / "link").is_symlink()


def test_sha256_of_a_file_and_of_bytes(tmp_path: Path) -> None:
    data = os.urandom(3_000_001)
    (tmp_path / "a").write_bytes(data)
    assert sha256(tmp_path / "a") == sha256(data) == hashlib.sha256(data).hexdigest()
    assert sha256(b"abc") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"


def test_a_folder_appears_with_its_parents(tmp_path: Path) -> None:
    with replace_folder(tmp_path / "a" / "b") as fresh:
        assert not (tmp_path / "a" / "b").exists()
        (fresh / "inner").mkdir()
        (fresh / "inner" / "x").write_bytes(b"1")
    assert content(tmp_path) == {"a/b/inner/x": b"1"}


@pytest.fixture
def old(tmp_path: Path) -> Path:
    folder = tmp_path / "old"
    folder.mkdir()
    (folder / "x").write_bytes(b"old")
    return folder


def test_a_folder_is_replaced_as_a_whole(old: Path) -> None:
    with replace_folder(old) as fresh:
        (fresh / "y").write_bytes(b"new")
        assert content(old) == {"x": b"old"}
    assert content(old.parent) == {"old/y": b"new"}
    assert names(old.parent) == ["old"]


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, SystemExit])
def test_an_error_leaves_the_old_folder(old: Path, error: type[BaseException]) -> None:
    with pytest.raises(error), replace_folder(old) as fresh:
        (fresh / "y").write_bytes(b"new")
        raise error
    assert content(old.parent) == {"old/x": b"old"}
    assert names(old.parent) == ["old"]


def test_the_old_folder_comes_back_when_the_new_one_cannot_take_its_place(
    old: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rename = Path.rename

    def full_disk(self: Path, target: Path) -> Path:
        if self.name.endswith(".tmp"):
            raise OSError(28, "No space left on device")
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", full_disk)
    with pytest.raises(OSError, match="No space"), replace_folder(old) as fresh:
        (fresh / "y").write_bytes(b"new")
    assert content(old.parent) == {"old/x": b"old"}
    assert names(old.parent) == ["old"]


def test_what_is_no_folder_is_not_replaced(tmp_path: Path, old: Path) -> None:
    (tmp_path / "file").write_bytes(b"f")
    (tmp_path / "link").symlink_to(old)
    for name in ("file", "link"):
        with pytest.raises(NotADirectoryError), replace_folder(tmp_path / name):
            pytest.fail("the block must not run")
    assert content(old) == {"x": b"old"}


def test_a_kill_leaves_the_old_folder_whole(old: Path) -> None:
    code = (
        "import os, sys; from pathlib import Path; from edgecnn.files import replace_folder\n"
        "with replace_folder(Path(sys.argv[1])) as fresh:\n"
        "    (fresh / 'y').write_bytes(b'half'); print('ready', flush=True); sys.stdin.read()"
    )
    process = subprocess.Popen([sys.executable, "-c", code, old], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    with process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        process.send_signal(signal.SIGKILL)
    assert content(old) == {"x": b"old"}
    with replace_folder(old) as fresh:
        (fresh / "y").write_bytes(b"new")
    assert content(old) == {"y": b"new"}


def test_a_folder_for_output_is_made_and_left_as_it_was(tmp_path: Path) -> None:
    output_folder(tmp_path / "a" / "b", "out")
    (tmp_path / "a" / "b" / "c").write_bytes(b"kept")
    output_folder(tmp_path / "a" / "b", "out")
    assert content(tmp_path) == {"a/b/c": b"kept"}


def test_a_folder_for_output_that_cannot_be_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    for path in (tmp_path / "file", tmp_path / "file" / "run", Path("/proc/run")):
        with pytest.raises(ArgumentError, match=rf"^out: {path} cannot be made: [a-z ]+$"):
            output_folder(path, "out")
    with pytest.raises(ArgumentError, match=r"^out: no file can be written in /proc: [a-z ]+$"):
        check_writable(Path("/proc"), "out")
