"""Folders of pictures: what is read, what is skipped and why, and that copies never cross a split."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest

from edgecnn import pictures
from edgecnn.data import Dataset, labels_of, load, name_of
from edgecnn.data.folder import FolderSplit, load_folder
from edgecnn.errors import ArgumentError, DataError
from edgecnn.spec import Fit, ImageSpec

SPEC = ImageSpec(16, 16, 3)


def draw(path: Path, seed: int, size: tuple[int, int] = (20, 24), colour: bool = True) -> Path:
    """A picture of noise, the same for the same seed."""
    path.parent.mkdir(parents=True, exist_ok=True)
    shape = (*size, 3) if colour else size
    assert cv2.imwrite(str(path), np.random.RandomState(seed).randint(0, 256, shape).astype(np.uint8))
    return path


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Three classes of eight pictures in four formats."""
    folder = tmp_path / "pets"
    for number, name in enumerate(("cat", "dog", "Äff chen")):
        for i in range(8):
            draw(folder / name / f"{i}.{('jpg', 'png', 'bmp', 'webp')[i % 4]}", 100 * number + i)
    return folder


def reasons(dataset: Dataset) -> dict[str, str]:
    return {Path(one.file).name: one.reason for one in dataset.skipped}


def files(dataset: Dataset, name: str) -> set[str]:
    split = dataset.splits[name]
    assert isinstance(split, FolderSplit)
    return {str(path) for path in split.paths}


def test_classes_are_the_folders_by_name(root: Path) -> None:
    dataset = load(root)
    assert dataset.name == "pets"
    assert dataset.labels == ("cat", "dog", "Äff chen")
    assert dataset.counts() == {"train": (6, 6, 6), "validation": (1, 1, 1), "test": (1, 1, 1)}
    assert dataset.shape == (20, 24, 3)
    assert dataset.source == f"24 pictures in 3 classes, from {root}"
    assert (dataset.skipped, dataset.ignored) == ((), 0)
    for split in dataset.splits.values():
        assert isinstance(split, FolderSplit)
        assert [dataset.labels[label] for label in split.labels] == [path.parent.name for path in split.paths]


def test_pixels_are_decoded_and_fitted(root: Path) -> None:
    from edgecnn.preprocess import fit

    split = load(root).train
    assert isinstance(split, FolderSplit)
    got = split.pixels([5, 0, 5, 11], SPEC)
    assert got.shape == (4, 16, 16, 3)
    assert np.array_equal(got, np.stack([fit(pictures.read(split.paths[i]), SPEC) for i in (5, 0, 5, 11)]))
    assert split.pixels([], SPEC).shape == (0, 16, 16, 3)
    assert split.pixels(range(len(split)), ImageSpec(28, 28, 1, fit=Fit.DIGIT)).shape == (18, 28, 28, 1)
    with pytest.raises(ArgumentError, match="indices"):
        split.pixels([18], SPEC)


def test_nothing_stays_decoded_in_memory(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    split = load(root).train
    calls: list[bytes] = []
    decode = pictures.decode
    monkeypatch.setattr(pictures, "decode", lambda data, **more: (calls.append(data), decode(data, **more))[1])
    split.pixels([0], SPEC)
    split.pixels([0], SPEC)
    assert len(calls) == 2


def test_the_seed_decides_and_the_place_does_not(root: Path, tmp_path: Path) -> None:
    first = load(root, seed=3)
    moved = Path(shutil.copytree(root, tmp_path / "elsewhere" / "pets"))
    again, other = load(moved, seed=3), load(root, seed=4)
    assert files(again, "test") == {name.replace(str(root), str(moved)) for name in files(first, "test")}
    assert files(other, "test") != files(first, "test")
    assert first.sha256 == again.sha256 == other.sha256


def test_the_hash_tells_another_picture_and_another_class(root: Path) -> None:
    before = load(root).sha256
    (root / "cat" / "0.jpg").rename(root / "cat" / "renamed.jpg")
    assert load(root).sha256 == before
    (root / "cat" / "renamed.jpg").rename(root / "dog" / "cat.jpg")
    moved = load(root).sha256
    assert moved != before
    draw(root / "dog" / "cat.jpg", 999)
    assert load(root).sha256 not in (before, moved)


def test_what_cannot_be_used_is_counted_and_named(root: Path, capfd: pytest.CaptureFixture[str]) -> None:
    cat = root / "cat"
    (cat / "text.png").write_text("I am a text")
    (cat / "empty.jpg").touch()
    (cat / "cut.jpg").write_bytes((cat / "0.jpg").read_bytes()[:-40])
    (cat / "moving.gif").write_bytes(b"GIF89a")
    (cat / "nowhere.png").symlink_to("/nowhere.png")
    (cat / "circle.png").symlink_to(cat / "circle.png")
    os.mkfifo(cat / "pipe.png")
    (cat / "folder.png").mkdir()
    huge = bytearray((cat / "1.png").read_bytes())
    huge[16:24] = (30_000).to_bytes(4, "big") * 2
    huge[29:33] = pictures.header.zlib.crc32(huge[12:29]).to_bytes(4, "big")
    (cat / "huge.png").write_bytes(huge)
    (cat / "notes.txt").write_text("x")
    (cat / "Thumbs.db").write_text("x")
    (cat / ".hidden.jpg").write_text("x")
    (root / "beside.jpg").write_text("x")
    dataset = load(root)
    assert sum(map(sum, dataset.counts().values())) == 24
    assert dataset.ignored == 3
    found = reasons(dataset)
    assert {name: found[name].split(";")[0] for name in sorted(found)} == {
        "beside.jpg": "it is in no class's folder",
        "circle.png": "cannot be read: too many levels of symbolic links",
        "cut.jpg": "the JPEG file ends too early",
        "empty.jpg": "the file is empty",
        "huge.png": "expected at most 64 megapixels, got 30000 x 30000",
        "moving.gif": "GIF is not read",
        "nowhere.png": "cannot be read: no such file or directory",
        "pipe.png": "expected a picture file, got a special file",
        "text.png": "expected a JPEG, PNG, BMP or WebP picture, got something else",
    }
    assert capfd.readouterr() == ("", "")


def test_pictures_in_nested_folders_belong_to_the_class_and_links_do_not_loop(root: Path) -> None:
    draw(root / "cat" / "by" / "year" / "deep.png", 500)
    draw(root / "cat" / ".git" / "no.png", 501)
    (root / "cat" / "up").symlink_to(root)
    (root / "cat" / "by" / "self").symlink_to(root / "cat")
    (root / "all").symlink_to(root)
    dataset = load(root)
    assert dataset.labels == ("cat", "dog", "Äff chen")
    assert sum(n[0] for n in dataset.counts().values()) == 9
    assert {name: reason.split(";")[0] for name, reason in reasons(dataset).items()} == {
        "up": "a link to a folder inside a class",
        "self": "a link to a folder inside a class",
    }


def test_a_class_may_be_a_link_and_so_may_a_picture(root: Path, tmp_path: Path) -> None:
    (root / "dog").rename(tmp_path / "kept elsewhere")
    (root / "dog").symlink_to(tmp_path / "kept elsewhere")
    (root / "cat" / "link.png").symlink_to(draw(tmp_path / "one.png", 77))
    dataset = load(root)
    assert [sum(n[i] for n in dataset.counts().values()) for i in range(3)] == [9, 8, 8]


@pytest.mark.parametrize("seed", range(5))
def test_copies_stay_in_one_split(root: Path, seed: int) -> None:
    for i in range(4):
        for copy in range(3):
            shutil.copy(root / "cat" / "0.jpg", root / "cat" / f"copy {copy}.jpg")
            shutil.copy(root / "dog" / f"{i}.{('jpg', 'png', 'bmp', 'webp')[i]}", root / "dog" / f"c{copy}{i}.png")
    dataset = load(root, seed=seed, validation=0.3, test=0.3)
    held = [{Path(name).read_bytes() for name in files(dataset, split)} for split in dataset.splits]
    assert not held[0] & held[1]
    assert not held[0] & held[2]
    assert not held[1] & held[2]


def test_a_picture_in_two_classes_is_used_in_neither(root: Path) -> None:
    shutil.copy(root / "cat" / "0.jpg", root / "dog" / "is it a cat.jpg")
    dataset = load(root)
    assert reasons(dataset) == {
        "0.jpg": "the same picture is also in dog",
        "is it a cat.jpg": "the same picture is also in cat",
    }
    assert sum(map(sum, dataset.counts().values())) == 23


def test_a_class_with_too_few_pictures_says_how_many_are_needed(root: Path) -> None:
    draw(root / "rare" / "1.png", 501)
    draw(root / "rare" / "2.png", 502)
    (root / "rare" / "3.png").write_bytes(b"")
    (root / "none").mkdir()
    with pytest.raises(DataError) as caught:
        load(root)
    line = str(caught.value)
    assert "expected at least 3 different pictures of each class" in line
    assert "none has 0, rare has 2" in line
    assert line.endswith(f"1 could not be used, such as {root}/rare/3.png (the file is empty)")


@pytest.mark.parametrize("shares", [(0.0, 0.1), (0.5, 0.5), (-0.1, 0.1), (0.1, 1.0), (float("nan"), 0.1)])
def test_shares_out_of_range(root: Path, shares: tuple[float, float]) -> None:
    with pytest.raises(ArgumentError, match="validation, test: expected shares above 0, together below 1"):
        load(root, validation=shares[0], test=shares[1])


def test_shares_and_seed_reach_the_split(root: Path) -> None:
    assert load(root, validation=0.25, test=0.5).counts() == {
        "train": (2, 2, 2),
        "validation": (2, 2, 2),
        "test": (4, 4, 4),
    }


def test_a_folder_without_classes(tmp_path: Path) -> None:
    draw(tmp_path / "1.png", 1)
    with pytest.raises(DataError, match=r"at least 2 sub-folders, .* got 0 and 1 pictures beside them"):
        load(tmp_path)
    draw(tmp_path / "only" / "1.png", 1)
    with pytest.raises(DataError, match=r"at least 2 sub-folders, .* got 1 and 1 pictures"):
        load(tmp_path)


def test_a_folder_that_is_split_already(tmp_path: Path) -> None:
    for part in ("train", "test"):
        draw(tmp_path / part / "cat" / "1.png", 1)
    with pytest.raises(DataError, match="got test, train; edgecnn splits by itself"):
        load(tmp_path)


def test_classes_called_train_and_test_with_pictures_in_them_are_classes(tmp_path: Path) -> None:
    for number, name in enumerate(("test", "train")):
        for i in range(4):
            draw(tmp_path / name / f"{i}.png", 10 * number + i)
    assert load(tmp_path).labels == ("test", "train")


def test_what_is_no_folder(tmp_path: Path) -> None:
    for name in ("no such data set", str(tmp_path / "absent"), str(draw(tmp_path / "a.png", 1)), "", "zero\0byte"):
        with pytest.raises(ArgumentError, match=r"data: expected mnist, .* or a folder with one sub-folder"):
            load(name)
    with pytest.raises(DataError, match="no such file or directory"):
        load_folder(tmp_path / "absent")


def test_a_class_with_a_line_break_in_its_name(root: Path) -> None:
    (root / "a\nb").mkdir()
    with pytest.raises(DataError, match="use printable characters only") as caught:
        load(root)
    assert "\n" not in str(caught.value)


def test_a_picture_that_is_taken_away_later_is_one_line(root: Path) -> None:
    split = load(root).train
    assert isinstance(split, FolderSplit)
    split.paths[3].unlink()
    with pytest.raises(DataError, match="no such file or directory"):
        split.pixels(range(len(split)), SPEC)


def test_a_wrong_path_with_endless_files_ends_with_a_line(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("edgecnn.data.folder.MAX_FILES", 10)
    with pytest.raises(DataError, match="expected at most 10 files, got more; is it the right folder"):
        load(root)


def test_progress_counts_every_picture(root: Path) -> None:
    told: list[tuple[int, int, str]] = []
    load(root, progress=lambda *now: told.append(now))
    assert told == [(i + 1, 24, "checking pictures") for i in range(24)]


def test_an_interruption_while_checking_ends_it(root: Path) -> None:
    def stop(done: int, total: int, text: str) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        load(root, progress=stop)


def test_grey_and_colour_in_one_folder_have_no_common_shape(root: Path) -> None:
    draw(root / "cat" / "grey.png", 5, colour=False)
    dataset = load(root)
    assert dataset.shape is None
    assert dataset.train.pixels(range(len(dataset.train)), SPEC).shape == (19, 16, 16, 3)


def test_a_home_folder_and_a_named_data_set(root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    assert load("~/pets").labels[0] == "cat"
    root.rename(tmp_path / "optdigits")
    monkeypatch.chdir(tmp_path)
    assert load("./optdigits").labels[0] == "cat"
    assert load("optdigits").labels[0] == "0"


def test_name_and_labels_are_known_before_it_is_loaded(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(root / "cat")
    for name in ("optdigits", root, "..", "~/pets/", "../../pets"):
        dataset = load(name)
        assert (name_of(name), labels_of(name)) == (dataset.name, dataset.labels)
    for name in ("zzz", ""):
        with pytest.raises(ArgumentError, match="data: expected mnist"):
            labels_of(name)


@pytest.mark.parametrize("name", ["mnist", "fashion-mnist", "optdigits"])
def test_shares_mean_nothing_for_a_data_set_with_its_own_split(name: str) -> None:
    with pytest.raises(ArgumentError, match=f"validation, test: {name} has a split of its own"):
        load(name, validation=0.1)


def test_labels_for_each_file() -> None:
    with pytest.raises(ArgumentError, match="labels: expected 1, one for each file"):
        FolderSplit([Path("a.png")], [0, 1])
