"""Run folders and saved models: whole or absent, and a clear line for what is broken."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest

from edgecnn import nets
from edgecnn.errors import ArgumentError, ModelError
from edgecnn.nets import Augmentation, Fill, Optimizer, Recipe, Schedule
from edgecnn.spec import Fit, ImageSpec
from edgecnn.train import RunFolder, load_model, load_weights, save_model
from edgecnn.train.folder import image_from_json, recipe_from_json


@pytest.fixture
def copy(finished, tmp_path):
    shutil.copytree(finished.folder, tmp_path / "run")
    return RunFolder(tmp_path / "run")


def test_a_run_is_not_overwritten(copy):
    config = copy.config()
    with pytest.raises(ArgumentError, match=r"out: .*run holds a run; add --resume to go on with it"):
        copy.begin(config, resume=False)
    assert copy.begin(config, resume=True)


@pytest.mark.parametrize(
    ("change", "names"),
    [
        ({"seed": 6}, "seed"),
        ({"net": "tiny"}, "net"),
        ({"recipe": Recipe(epochs=3)}, "recipe"),
        ({"labels": ("a",), "image": ImageSpec(1, 1, 1)}, "image, labels"),
        ({"start": "00"}, "start"),
    ],
)
def test_another_run_is_not_resumed(copy, change, names):
    with pytest.raises(ArgumentError, match=f"holds another run, its {names} differ; name another folder"):
        copy.begin(replace(copy.config(), **change), resume=True)


def test_other_data_is_another_run(copy):
    config = copy.config()
    with pytest.raises(ArgumentError, match="its data differ"):
        copy.begin(replace(config, data={**config.data, "sha256": "00"}), resume=True)
    assert copy.begin(replace(config, data={**config.data, "source": "another disk"}), resume=True)


def test_a_folder_that_holds_something_else_is_left_alone(copy, tmp_path):
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "cat.jpg").write_bytes(b"cat")
    (tmp_path / "file").write_bytes(b"text")
    for name in ("photos", "file"):
        with pytest.raises(ArgumentError, match=rf"out: .*{name} exists and is not a run folder"):
            RunFolder(tmp_path / name).begin(copy.config(), resume=True)
    with pytest.raises(ArgumentError, match=r"out: .*file/run cannot be made"):
        RunFolder(tmp_path / "file" / "run").begin(copy.config(), resume=False)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "config.json is broken"),
        ("[]", "config.json is broken: it holds no object"),
        ("{}", "config.json is broken: 'schema'"),
        ('{"schema": 2}', "its schema is not 1"),
        ('{"schema": 1}', "config.json is broken"),
        ("\udcff", "config.json is broken"),
    ],
)
def test_a_broken_configuration(copy, text, message):
    (copy.path / "config.json").write_bytes(text.encode("utf-8", "surrogateescape"))
    with pytest.raises(ModelError, match=message):
        copy.config()


def test_no_run_folder(tmp_path):
    with pytest.raises(ModelError, match=r"is not a run folder: it has no config.json"):
        RunFolder(tmp_path).config()


def test_values_of_a_configuration_are_checked(copy):
    values = json.loads((copy.path / "config.json").read_text())
    values["recipe"]["epochs"] = 0
    (copy.path / "config.json").write_text(json.dumps(values))
    with pytest.raises(ModelError, match=r"config.json is broken: epochs: expected a whole number"):
        copy.config()


def test_configurations_go_through_json():
    recipe = Recipe(
        epochs=3,
        optimizer=Optimizer.RMSPROP,
        schedule=Schedule.ONE_CYCLE,
        augmentation=Augmentation(rotation=3, fill=Fill.NEAREST),
        patience=2,
    )
    from dataclasses import asdict

    assert recipe_from_json(json.loads(json.dumps(asdict(recipe)))) == recipe
    assert recipe_from_json(json.loads(json.dumps(asdict(Recipe(epochs=1))))) == Recipe(epochs=1)
    image = ImageSpec(28, 28, 1, offset=-0.5, fit=Fit.DIGIT)
    assert image_from_json(json.loads(json.dumps(asdict(image)))) == image


def test_a_broken_checkpoint_is_named(copy, few):
    file = copy.path / "checkpoint" / "state.npz"
    file.write_bytes(file.read_bytes()[:1000])
    with pytest.raises(ModelError, match=r"state.npz is broken: .*; start the run anew in another folder"):
        copy.read_checkpoint()


def test_checkpoints_go_through_the_disk(tmp_path):
    folder = RunFolder(tmp_path)
    (tmp_path / "checkpoint").mkdir()
    assert folder.read_checkpoint() is None
    arrays = {"weight/0": np.arange(6, dtype=np.float32).reshape(2, 3), "totals": np.zeros(3)}
    folder.write_checkpoint(arrays, {"best_epoch": 3})
    read, values = folder.read_checkpoint()
    assert values == {"best_epoch": 3}
    assert {name: a.dtype for name, a in read.items()} == {name: a.dtype for name, a in arrays.items()}
    assert all(np.array_equal(read[name], arrays[name]) for name in arrays)


@pytest.mark.parametrize("name", ["model.keras", "model.h5", "model.weights.h5"])
def test_save_and_load(tmp_path, name):
    model, other = nets.build("conv-32-64-64"), nets.build("conv-32-64-64")
    images = np.random.default_rng(0).random((3, 28, 28, 1), np.float32)
    save_model(model, tmp_path / name)
    assert [path.name for path in tmp_path.iterdir()] == [name]
    load_weights(other, tmp_path / name)
    assert np.array_equal(model(images), other(images))
    if name != "model.weights.h5":
        assert np.array_equal(model(images), load_model(tmp_path / name)(images))


def test_what_cannot_be_saved_or_loaded(tmp_path):
    model = nets.build("tiny")
    with pytest.raises(ArgumentError, match=r"model file: expected a name that ends in .weights.h5, .h5, .keras, got"):
        save_model(model, tmp_path / "model.pb")
    with pytest.raises(ModelError, match=r"gone.keras: there is no such file"):
        load_model(tmp_path / "gone.keras")
    (tmp_path / "text.keras").write_text("no model")
    (tmp_path / "text.h5").write_text("no model")
    for name in ("text.keras", "text.h5"):
        with pytest.raises(ModelError, match=f"{name} cannot be loaded"):
            load_model(tmp_path / name)
    save_model(model, tmp_path / "tiny.weights.h5")
    with pytest.raises(ArgumentError, match="holds weights alone; load them into a net"):
        load_model(tmp_path / "tiny.weights.h5")
    with pytest.raises(ModelError, match="cannot be loaded"):
        load_weights(nets.build("conv-64-32"), tmp_path / "tiny.weights.h5")


def test_a_failed_save_leaves_the_old_file(tmp_path, monkeypatch):
    model = nets.build("tiny")
    (tmp_path / "model.h5").write_bytes(b"old")

    def full(*args, **kwargs):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(type(model), "save", full)
    with pytest.raises(ModelError, match=r"model.h5 cannot be written: No space left on device"):
        save_model(model, tmp_path / "model.h5")
    assert [path.name for path in tmp_path.iterdir()] == ["model.h5"]
    assert (tmp_path / "model.h5").read_bytes() == b"old"


def test_a_full_disk_is_one_line(tmp_path):
    """A limit on the size of files stands for the disk."""
    code = (
        "import resource, sys\n"
        "from pathlib import Path\n"
        "from edgecnn.errors import ModelError\n"
        "from edgecnn.train import RunFolder\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (100, 100))\n"
        "folder = RunFolder(Path(sys.argv[1]))\n"
        "folder.write_text('summary.txt', 'short')\n"
        "try:\n"
        "    folder.write_text('summary.txt', 'long' * 100)\n"
        "except ModelError as error:\n"
        "    print(error)\n"
    )
    ran = subprocess.run([sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True, timeout=120)
    assert (
        ran.stdout
        == f"{tmp_path / 'summary.txt'} cannot be written: File too large; make room and go on with --resume\n"
    )
    assert (tmp_path / "summary.txt").read_text() == "short"
    assert len(list(tmp_path.iterdir())) == 1
