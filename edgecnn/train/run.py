"""A training that goes on: epochs, choice of the best weights, checkpoints, early stop, Ctrl-C."""

from __future__ import annotations

import math
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from edgecnn import _tf
from edgecnn.augment import stream
from edgecnn.errors import ModelError
from edgecnn.metrics import accuracy
from edgecnn.train.folder import Config, Epoch, RunFolder
from edgecnn.train.loop import Loop, cross_entropy

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from edgecnn.data import Split


@dataclass(frozen=True, slots=True)
class Tick:
    """How far a training is; given a few times a second.

    Attributes:
        epoch: The running epoch, from 1.
        epochs: How many there are at most.
        step: Steps of the epoch that are done.
        steps: Steps of an epoch.
        loss: Mean of the epoch so far.
        accuracy: Mean of the epoch so far, 0..1.
        seconds_left: Expected, if no early stop comes.
    """

    epoch: int
    epochs: int
    step: int
    steps: int
    loss: float
    accuracy: float
    seconds_left: float


class Run:
    """A training that goes on.

    Args:
        model: A `tf_keras.Model` that ends in logits; changed.
        training: What is learnt from.
        held: What is held out; None for nothing.
        config: Recipe, picture, seed.
        folder: Where checkpoints, history and logs go; `begin` is done.
        on_tick: Called a few times a second.
        on_epoch: Called after each epoch.

    Attributes:
        history: The epochs that are done.
        best_epoch: The one that `best` comes from, from 1; 0 before the first has ended.
        best: The weights to keep, in the order of `model.get_weights()`.
    """

    def __init__(
        self,
        model: Any,
        training: Split,
        held: Split | None,
        config: Config,
        folder: RunFolder,
        *,
        on_tick: Callable[[Tick], None] | None = None,
        on_epoch: Callable[[Epoch], None] | None = None,
    ) -> None:
        self.model, self.held, self.config, self.folder = model, held, config, folder
        self.history: list[Epoch] = []
        self.best_epoch = 0
        self._training, self._on_tick, self._on_epoch = training, on_tick, on_epoch
        self._steps = -(-len(training) // config.recipe.batch)
        self._loop = Loop(model, config.recipe, steps=self._steps * config.recipe.epochs, seed=config.seed)
        self.best: list[NDArray[Any]] = self._loop.weights()
        self._spent = 0.0  # seconds of the running epoch before an interruption
        self._ticked = 0.0  # when `on_tick` was called last

    def go(self) -> bool:
        """Train to the end or to Ctrl-C; returns whether it was Ctrl-C."""
        recipe = self.config.recipe
        feed = stream(self._training, self.config.image, recipe, seed=self.config.seed, skip=self._loop.done)
        batches = iter(feed.batches)
        writer = _tf.tensorflow().summary.create_file_writer(str(self.folder.path / "tensorboard"))
        self._began, self._began_at = time.monotonic(), self._loop.done
        with _stop_on_interrupt() as stopped, writer.as_default():
            while len(self.history) < recipe.epochs and not self._patience_is_over():
                began = time.monotonic()
                finished = self._epoch(batches, feed.failures, stopped)
                self._spent += time.monotonic() - began
                if not finished:
                    self._checkpoint()
                    return True
                self._end_epoch()
        return False

    def _epoch(self, batches: Iterator[Any], failures: list[Any], stopped: threading.Event) -> bool:
        """Steps to the end of the running epoch; returns False when Ctrl-C came first."""
        step = self._loop.done - len(self.history) * self._steps
        with self._loop.rounding():
            while step < self._steps:
                try:
                    images, labels = next(batches)
                except _tf.tensorflow().errors.OpError:
                    if failures:
                        raise failures[0] from None
                    raise
                self._loop.step(images, labels)
                step += 1
                if time.monotonic() - self._ticked > 0.2 or step == self._steps:
                    self._tick(step)
                if stopped.is_set():
                    return False
        return True

    def _tick(self, step: int) -> None:
        self._ticked = time.monotonic()
        epoch, epochs = len(self.history) + 1, self.config.recipe.epochs
        loss, share = self._loop.totals()
        if not math.isfinite(loss):
            raise ModelError(
                f"training: the loss is no longer a number in epoch {epoch}, step {step}; a lower rate may help, "
                f"it was {self._loop.rate:g}"
            )
        if self._on_tick is not None:
            done = self._loop.done
            pace = (self._ticked - self._began) / max(1, done - self._began_at)
            left = pace * (self._steps * epochs - done)
            self._on_tick(Tick(epoch, epochs, step, self._steps, loss, share, left))

    def _end_epoch(self) -> None:
        loss, share = self._loop.totals()
        held_loss, held_share = (None, None) if self.held is None else self._validate(self.held)
        epoch = Epoch(len(self.history) + 1, loss, share, held_loss, held_share, self._loop.rate, round(self._spent, 3))
        self.history.append(epoch)
        self._spent = 0.0
        if not self.config.recipe.keep_best or self._is_best(epoch):
            self.best_epoch, self.best = epoch.number, self._loop.weights()
        self._loop.start_epoch()
        self._checkpoint()
        self.folder.write_history(self.history)
        _log_scalars({k: v for k, v in asdict(epoch).items() if k != "number"}, epoch.number)
        if self._on_epoch is not None:
            self._on_epoch(epoch)

    def _validate(self, held: Split) -> tuple[float, float]:
        logits = self._loop.logits(held, self.config.image)
        if not np.isfinite(logits).all():
            raise ModelError(f"training: the net's answers are no longer numbers after epoch {len(self.history) + 1}")
        return cross_entropy(logits, held.labels), accuracy(logits, held.labels).value

    def _is_best(self, epoch: Epoch) -> bool:
        if not self.best_epoch:
            return True
        return _merit(epoch) > _merit(self.history[self.best_epoch - 1])

    def _patience_is_over(self) -> bool:
        patience = self.config.recipe.patience
        return patience is not None and len(self.history) - self.best_epoch >= patience

    def _checkpoint(self) -> None:
        arrays = self._loop.state() | {f"best/{i}": weight for i, weight in enumerate(self.best)}
        rows = [asdict(epoch) for epoch in self.history]
        self.folder.write_checkpoint(arrays, {"history": rows, "best_epoch": self.best_epoch, "spent": self._spent})

    def restore(self) -> None:
        """Go back to the last checkpoint, if one was written."""
        stored = self.folder.read_checkpoint()
        if stored is None:
            return
        arrays, values = stored
        try:
            self._loop.restore(arrays)
            self.best = [arrays[f"best/{i}"] for i in range(len(self.best))]
            self.history = [Epoch(**row) for row in values["history"]]
            self.best_epoch, self._spent = values["best_epoch"], values["spent"]
        except (KeyError, TypeError, ValueError) as error:
            raise ModelError(f"{self.folder.path}: its checkpoint does not fit the run: {error}") from error


def _merit(epoch: Epoch) -> tuple[float, float]:
    """What makes an epoch better: validation accuracy, and where that is equal its loss."""
    return (epoch.validation_accuracy or 0.0, -(epoch.validation_loss or 0.0))


def _log_scalars(values: dict[str, float | None], step: int) -> None:
    """Write numbers for TensorBoard, as its own `scalar` does; that one needs the package, the files do not."""
    tf = _tf.tensorflow()
    form = tf.compat.v1.SummaryMetadata(data_class=1)  # a scalar
    form.plugin_data.plugin_name = "scalars"
    try:
        for name, value in values.items():
            if value is not None:
                tf.summary.write(name, tf.constant(value, tf.float32), step=step, metadata=form)
        tf.summary.flush()
    except tf.errors.OpError as error:
        raise ModelError(f"training: the logs for TensorBoard cannot be written: {error.message}") from error


@contextmanager
def _stop_on_interrupt() -> Iterator[threading.Event]:
    """Turn the first Ctrl-C into an event; the second one is a KeyboardInterrupt again."""
    stopped = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield stopped  # only the main thread may handle signals
        return

    def handle(number: int, frame: Any) -> None:
        stopped.set()
        signal.signal(signal.SIGINT, before)

    before = signal.signal(signal.SIGINT, handle)
    try:
        yield stopped
    finally:
        signal.signal(signal.SIGINT, before)
