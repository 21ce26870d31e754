"""Corrected readings become a folder data set, from which the net can be trained again."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from edgecnn.live.moment import moment_name, plain_name
from edgecnn.live.sinks.save import write_picture

if TYPE_CHECKING:
    from edgecnn.reader import Reader
    from edgecnn.spec import Frame, Reading


class Corrections:
    """A folder with one sub-folder for each label, as `edgecnn train NET --data folder` takes it.

    Args:
        folder: Where it lies; made with the first correction.
        reader: What read the frames.
    """

    def __init__(self, folder: Path, reader: Reader) -> None:
        self._folder = folder
        self._reader = reader

    def add(self, frame: Frame, reading: Reading, key: str) -> Path | None:
        """Store what a reading was read from under its right label.

        Args:
            frame: The frame.
            reading: The reading that was wrong.
            key: How the right label begins.

        Returns:
            The new file; None when no label begins so.
        """
        labels = self._reader.bundle.labels
        label = next((label for label in labels if key and label.lower().startswith(key.lower())), None)
        if label is None:
            return None
        x, y = reading.box[:2]
        path = self._folder / plain_name(label) / f"{moment_name(frame)}-{x}-{y}.png"
        write_picture(path, self._reader.crop(frame, reading.box))
        return path
