"""Frozen value types that cross rooms. They validate themselves once; code that holds one trusts it."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from edgecnn.errors import ArgumentError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

MAX_SIDE = 4096
"""Largest height or width of a network's input, in pixels."""


class Format(StrEnum):
    """File format of an artefact."""

    TFLITE = "tflite"
    ONNX = "onnx"


class Precision(StrEnum):
    """Number format inside an artefact."""

    FLOAT32 = "float32"
    INT8 = "int8"


class Runtime(StrEnum):
    """What runs an artefact: LiteRT runs .tflite files, ONNX Runtime runs .onnx files."""

    LITERT = "litert"
    ONNX = "onnx"

    @property
    def file_format(self) -> Format:
        """The file format that this runtime runs."""
        return Format.TFLITE if self is Runtime.LITERT else Format.ONNX


class Target(StrEnum):
    """Which file formats an export writes."""

    TFLITE = "tflite"
    ONNX = "onnx"
    BOTH = "both"

    @property
    def formats(self) -> tuple[Format, ...]:
        """The file formats."""
        return tuple(Format) if self is Target.BOTH else (Format(self.value),)


class Fit(StrEnum):
    """How a picture of any size is brought to the network's size.

    DIGIT: MNIST's own form; the ink is found, made light on dark, and fitted into the 20x20 box with its centre of mass
    in the middle of 28x28. CROP: aspect kept, shorter side resized with anti-aliasing, centre cropped.
    """

    DIGIT = "digit"
    CROP = "crop"


class Locate(StrEnum):
    """How a bundle looks at a scene. DIGITS: find and read every digit. WHOLE: the frame is one object."""

    DIGITS = "digits"
    WHOLE = "whole"


@dataclass(frozen=True, slots=True)
class ImageSpec:
    """How a picture becomes a tensor: fit to height x width x channels, then pixel * scale + offset.

    Attributes:
        height: Rows of the tensor, 1..4096.
        width: Columns of the tensor, 1..4096.
        channels: 1 (grey) or 3 (red, green, blue).
        scale: Factor for a pixel of 0..255; finite and not zero.
        offset: Added after scaling; finite.
        fit: How a picture of another size is brought to this one.

    Raises:
        ArgumentError: A value is out of range.
    """

    height: int
    width: int
    channels: int
    scale: float = 1 / 255
    offset: float = 0.0
    fit: Fit = Fit.CROP

    def __post_init__(self) -> None:
        for name in ("height", "width"):
            side = getattr(self, name)
            if type(side) is not int or not 1 <= side <= MAX_SIDE:
                raise ArgumentError(f"image {name}: expected a whole number from 1 to {MAX_SIDE}, got {side!r}")
        if self.channels not in (1, 3) or type(self.channels) is not int:
            raise ArgumentError(f"image channels: expected 1 or 3, got {self.channels!r}")
        for name in ("scale", "offset"):
            value = getattr(self, name)
            if type(value) not in (int, float) or not math.isfinite(value):
                raise ArgumentError(f"image {name}: expected a finite number, got {value!r}")
        if self.scale == 0:
            raise ArgumentError("image scale: expected a number other than 0, got 0")
        if not isinstance(self.fit, Fit):
            raise ArgumentError(f"image fit: expected one of {[f.value for f in Fit]}, got {self.fit!r}")
        if self.fit is Fit.DIGIT and self.channels != 1:
            raise ArgumentError(f"image channels: fit 'digit' needs 1 channel, got {self.channels}")

    @property
    def shape(self) -> tuple[int, int, int]:
        """(height, width, channels)."""
        return (self.height, self.width, self.channels)


DTYPES = ("float32", "int8", "uint8")


@dataclass(frozen=True, slots=True)
class TensorSpec:
    """Input or output of an artefact.

    Attributes:
        name: Name in the file.
        shape: Sizes with the batch first; the batch is 1, or -1 when it is free.
        dtype: float32, int8 or uint8.
        scale: Real value of one step of a quantized tensor: real = scale * (q - zero_point); None for float32.
        zero_point: The integer that stands for 0.0; None for float32.

    Raises:
        ArgumentError: A value is out of range, or the quantization does not fit the dtype.
    """

    name: str
    shape: tuple[int, ...]
    dtype: str
    scale: float | None = None
    zero_point: int | None = None

    def __post_init__(self) -> None:
        if not isinstance(self.name, str) or not self.name:
            raise ArgumentError(f"tensor name: expected a text, got {self.name!r}")
        if self.dtype not in DTYPES:
            raise ArgumentError(f"tensor {self.name} dtype: expected one of {DTYPES}, got {self.dtype!r}")
        bad = any(type(n) is not int or n < 1 for n in self.shape[1:])
        if len(self.shape) < 2 or bad or self.shape[0] not in (1, -1):
            raise ArgumentError(f"tensor {self.name} shape: expected (1 or -1, sizes...), got {self.shape!r}")
        if self.dtype == "float32":
            if self.scale is not None or self.zero_point is not None:
                raise ArgumentError(f"tensor {self.name}: float32 has no scale and no zero point")
            return
        low, high = (-128, 127) if self.dtype == "int8" else (0, 255)
        if type(self.scale) is not float or not (math.isfinite(self.scale) and self.scale > 0):
            raise ArgumentError(f"tensor {self.name} scale: expected a positive number, got {self.scale!r}")
        if type(self.zero_point) is not int or not low <= self.zero_point <= high:
            raise ArgumentError(
                f"tensor {self.name} zero point: expected {low}..{high} for {self.dtype}, got {self.zero_point!r}"
            )


_FILE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")


@dataclass(frozen=True, slots=True)
class Artifact:
    """One .tflite or .onnx file of a bundle.

    Attributes:
        file: Plain file name inside the bundle's folder.
        format: File format.
        precision: Number format of the network inside.
        bytes: Size of the file.
        sha256: Its hash, 64 lower-case hex digits.
        input: The one input, NHWC.
        output: The one output, [batch, classes].

    Raises:
        ArgumentError: A value is malformed; a name with a path in it is.
    """

    file: str
    format: Format
    precision: Precision
    bytes: int
    sha256: str
    input: TensorSpec
    output: TensorSpec

    def __post_init__(self) -> None:
        if not isinstance(self.file, str) or not _FILE.fullmatch(self.file):
            raise ArgumentError(f"artefact file: expected a plain file name, got {self.file!r}")
        if type(self.bytes) is not int or self.bytes < 1:
            raise ArgumentError(f"artefact {self.file} bytes: expected a positive number, got {self.bytes!r}")
        if not isinstance(self.sha256, str) or not re.fullmatch(r"[0-9a-f]{64}", self.sha256):
            raise ArgumentError(f"artefact {self.file} sha256: expected 64 hex digits, got {self.sha256!r}")


@dataclass(frozen=True, slots=True, eq=False)
class Frame:
    """A picture with the time it was captured.

    Attributes:
        picture: uint8 [height, width, 3], BGR as OpenCV has it, or [height, width] grey.
        time: When it was captured, in seconds since 1970; for a frame of a video file its position, in seconds from
            the beginning of the video.
        index: Number of the frame in its source, from 0; skipped frames are counted.
        source: What it came from, for people: a path, a URL without its password, a device.
        video: Whether it is of a video file, which does not tell when it was captured.
    """

    picture: NDArray[np.uint8]
    time: float
    index: int
    source: str
    video: bool = False


@dataclass(frozen=True, slots=True)
class Reading:
    """A digit (or another object) found and named in a frame.

    Attributes:
        label: Name of the class.
        probability: Softmax probability of that class, 0..1.
        box: x, y, width, height in pixels of the frame.
        top: The best classes with their probabilities, best first.
        track: Number of the track that it belongs to, when frames are followed.
        line: Number of the line of writing that it stands in, from 0 at the top.
    """

    label: str
    probability: float
    box: tuple[int, int, int, int]
    top: tuple[tuple[str, float], ...] = ()
    track: int | None = None
    line: int = 0
