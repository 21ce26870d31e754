"""Printed letters and digits from the fonts that come with matplotlib."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from edgecnn.errors import MissingExtraError

if TYPE_CHECKING:
    from numpy.typing import NDArray

FONTS = (
    "DejaVuSans",
    "DejaVuSans-Bold",
    "DejaVuSans-Oblique",
    "DejaVuSansMono",
    "DejaVuSansMono-Bold",
    "DejaVuSerif",
    "DejaVuSerif-Bold",
    "DejaVuSerif-Italic",
    "DejaVuSerif-BoldItalic",
    "cmr10",
    "cmb10",
)
"""Fonts to learn from."""
UNSEEN = ("STIXGeneral", "STIXGeneralItalic", "cmss10", "cmtt10")
"""Fonts to measure with, never learnt from."""
LETTERS = "ABCDEFGHJKLMNPQRTUVWXYabcdefghkmnprtuvwxy&?@%#*+=<>{}~$"
"""Printed characters that are no digits, also when seen alone: without I O S Z i j l o q s z."""
DIGITS = "0123456789"


@lru_cache(maxsize=4096)
def glyph(font: str, character: str, size: int = 64) -> NDArray[np.uint8]:
    """Draw one printed character.

    Args:
        font: One of `FONTS` or `UNSEEN`.
        character: What to draw.
        size: Size of the font in pixels.

    Returns:
        uint8 [h, w], read-only; ink 255 on 0, with a margin of 2 pixels.

    Raises:
        MissingExtraError: matplotlib is not installed.
    """
    import cv2

    try:
        import matplotlib
        from matplotlib.font_manager import FontProperties
        from matplotlib.textpath import TextPath
    except ModuleNotFoundError as error:
        raise MissingExtraError("matplotlib", "train") from error
    file = Path(matplotlib.get_data_path()) / "fonts" / "ttf" / f"{font}.ttf"
    outline = TextPath((0, 0), character, size=size, prop=FontProperties(fname=str(file)))
    contours = [np.asarray(polygon) * np.array([1, -1]) for polygon in outline.to_polygons(closed_only=True)]
    low = np.min([c.min(axis=0) for c in contours], axis=0) - 2
    high = np.max([c.max(axis=0) for c in contours], axis=0) + 2
    width, height = np.ceil(high - low).astype(int)
    canvas = np.zeros((height, width), np.uint8)
    cv2.fillPoly(canvas, [np.rint((c - low) * 16).astype(np.int32) for c in contours], 255, cv2.LINE_AA, 4)
    canvas.flags.writeable = False
    return canvas
