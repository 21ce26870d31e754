"""The exceptions that edgecnn raises on purpose.

Each message is one line: which argument, what was expected, what came, what to do. The command line prints that line
and exits with code 2 for an `ArgumentError`, which another command line would not have raised, and with 1 for the
others; every other exception is a fault of ours and keeps its traceback.

    EdgecnnError
    +-- ArgumentError      a value that the caller gave is outside of what is allowed
    +-- MissingExtraError  a package is not installed; the message holds the pip command
    +-- DataError          a data set or a picture is absent, broken or too small
    +-- ModelError         a net or a model file cannot be built, read or trained
    +-- ConversionError    a converter refused the model, or what it wrote fails its check
    +-- BundleError        a bundle is absent, altered, unsafe or of an unknown schema
    +-- SessionError       an artefact cannot be opened or run
    +-- SourceError        a camera, a video or a stream gives no frames
    +-- MeasurementError   a measurement could not be made or stored
    +-- RemoteError        a board cannot be reached or refused the work
    +-- StageError         a stage of the pipeline failed; says which, and what was done before it
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence


class EdgecnnError(Exception):
    """Root of all errors that edgecnn raises on purpose."""


class ArgumentError(EdgecnnError):
    """A value that the caller gave is outside of what is allowed."""


class MissingExtraError(EdgecnnError):
    """A package is not installed.

    Args:
        package: The import name that is missing.
        extra: The extra of edgecnn that brings it.
    """

    def __init__(self, package: str, extra: str) -> None:
        super().__init__(f"{package} is not installed; run: pip install 'edgecnn[{extra}]'")
        self.package = package
        self.extra = extra


class DataError(EdgecnnError):
    """A data set or a picture is absent, broken or too small."""


class ModelError(EdgecnnError):
    """A net or a model file cannot be built, read or trained."""


class ConversionError(EdgecnnError):
    """A converter refused the model, or what it wrote fails its check."""


class BundleError(EdgecnnError):
    """A bundle is absent, altered, unsafe or of an unknown schema."""


class SessionError(EdgecnnError):
    """An artefact cannot be opened or run."""


class SourceError(EdgecnnError):
    """A camera, a video or a stream gives no frames."""


class MeasurementError(EdgecnnError):
    """A measurement could not be made or stored."""


class RemoteError(EdgecnnError):
    """A board cannot be reached or refused the work."""


class StageError(EdgecnnError):
    """A stage of the pipeline failed. What the user gave wrong is told as it is, whenever it was noticed.

    Args:
        stage: The stage that failed, such as "convert".
        after: The stages that had finished before it.
        cause: The error behind it, which is an `EdgecnnError`.
    """

    def __init__(self, stage: str, after: Sequence[str], cause: EdgecnnError) -> None:
        told = bool(after) and not isinstance(cause, ArgumentError)
        super().__init__(f"{cause} (in stage {stage}; done before: {', '.join(after)})" if told else str(cause))
        self.stage = stage
        self.after = tuple(after)
        self.cause = cause


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """The end of a message about an unknown name: the known one that it was likely to be.

    Args:
        name: What came.
        known: Names that there are.

    Returns:
        "; did you mean 'NAME'?", or nothing where none is near.
    """
    import difflib

    near = difflib.get_close_matches(name, known, 1)
    return f"; did you mean {near[0]!r}?" if near else ""
