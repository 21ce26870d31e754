"""Printed letters and digits from fonts that come with matplotlib and from three packages of open fonts."""

from __future__ import annotations

from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from edgecnn.errors import ArgumentError, MissingExtraError

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
    "DejaVuSans-BoldOblique",
    "DejaVuSansMono-Oblique",
    "cmr10",
    "cmb10",
    "SourceSerifPro-ExtraLight",
    "SourceSerifPro-ExtraLightIt",
    "SourceSerifPro-Regular",
    "SourceSerifPro-It",
    "SourceSerifPro-SemiboldIt",
    "SourceSerifPro-Bold",
    "SourceSerifPro-BoldIt",
    "SourceSerifPro-BlackIt",
    "SourceSansPro-Light",
    "SourceSansPro-Regular",
    "SourceSansPro-It",
    "SourceSansPro-Bold",
    "SourceSansPro-BlackIt",
)
"""Fonts to learn from."""
HELD = ("cmti10", "Caladea-Regular", "Caladea-Italic", "Caladea-Bold", "Caladea-BoldItalic")
"""Fonts to choose by: the best epoch, the threshold."""
UNSEEN = ("STIXGeneral", "STIXGeneralItalic", "cmss10", "cmtt10")
"""Fonts to measure with, never learnt from."""
LETTERS = "ABCDEFGHJKLMNPQRTUVWXYabcdefghkmnprtuvwxy&?@%#*+=<>{}~$"
"""Printed characters that are no digits, also when seen alone: without I O S Z i j l o q s z."""
DIGITS = "0123456789"
_OTHERWISE = dict.fromkeys(("cmr10", "cmb10", "cmti10", "cmss10"), "<>{}~")
"""What fonts hold something else in place of: TeX's text fonts have an inverted ! and ?, dashes and accents there."""
_PACKAGES = ("font_source_serif_pro", "font_source_sans_pro", "font_caladea")


def letters(font: str) -> str:
    """Those of `LETTERS` that a font has."""
    return "".join(character for character in LETTERS if character not in _OTHERWISE.get(font, ""))


@lru_cache(maxsize=4096)
def glyph(font: str, character: str, size: int = 64) -> NDArray[np.uint8]:
    """Draw one printed character.

    Args:
        font: One of `FONTS`, `HELD` or `UNSEEN`.
        character: What to draw.
        size: Size of the font in pixels.

    Returns:
        uint8 [h, w], read-only; ink 255 on 0, with a margin of 2 pixels.

    Raises:
        MissingExtraError: matplotlib or a package of fonts is not installed.
    """
    import cv2

    try:
        from matplotlib.font_manager import FontProperties
        from matplotlib.textpath import TextPath
    except ModuleNotFoundError as error:
        raise MissingExtraError("matplotlib", "train") from error
    outline = TextPath((0, 0), character, size=size, prop=FontProperties(fname=str(_file(font))))
    contours = [np.asarray(polygon) * np.array([1, -1]) for polygon in outline.to_polygons(closed_only=True)]
    low = np.min([c.min(axis=0) for c in contours], axis=0) - 2
    high = np.max([c.max(axis=0) for c in contours], axis=0) + 2
    width, height = np.ceil(high - low).astype(int)
    canvas = np.zeros((height, width), np.uint8)
    cv2.fillPoly(canvas, [np.rint((c - low) * 16).astype(np.int32) for c in contours], 255, cv2.LINE_AA, 4)
    canvas.flags.writeable = False
    return canvas


@lru_cache
def _file(font: str) -> Path:
    """Where a font is."""
    import matplotlib

    folders = [Path(matplotlib.get_data_path()) / "fonts" / "ttf"]
    for package in _PACKAGES:
        found = find_spec(package)
        if found is None or found.origin is None:
            raise MissingExtraError(package, "train")
        folders.append(Path(found.origin).parent / "files")
    for folder in folders:
        if (folder / f"{font}.ttf").is_file():
            return folder / f"{font}.ttf"
    raise ArgumentError(f"font: expected one of {', '.join(FONTS + HELD + UNSEEN)}, got {font!r}")
