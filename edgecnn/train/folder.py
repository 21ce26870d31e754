"""The run folder: what a training was, how far it came and what came out of it.

config.json             net, picture, labels, recipe, seed, data set, versions: all that decides the result
history.json, .csv      one row an epoch
checkpoint/state.npz    all that an interrupted run needs to go on
model.keras             the model, without its optimizer
result.json             accuracies; only of a finished run
summary.txt, curves.png, predictions.png, samples.png, tensorboard/
"""

from __future__ import annotations

import csv
import io
import json
import zipfile
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from edgecnn.errors import ArgumentError, ModelError
from edgecnn.files import output_folder, write_atomically
from edgecnn.nets.recipe import Augmentation, Fill, Optimizer, Recipe, Schedule
from edgecnn.spec import Fit, ImageSpec

if TYPE_CHECKING:
    from numpy.typing import NDArray

SCHEMA = 1
MODEL = "model.keras"


@dataclass(frozen=True, slots=True)
class Epoch:
    """One epoch of a training.

    Attributes:
        number: From 1.
        loss: Mean over the training pictures while it ran.
        accuracy: Share of the training pictures that were right while it ran, 0..1.
        validation_loss: After the epoch, on what is held out; None when nothing is.
        validation_accuracy: Likewise.
        rate: Learning rate at its end.
        seconds: How long it took.
    """

    number: int
    loss: float
    accuracy: float
    validation_loss: float | None
    validation_accuracy: float | None
    rate: float
    seconds: float


@dataclass(frozen=True, slots=True)
class Config:
    """All that decides the result of a training, and where it ran.

    Attributes:
        net: Name of the net.
        image: The picture that it takes.
        labels: Names of its classes.
        recipe: How it is trained.
        seed: Of the weights, the order, the warps and the dropout.
        start: SHA-256 of the file that the first weights came from; None for random ones.
        data: Name, hash, source and sizes of the data set.
        versions: Of the packages.
        machine: Where it ran.
    """

    net: str
    image: ImageSpec
    labels: tuple[str, ...]
    recipe: Recipe
    seed: int
    start: str | None
    data: dict[str, Any]
    versions: dict[str, str]
    machine: dict[str, Any]

    def decisive(self) -> dict[str, Any]:
        """What must be the same for a run to be resumed, in the form in which JSON gives it back."""
        values = asdict(self)
        data = {name: values["data"][name] for name in ("name", "sha256", "train", "validation")}
        chosen = {name: values[name] for name in ("net", "image", "labels", "recipe", "seed", "start")} | {"data": data}
        result: dict[str, Any] = json.loads(json.dumps(chosen))
        return result


def image_from_json(values: dict[str, Any]) -> ImageSpec:
    """An ImageSpec from the form in which `config.json` holds it.

    Raises:
        KeyError, TypeError, ValueError, ArgumentError: It is not one.
    """
    return ImageSpec(**{**values, "fit": Fit(values["fit"])})


def recipe_from_json(values: dict[str, Any]) -> Recipe:
    """A Recipe from the form in which `config.json` holds it.

    Raises:
        KeyError, TypeError, ValueError, ArgumentError: It is not one.
    """
    values = dict(values)
    if values.get("augmentation") is not None:
        inner = values["augmentation"]
        values["augmentation"] = Augmentation(**{**inner, "fill": Fill(inner["fill"])})
    values["optimizer"], values["schedule"] = Optimizer(values["optimizer"]), Schedule(values["schedule"])
    return Recipe(**values)


class RunFolder:
    """Reads and writes a run folder; every file is written whole or not at all.

    Args:
        path: The folder.
    """

    def __init__(self, path: Path) -> None:
        self.path = Path(path)

    @property
    def begun(self) -> bool:
        """Whether there is a run in it."""
        return (self.path / "config.json").is_file()

    def begin(self, config: Config, *, resume: bool) -> bool:
        """Make the folder, or find in it the run to resume.

        Args:
            config: What is to be trained.
            resume: Go on with what is there, if anything is.

        Returns:
            Whether there is a run to go on with.

        Raises:
            ArgumentError: A run is there and shall not be resumed, or it is another one; or the folder cannot be made.
            ModelError: The disk is full.
        """
        file = self.path / "config.json"
        if file.exists():
            if not resume:
                raise ArgumentError(
                    f"out: {self.path} holds a run; add --resume to go on with it, or name another folder"
                )
            before, now = self.config().decisive(), config.decisive()
            other = [name for name in now if before[name] != now[name]]
            if other:
                raise ArgumentError(
                    f"out: {self.path} holds another run, its {', '.join(other)} differ; name another folder"
                )
            return True
        if self.path.exists() and (not self.path.is_dir() or any(self.path.iterdir())):
            raise ArgumentError(f"out: {self.path} exists and is not a run folder; name another one")
        output_folder(self.path, "out")
        (self.path / "checkpoint").mkdir(exist_ok=True)
        self.write_json("config.json", {"schema": SCHEMA, **asdict(config)})
        return False

    def config(self) -> Config:
        """What was trained.

        Raises:
            ModelError: `config.json` is absent, broken or of an unknown schema.
        """
        values = self._read_json("config.json")
        try:
            if values.pop("schema") != SCHEMA:
                raise ModelError(f"{self.path / 'config.json'}: its schema is not {SCHEMA}, the one known here")
            values["image"] = image_from_json(values["image"])
            values["recipe"] = recipe_from_json(values["recipe"])
            values["labels"] = tuple(values["labels"])
            return Config(**values)
        except (KeyError, TypeError, ValueError, ArgumentError) as error:
            raise ModelError(f"{self.path / 'config.json'} is broken: {error}") from error

    def write_json(self, name: str, value: Any) -> None:
        """Write a value as JSON."""
        self.write_text(name, json.dumps(value, indent=2, ensure_ascii=False) + "\n")

    def write_text(self, name: str, text: str) -> None:
        """Write a text file.

        Raises:
            ModelError: The disk is full, or the folder cannot be written any more.
        """
        self._write(name, text.encode())

    def _write(self, name: str, data: bytes) -> None:
        try:
            write_atomically(self.path / name, data)
        except OSError as error:
            raise ModelError(
                f"{self.path / name} cannot be written: {error.strerror}; make room and go on with --resume"
            ) from error

    def _read_json(self, name: str) -> dict[str, Any]:
        file = self.path / name
        try:
            values = json.loads(file.read_text(encoding="utf-8"))
        except FileNotFoundError:
            raise ModelError(f"{self.path} is not a run folder: it has no {name}") from None
        except (UnicodeDecodeError, ValueError) as error:
            raise ModelError(f"{file} is broken: {error}") from error
        if not isinstance(values, dict):
            raise ModelError(f"{file} is broken: it holds no object")
        return values

    def result(self) -> dict[str, Any] | None:
        """What came out, as `result.json` has it; None while the run is not finished.

        Raises:
            ModelError: The file is broken.
        """
        return self._read_json("result.json") if (self.path / "result.json").exists() else None

    def write_history(self, history: list[Epoch]) -> None:
        """Write the epochs so far as `history.json` and `history.csv`."""
        rows = [asdict(epoch) for epoch in history]
        self.write_json("history.json", {"schema": SCHEMA, "epochs": rows})
        text = io.StringIO()
        writer = csv.DictWriter(text, [field.name for field in fields(Epoch)], lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
        self.write_text("history.csv", text.getvalue())

    def write_checkpoint(self, arrays: dict[str, NDArray[Any]], values: dict[str, Any]) -> None:
        """Write what a resumed run needs: arrays by name, and a JSON value.

        Raises:
            ModelError: The disk is full, or the folder cannot be written any more.
        """
        buffer = io.BytesIO()
        np.savez(buffer, allow_pickle=False, **arrays, json=np.array(json.dumps(values)))
        self._write("checkpoint/state.npz", buffer.getvalue())

    def read_checkpoint(self) -> tuple[dict[str, NDArray[Any]], dict[str, Any]] | None:
        """What `write_checkpoint` wrote last; None when nothing was.

        Raises:
            ModelError: The file is broken.
        """
        file = self.path / "checkpoint" / "state.npz"
        if not file.exists():
            return None
        try:
            # Opened here: numpy leaves a file that it opened itself open when it is broken.
            with file.open("rb") as stream, np.load(stream, allow_pickle=False) as stored:
                arrays = {name: stored[name] for name in stored.files}
            return arrays, json.loads(str(arrays.pop("json")))
        except (KeyError, ValueError, EOFError, zipfile.BadZipFile) as error:
            raise ModelError(f"{file} is broken: {error}; start the run anew in another folder") from error
