from __future__ import annotations

from pathlib import Path

import pytest

from edgecnn.bundle import default_bundle, find, find_bundle, shipped_bundles
from edgecnn.errors import BundleError


@pytest.fixture
def shelves(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Folders with empty bundles: named/a, other/b, here/models/a, here/models/c; the current folder is here."""
    for name in ("named/a", "other/b", "here/models/a", "here/models/c"):
        (tmp_path / name).mkdir(parents=True)
        (tmp_path / name / "bundle.json").touch()
    (tmp_path / "here" / "models" / "no-bundle").mkdir()
    monkeypatch.setenv("EDGECNN_MODELS", f"{tmp_path / 'named'}::{tmp_path / 'other'}:{tmp_path / 'absent'}")
    monkeypatch.chdir(tmp_path / "here")
    return tmp_path


def test_a_path_is_a_path(shelves: Path) -> None:
    assert find_bundle(shelves / "other" / "b") == shelves / "other" / "b"
    assert find_bundle("models/c") == Path("models/c")
    with pytest.raises(BundleError, match=r"no-bundle: no bundle \(no bundle\.json in it\)"):
        find_bundle("models/no-bundle")


def test_a_name_is_looked_for_in_order(shelves: Path) -> None:
    assert find_bundle("a") == shelves / "named" / "a"
    assert find_bundle("b") == shelves / "other" / "b"
    assert find_bundle("c") == Path("models/c")


@pytest.mark.parametrize("name", ["zzz", "x/y", "../a", ""])
def test_what_is_nowhere_names_the_places_and_the_names(shelves: Path, name: str) -> None:
    with pytest.raises(BundleError) as caught:
        find_bundle(name)
    if name:
        assert str(shelves / "named") in str(caught.value)
        names = str(caught.value).partition("there are: ")[2].split(", ")
        assert {"a", "b", "c"} <= set(names) and names == sorted(names)
    assert "\n" not in str(caught.value)


def test_a_file_is_no_bundle_and_what_to_name_is_told(shelves: Path) -> None:
    (shelves / "other" / "b" / "b-int8.tflite").touch()
    (shelves / "net.keras").touch()
    (shelves / "c").touch()
    for file, end in (
        (shelves / "other" / "b" / "b-int8.tflite", f"; its bundle is {shelves / 'other' / 'b'}"),
        (shelves / "net.keras", "; edgecnn export makes a bundle of a model"),
        (shelves / "c", ""),
    ):
        with pytest.raises(BundleError) as caught:
            find_bundle(file)
        assert str(caught.value) == f"{file}: expected a bundle's folder or name, got a file{end}"
    (shelves / "here" / "a").touch()
    assert find_bundle("a") == shelves / "named" / "a", "a file of the name of a bundle hides nothing"


def test_no_name_at_all(shelves: Path) -> None:
    with pytest.raises(BundleError, match=r"^bundle: expected a folder or a name, got an empty text$"):
        find_bundle("")


def test_shipped_names(shelves: Path) -> None:
    assert {"a", "b", "c"} <= set(shipped_bundles())
    assert list(shipped_bundles()) == sorted(set(shipped_bundles()))


def test_each_folder_is_named_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = Path(__file__).resolve().parents[2]
    (tmp_path / "link").symlink_to(root / "models")
    monkeypatch.setenv("EDGECNN_MODELS", f"{tmp_path / 'link'}:{root}/edgecnn/../models")
    monkeypatch.chdir(root)
    assert find._model_folders() == [tmp_path / "link"]
    monkeypatch.delenv("EDGECNN_MODELS")
    with pytest.raises(BundleError, match=r"^zzz: no such bundle; looked in models; there are: "):
        find_bundle("zzz")


def test_the_checkout_s_models_are_looked_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("EDGECNN_MODELS", raising=False)
    monkeypatch.chdir(tmp_path)
    root = Path(__file__).resolve().parents[2]
    assert find._model_folders() == [Path("models"), root / "models"]
    assert default_bundle() == "digits"
