"""Pictures made by Pillow, which is also the judge of how they must look: it shares no code with OpenCV."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

Image = pytest.importorskip("PIL.Image", reason="install the extra `train`, which brings Pillow")
ImageOps = pytest.importorskip("PIL.ImageOps")


def scene(height: int = 40, width: int = 56) -> NDArray[np.uint8]:
    """A smooth colour picture, the same each time: [height, width, 3] RGB."""
    y, x = np.mgrid[0:height, 0:width]
    waves = [np.sin(x / 7) + np.cos(y / 5), np.sin((x + y) / 9), np.cos(x / 11) * np.sin(y / 6)]
    picture = np.stack([127 + 60 * wave for wave in waves], axis=-1)
    picture[4:12, 6:14] = (250, 20, 30)  # one corner stands out, so that no turn or mirror goes unseen
    return np.clip(picture, 0, 255).astype(np.uint8)


def encoded(kind: str, mode: str = "RGB", *, size: tuple[int, int] = (40, 56), **options: Any) -> bytes:
    """The scene as a file: Pillow's format name, Pillow's mode and options."""
    image = Image.fromarray(scene(*size))
    if mode in ("RGBA", "LA"):
        image.putalpha(Image.fromarray(np.tile(np.linspace(0, 255, size[1]).astype(np.uint8), (size[0], 1))))
    if mode == "I;16":
        image = Image.fromarray(np.arange(size[0] * size[1], dtype=np.uint16).reshape(size) * 29)
    buffer = io.BytesIO()
    (image if mode == "I;16" else image.convert(mode)).save(buffer, kind, **options)
    return buffer.getvalue()


def expected(data: bytes) -> NDArray[np.float64]:
    """How Pillow shows a file: upright, over white, 8 bits; [h, w] or [h, w, 3] BGR."""
    image = ImageOps.exif_transpose(Image.open(io.BytesIO(data)))
    if image.mode == "I;16":
        return np.round(np.asarray(image) / 257)
    grey = image.mode in ("1", "L", "LA")
    if image.has_transparency_data:
        image = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", image.size, (255, 255, 255, 255)), image)
    pixels = np.asarray(image.convert("L" if grey else "RGB"), np.float64)
    return pixels if grey else pixels[..., ::-1]
