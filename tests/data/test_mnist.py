"""MNIST's files: where they are found, what is refused, how they are split."""

from __future__ import annotations

import gzip
import io
import struct
import zipfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgecnn.data import Dataset, load, mnist
from edgecnn.data.idx import read_idx
from edgecnn.data.mnist import FASHION_MNIST, MNIST, find_files, load_family, places
from edgecnn.data.npz import read_npz
from edgecnn.errors import ArgumentError, DataError
from edgecnn.spec import ImageSpec
from tests.data.conftest import Small, idx

SHAPE = (5, 4, 3)
ARRAY = np.arange(60, dtype=np.uint8).reshape(SHAPE)
GREY = ImageSpec(28, 28, 1)


def test_a_data_dir_that_is_not_there_is_not_passed_over(tmp_path: Path) -> None:
    for name in ("mnist", "optdigits"):
        with pytest.raises(ArgumentError, match=r"data_dir: expected a folder that is there, got '.*nope'"):
            load(name, data_dir=tmp_path / "nope")


@pytest.mark.parametrize("packed", [False, True])
def test_an_idx_file_comes_back(packed: bool, tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(gzip.compress(idx(ARRAY)) if packed else idx(ARRAY))
    assert np.array_equal(read_idx(path, SHAPE), ARRAY)


BAD_IDX = {
    "empty": (b"", "got nothing"),
    "a text": (b"hello, I am no IDX", "got 68656c6c"),
    "floats": (struct.pack(">BBBB3I", 0, 0, 13, 3, *SHAPE), "got 00000d03"),
    "labels, not images": (idx(ARRAY.reshape(-1)), "got 00000801"),
    "another shape": (idx(ARRAY.reshape(4, 5, 3)), r"expected shape \(5, 4, 3\), got \(4, 5, 3\)"),
    "a cut header": (idx(ARRAY)[:9], "a cut header"),
    "a missing byte": (idx(ARRAY)[:-1], "expected 60 bytes after the header, got 59"),
    "a byte too many": (idx(ARRAY) + b"x", "expected 60 bytes after the header, got more"),
    "a cut .gz": (gzip.compress(idx(ARRAY))[:-12], "could not read it"),
    "a damaged .gz": (gzip.compress(idx(ARRAY))[:-8] + bytes(8), "could not read it|got more"),
    "a .gz damaged inside": (
        gzip.compress(idx(ARRAY))[:12] + b"\xff" * 9 + gzip.compress(idx(ARRAY))[21:],
        "could not read",
    ),
    "gz magic alone": (b"\x1f\x8b", "could not read it"),
}


@pytest.mark.parametrize("name", BAD_IDX)
def test_a_bad_idx_file_is_one_line(name: str, tmp_path: Path) -> None:
    data, text = BAD_IDX[name]
    path = tmp_path / "a.gz"
    path.write_bytes(data)
    with pytest.raises(DataError, match=text) as caught:
        read_idx(path, SHAPE)
    assert str(caught.value).startswith(f"{path}: ")
    assert "\n" not in str(caught.value)


def test_a_bomb_is_not_unpacked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.gz"
    path.write_bytes(gzip.compress(idx(ARRAY) + bytes(50_000_000)))
    asked: list[int] = []
    read = gzip.GzipFile.read

    def counted(self: gzip.GzipFile, size: int | None = -1) -> bytes:
        asked.append(-1 if size is None else size)
        return read(self, size)

    monkeypatch.setattr(gzip.GzipFile, "read", counted)
    with pytest.raises(DataError, match="got more"):
        read_idx(path, SHAPE)
    assert asked
    assert all(0 <= size <= 61 for size in asked)


@given(st.binary(max_size=80), st.booleans())
def test_any_bytes_are_an_array_or_one_line(
    tmp_path_factory: pytest.TempPathFactory, data: bytes, packed: bool
) -> None:
    path = tmp_path_factory.getbasetemp() / "any.gz"
    path.write_bytes(b"\x1f\x8b" + data if packed else data)
    with pytest.raises(DataError):
        read_idx(path, SHAPE)


def npz(**arrays: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    np.savez(buffer, **arrays)
    return buffer.getvalue()


def test_an_npz_array_comes_back(tmp_path: Path) -> None:
    path = tmp_path / "a.npz"
    np.savez_compressed(path, other=np.zeros(3), x=ARRAY)
    assert np.array_equal(read_npz(path, "x", SHAPE), ARRAY)


def promising(shape: tuple[int, ...], data: bytes) -> bytes:
    """A file whose member promises a shape that its data may not have."""
    buffer = io.BytesIO()
    np.lib.format.write_array_header_1_0(buffer, {"descr": "|u1", "fortran_order": False, "shape": shape})
    buffer.write(data)
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("x.npy", buffer.getvalue())
    return packed.getvalue()


BAD_NPZ = {
    "empty": (b"", "cannot be read"),
    "no such array": (npz(y=ARRAY), "expected an array 'x' in it, found none"),
    "another type": (npz(x=ARRAY.astype(np.float32)), "expected uint8"),
    "another shape": (npz(x=ARRAY.reshape(4, 5, 3)), r"got uint8 \(4, 5, 3\)"),
    "by columns": (npz(x=np.asfortranarray(ARRAY)), "expected uint8"),
    "objects": (npz(x=np.array([{}, []], object)), "expected uint8"),
    "a promise of a petabyte": (promising((10**15,), b""), "got uint8"),
    "too few bytes": (promising(SHAPE, bytes(59)), "expected 60 bytes, got 59"),
    "too many bytes": (promising(SHAPE, bytes(61)), "expected 60 bytes, got more"),
    "a later format of arrays": (promising(SHAPE, b"").replace(b"NUMPY\x01", b"NUMPY\x03"), "cannot be read"),
    "cut": (npz(x=ARRAY)[:-30], "cannot be read"),
}


@pytest.mark.parametrize("name", BAD_NPZ)
def test_a_bad_npz_is_one_line(name: str, tmp_path: Path) -> None:
    data, text = BAD_NPZ[name]
    path = tmp_path / "a.npz"
    path.write_bytes(data)
    with pytest.raises(DataError, match=text):
        read_npz(path, "x", SHAPE)


def test_changed_bytes_in_an_npz_are_found(tmp_path: Path) -> None:
    data = bytearray(npz(x=ARRAY))
    data[data.index(ARRAY.tobytes()) + 5] ^= 1
    path = tmp_path / "a.npz"
    path.write_bytes(bytes(data))
    with pytest.raises(DataError, match="cannot be read"):
        read_npz(path, "x", SHAPE)


@pytest.mark.parametrize(
    "place", ["mine", "mine/small", "mine/Small/raw", "keras/datasets/small", "cache/edgecnn/small"]
)
def test_it_is_found_in(place: str, small: Small, tmp_path: Path) -> None:
    small.write(tmp_path / place)
    dataset = load_family(small.family, data_dir=tmp_path / "mine")
    assert str(tmp_path / place) in dataset.source
    assert (len(dataset.train), len(dataset.validation), len(dataset.test)) == (30, 10, 20)


def test_the_environment_names_a_folder(small: Small, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    small.write(tmp_path / "there" / "small")
    monkeypatch.setenv("EDGECNN_DATA", str(tmp_path / "there"))
    assert "there/small" in load_family(small.family).source


@pytest.mark.parametrize("name", ["gone", "file"])
def test_an_environment_that_names_no_folder_is_refused(
    name: str, small: Small, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    small.write(tmp_path / "keras" / "datasets" / "small")
    monkeypatch.setenv("EDGECNN_DATA", str(tmp_path / name))
    says = rf"^EDGECNN_DATA: expected a folder that is there, got '.*{name}'; correct or unset it$"
    for ask in (load_family, find_files):
        with pytest.raises(ArgumentError, match=says):
            ask(small.family, data_dir=None)
    monkeypatch.setenv("EDGECNN_DATA", "")
    assert "keras" in load_family(small.family).source, "empty is not set"


def test_keras_npz_is_the_same_data_set(small: Small, tmp_path: Path) -> None:
    from_idx = load_family(small.family, data_dir=small.write(tmp_path / "idx"))
    folder = tmp_path / "keras" / "datasets"
    folder.mkdir(parents=True)
    names = ("x_train", "y_train", "x_test", "y_test")
    np.savez(folder / "small.npz", **dict(zip(names, small.arrays, strict=True)))
    from_npz = load_family(small.family)
    assert from_npz.sha256 == from_idx.sha256
    assert from_npz.source.endswith("small.npz")
    everything = np.arange(len(from_idx.validation))
    assert np.array_equal(from_npz.validation.pixels(everything, GREY), from_idx.validation.pixels(everything, GREY))


def test_unpacked_files_will_do(small: Small, tmp_path: Path) -> None:
    for name, data in small.files.items():
        (tmp_path / name.removesuffix(".gz")).write_bytes(gzip.decompress(data))
    assert len(load_family(small.family, data_dir=tmp_path).train) == 30


def test_other_content_under_its_name_is_refused(small: Small, tmp_path: Path) -> None:
    small.write(tmp_path)
    other = small.arrays[0].copy()
    other[3, 4, 5] ^= 1
    (tmp_path / "train-images-idx3-ubyte.gz").write_bytes(gzip.compress(idx(other)))
    with pytest.raises(DataError, match="this is not the small that was published"):
        load_family(small.family, data_dir=tmp_path)


def test_another_member_of_the_family_is_passed_over(
    small: Small, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A folder that holds MNIST itself is no damaged Fashion-MNIST."""
    folder = small.write(tmp_path / "mixed")
    other = small.arrays[3].copy()[::-1]
    (folder / "t10k-labels-idx1-ubyte.gz").write_bytes(gzip.compress(idx(other)))
    digest = mnist._digest(np.ascontiguousarray(other))
    monkeypatch.setattr(mnist, "_TEST_LABELS", frozenset((digest, small.family.parts[3].content)))
    small.write(tmp_path / "keras" / "datasets" / "small")
    assert "keras" in load_family(small.family, data_dir=folder).source
    small.write(folder)
    assert str(folder) in load_family(small.family, data_dir=folder).source


def test_the_splits_are_a_partition_that_only_the_seed_moves(small: Small, tmp_path: Path) -> None:
    small.write(tmp_path)
    first = load_family(small.family, data_dir=tmp_path)
    again = load_family(small.family, data_dir=tmp_path)
    other = load_family(small.family, data_dir=tmp_path, seed=1)

    def images(dataset: Dataset, name: str) -> list[bytes]:
        split = dataset.splits[name]
        return [image.tobytes() for image in split.pixels(np.arange(len(split)), GREY)]

    assert images(first, "validation") == images(again, "validation")
    assert images(first, "validation") != images(other, "validation")
    everything = {image.tobytes() for image in small.arrays[0]}
    assert {*images(first, "train"), *images(first, "validation")} == everything
    assert not {*images(first, "train")} & {*images(first, "validation")}
    assert images(first, "test") == [image.tobytes() for image in small.arrays[2]]
    assert first.sha256 == other.sha256


def test_labels_stay_with_their_images(small: Small, tmp_path: Path) -> None:
    dataset = load_family(small.family, data_dir=small.write(tmp_path))
    true = {image.tobytes(): label for image, label in zip(*small.arrays[:2], strict=True)}
    pixels = dataset.train.pixels(np.arange(30), GREY)
    assert [true[image.tobytes()] for image in pixels] == dataset.train.labels.tolist()


@pytest.mark.parametrize("seed", [-1, 2**32])
def test_a_seed_out_of_range(seed: int, small: Small) -> None:
    with pytest.raises(ArgumentError, match=f"seed: expected 0 to 4294967295, got {seed}"):
        load_family(small.family, seed=seed)
    with pytest.raises(ArgumentError, match="seed"):
        load("optdigits", seed=seed)


def test_places_name_each_folder_once(small: Small, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EDGECNN_DATA", str(tmp_path))
    found = places(small.family, tmp_path)
    assert len(found) == len(set(found))


def test_mnist_itself(mnist: Dataset) -> None:
    assert mnist.name == "mnist"
    assert [len(split) for split in mnist.splits.values()] == [55_000, 5_000, 10_000]
    assert mnist.counts()["test"] == (980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009)
    assert sum(mnist.counts()["train"]) == 55_000
    # The split that published models were trained with: a change of it would let them be judged on what they know.
    assert mnist.validation.labels[:10].tolist() == [6, 7, 8, 7, 8, 9, 2, 9, 9, 1]
    assert mnist.shape == (28, 28, 1)


def test_fashion_mnist_itself(data_dir: Path) -> None:
    if not (data_dir / "fashion-mnist").is_dir():
        pytest.skip("needs Fashion-MNIST in EDGECNN_DATA (fashion-mnist/)")
    dataset = load("fashion-mnist", data_dir=data_dir)
    assert dataset.counts()["test"] == (1000,) * 10
    assert dataset.labels[9] == "ankle boot"


def test_both_members_say_where_they_come_from() -> None:
    for family in (MNIST, FASHION_MNIST):
        assert len({part.content for part in family.parts}) == 4
        assert len(family.labels) == 10
        assert all(mirror.startswith("http") and mirror.endswith("/") for mirror in family.mirrors)
