"""Pictures of a training: samples, curves, predictions. PNG files, drawn without a display."""

from __future__ import annotations

import io
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from edgecnn.errors import MissingExtraError
from edgecnn.files import write_atomically

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from edgecnn.data import Split
    from edgecnn.spec import ImageSpec
    from edgecnn.train.folder import Epoch

COLUMNS, ROWS = 8, 5
_LEARNT, _HELD, _WRONG = "#3b6ea5", "#d1742f", "#b3261e"


def curves(history: Sequence[Epoch], title: str, path: Path) -> None:
    """Draw loss and accuracy over the epochs.

    Args:
        history: The epochs, at least one.
        title: What was trained on what.
        path: The PNG file.
    """
    figure = _figure(10, 4)
    numbers = [epoch.number for epoch in history]
    for place, name, unit in ((1, "loss", "nats"), (2, "accuracy", "%")):
        axes = figure.add_subplot(1, 2, place)
        factor = 100 if unit == "%" else 1
        lines = (("training", name, _LEARNT), ("validation", f"validation_{name}", _HELD))
        for label, attribute, colour in lines:
            values = [getattr(epoch, attribute) for epoch in history]
            if None not in values:
                axes.plot(numbers, [factor * v for v in values], color=colour, label=label, marker=".", linewidth=1.5)
        axes.set_xlabel("epoch")
        axes.set_ylabel(f"{name} ({unit})")
        axes.xaxis.get_major_locator().set_params(integer=True)
        axes.grid(alpha=0.3)
        axes.legend(frameon=False)
    figure.suptitle(title)
    _save(figure, path)


def samples(split: Split, image: ImageSpec, labels: Sequence[str], path: Path) -> None:
    """Draw pictures as the net sees them, classes in turn.

    Args:
        split: Where they come from.
        image: The network's picture.
        labels: Names of the classes.
        path: The PNG file.
    """
    chosen = in_turn(split.labels, COLUMNS * ROWS)
    titles = [(labels[split.labels[index]], "black") for index in chosen]
    _grid(split.pixels(chosen, image), titles, path)


def predictions(split: Split, logits: NDArray[np.float32], image: ImageSpec, labels: Sequence[str], path: Path) -> None:
    """Draw test pictures with their true and their predicted class: first what is wrong, least sure last, then others.

    Args:
        split: The pictures.
        logits: float32 [n, classes], the net's answers to all of them.
        image: The network's picture.
        labels: Names of the classes.
        path: The PNG file.
    """
    guessed = logits.argmax(axis=1)
    wrong = np.flatnonzero(guessed != split.labels)
    margins = np.sort(logits[wrong], axis=1)
    sure = np.argsort(margins[:, -2] - margins[:, -1], kind="stable")
    chosen = wrong[sure][: COLUMNS * ROWS // 2]
    right = np.flatnonzero(guessed == split.labels)
    chosen = np.concatenate([chosen, right[in_turn(split.labels[right], COLUMNS * ROWS - len(chosen))]])
    titles = []
    for index in chosen:
        ok = guessed[index] == split.labels[index]
        titles.append(
            (f"{labels[split.labels[index]]} \N{RIGHTWARDS ARROW} {labels[guessed[index]]}", "black" if ok else _WRONG)
        )
    heading = f"true \N{RIGHTWARDS ARROW} predicted; {len(wrong)} of {len(split)} wrong"
    _grid(split.pixels(chosen, image), titles, path, heading)


def in_turn(labels: NDArray[np.int64], count: int) -> NDArray[np.int64]:
    """Indices of the first pictures of each class, class after class in turn.

    Args:
        labels: int64 [n].
        count: How many are wanted.

    Returns:
        int64 [min(count, n)].
    """
    order = np.argsort(labels, kind="stable")
    ordered = labels[order]
    starts = np.searchsorted(ordered, ordered, side="left")
    rank = np.arange(len(labels)) - starts  # 0 for the first of each class, 1 for the second
    return order[np.lexsort((ordered, rank))][:count]


def _grid(pixels: NDArray[np.uint8], titles: Sequence[tuple[str, str]], path: Path, heading: str = "") -> None:
    """Draw pictures in rows, each below its title; one image for all, because 40 axes would take seconds."""
    count, height, width, _ = pixels.shape
    rows = -(-count // COLUMNS)
    title, gap = max(2, round(0.22 * height)), max(1, round(0.08 * width))
    sheet = np.full((rows * (height + title), COLUMNS * (width + gap), 3), 255, np.uint8)
    figure = _figure(COLUMNS * 1.1, COLUMNS * 1.1 * sheet.shape[0] / sheet.shape[1] + (0.4 if heading else 0.1))
    axes = figure.add_subplot()
    for place, (picture, (text, colour)) in enumerate(zip(pixels, titles, strict=True)):
        top, left = (height + title) * (place // COLUMNS) + title, (width + gap) * (place % COLUMNS) + gap // 2
        sheet[top : top + height, left : left + width] = picture
        style = {"fontsize": 9, "color": colour, "ha": "center", "va": "bottom"}
        axes.text(left + width / 2, top - 0.02 * height, text[:16], **style)
    axes.imshow(sheet, interpolation="nearest")
    axes.set_axis_off()
    if heading:
        figure.suptitle(heading)
    _save(figure, path)


def _figure(width: float, height: float) -> Any:
    try:
        # The object-oriented side of matplotlib: no pyplot, so no display, no global state, nothing to close.
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    except ModuleNotFoundError as error:
        raise MissingExtraError("matplotlib", "train") from error
    figure = Figure(figsize=(width, height), layout="constrained", dpi=110)
    FigureCanvasAgg(figure)
    return figure


def _save(figure: Any, path: Path) -> None:
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png")
    write_atomically(path, buffer.getvalue())
