"""Where frames come from. `open_source` turns what a user types into a source."""

from __future__ import annotations

import glob
import re
from collections.abc import Sequence
from pathlib import Path

from edgecnn.errors import ArgumentError, SourceError
from edgecnn.sources.base import CameraMode, Notify, Retry, Source, silent

__all__ = ["FORMS", "CameraMode", "Notify", "Retry", "Source", "open_source"]

FORMS = (
    "a picture, a folder, a pattern, - (standard input), a video, 0 or /dev/video0 or usb:NAME, csi, rtsp://, http://"
)
_CAMERA = re.compile(r"\d{1,3}|/dev/video\d{1,3}|usb:.+")
_CSI = re.compile(r"csi(:\d)?")


def open_source(
    texts: Sequence[str],
    *,
    mode: CameraMode | None = None,
    retry: Retry | None = None,
    notify: Notify = silent,
) -> Source:
    """Open what the user names.

    Args:
        texts: One camera, stream or video; or any number of pictures, folders and patterns, and "-" for a picture on
            standard input. See `FORMS`.
        mode: Size and rate asked of a camera.
        retry: How often and how fast a lost camera or stream is tried again.
        notify: Takes lines for people.

    Returns:
        The opened source.

    Raises:
        ArgumentError: No text; a camera, a stream or a video together with others; `mode` for what is no camera.
        SourceError: There is no such file, a pattern matches none, or a folder holds no picture; no such camera, unless
            `retry` awaits it.
    """
    if not texts:
        raise ArgumentError(f"source: expected {FORMS}; got nothing")
    if "" in texts:  # as a path it would be the current folder, and all that is below
        raise ArgumentError(f"source: expected {FORMS}; got an empty text")
    alone = _open_alone(texts[0], mode, retry, notify) if len(texts) == 1 else None
    if alone is not None:
        return alone
    if len(texts) > 1:
        for text in texts:
            if _is_moving(text):
                raise ArgumentError(f"source: {_shown(text)} must be the only source, got {len(texts)}")
    if mode is not None:
        raise ArgumentError(f"size and rate are for cameras; {_shown(texts[0])} is none")
    from edgecnn.sources.recorded import PictureSource

    return PictureSource([path for text in texts for path in _paths(text)], notify, named=texts)


def _open_alone(text: str, mode: CameraMode | None, retry: Retry | None, notify: Notify) -> Source | None:
    if _CAMERA.fullmatch(text):
        from edgecnn.sources.usb import usb_source

        return usb_source(text, mode, retry, notify)
    if _CSI.fullmatch(text):
        from edgecnn.sources.csi import csi_source

        return csi_source(text, mode, retry, notify)
    if mode is not None:
        raise ArgumentError(f"size and rate are for cameras; {_shown(text)} is none")
    if "://" in text:
        from edgecnn.sources.stream import stream_source

        return stream_source(text, retry, notify)
    if _is_moving(text):
        from edgecnn.sources.recorded import VideoSource

        return VideoSource(Path(text), notify)
    return None


def _is_moving(text: str) -> bool:
    """Whether it is a camera, a stream or a video rather than pictures."""
    if _CAMERA.fullmatch(text) or _CSI.fullmatch(text) or "://" in text:
        return True
    from edgecnn.sources.recorded import VIDEO_SUFFIXES

    return Path(text).suffix.lower() in VIDEO_SUFFIXES and not Path(text).is_dir()


def _paths(text: str) -> list[Path]:
    from edgecnn import pictures

    path = Path(text)
    if text == "-" or path.is_file():
        return [path]
    if path.is_dir():
        found = sorted(p for p in path.rglob("*") if p.is_file() and pictures.is_picture(p))
        if not found:
            raise SourceError(f"source {text}: a folder without a JPEG, PNG, BMP or WebP picture")
        return found
    if glob.has_magic(text):
        matched = sorted(map(Path, glob.glob(text, recursive=True)))  # noqa: PTH207 - absolute patterns too
        found = [p for p in matched if p.is_file()]
        if found:
            return found
        raise SourceError(f"source {text}: the pattern matches no file; expected one that does, such as 'photos/*.jpg'")
    raise SourceError(f"source {text}: no such file; expected {FORMS}")


def _shown(text: str) -> str:
    if "://" not in text:
        return text
    from edgecnn.sources.stream import shown_url

    return shown_url(text)
